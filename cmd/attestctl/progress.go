package main

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
)

// progress shows on a terminal how far a run over many files is. Off a
// terminal it does nothing.
type progress struct {
	bar *progressbar.ProgressBar
}

func (sys *system) progress(files int) *progress {
	if sys.columns(sys.stderr) == 0 {
		return &progress{}
	}
	return &progress{progressbar.NewOptions(files,
		progressbar.OptionSetWriter(sys.stderr),
		progressbar.OptionSetDescription("verifying"),
		progressbar.OptionShowCount(),
		progressbar.OptionFullWidth(),
		progressbar.OptionClearOnFinish(),
	)}
}

// hide clears the bar, so that a result can be written in its place.
func (p *progress) hide() {
	if p.bar != nil {
		p.bar.Clear() //nolint:errcheck,gosec // a bar that cannot be drawn is no failure
	}
}

// step counts one file.
func (p *progress) step() {
	if p.bar != nil {
		p.bar.Add(1) //nolint:errcheck,gosec // as above
	}
}

// readProgress shows how much of a file was read.
func (sys *system) readProgress(r io.Reader) (io.Reader, *progress) {
	if sys.columns(sys.stderr) == 0 {
		return r, &progress{}
	}
	size := int64(-1) // not known: a spinner
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			size = info.Size()
		}
	}
	p := &progress{progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(sys.stderr),
		progressbar.OptionSetDescription("reading"),
		progressbar.OptionShowBytes(true),
		progressbar.OptionFullWidth(),
		progressbar.OptionClearOnFinish(),
	)}
	return &progressReader{r, p}, p
}

// progressReader counts bytes. A file that grows meanwhile is read to its end, and
// the bar stays full.
type progressReader struct {
	r io.Reader
	p *progress
}

// Read implements io.Reader.
func (r *progressReader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	r.p.bar.Add(n) //nolint:errcheck,gosec // a bar that cannot be drawn is no failure
	return n, err
}
