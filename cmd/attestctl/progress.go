package main

import "github.com/schollz/progressbar/v3"

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
