package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attestctl/attestctl/internal/hint"
)

func TestAppendTogether(t *testing.T) {
	const writers, each = 16, 50
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, path, options(7))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := l.Append(t.Context(), sample(fmt.Sprintf("%d-%d", w, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	log := contents(t, path)
	sum, err := Verify(bytes.NewReader(log), testPub)
	if err != nil || sum.Records != writers*each || !sum.Closed || sum.Checkpoints < writers*each/7 {
		t.Fatalf("Verify = %+v, %v", sum, err)
	}
	next := make([]int, writers)
	for r, err := range Read(bytes.NewReader(log)) {
		if err != nil {
			t.Fatal(err)
		}
		w, i, _ := strings.Cut(r.DecisionID, "-")
		writer, _ := strconv.Atoi(w)
		if i != strconv.Itoa(next[writer]) {
			t.Errorf("record %s, want %d-%d", r.DecisionID, writer, next[writer])
		}
		next[writer]++
	}
}

func TestOpenAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	for i := range 3 {
		l := open(t, path, options(4))
		appendAll(t, l, sample(fmt.Sprint(i)))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := Verify(bytes.NewReader(contents(t, path)), testPub)
	if err != nil || sum.Records != 3 || sum.Checkpoints != 6 || !sum.Closed || sum.Cuts != 0 {
		t.Errorf("Verify = %+v, %v", sum, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
}

func TestSecondWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, path, options(4))
	if _, err := Open(path, testKey, options(4)); !errors.Is(err, ErrLocked) {
		t.Fatalf("a second Open: %v, want %v", err, ErrLocked)
	}
	appendAll(t, l, sample("d"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path, options(4))
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "audit.log")
	for name, tc := range map[string]struct {
		o    Options
		want error
	}{
		"no clock":     {Options{}, errNoClock},
		"negative":     {Options{Now: clock, Every: -1}, errEvery},
		"without ends": {Options{Now: clock, Every: maxEvery + 1}, errEvery},
	} {
		if _, err := Open(log, testKey, tc.o); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	if _, err := Open(log, nil, options(1)); !errors.Is(err, errNoKey) {
		t.Errorf("Open without a key: %v", err)
	}
	if _, err := os.Stat(log); err == nil {
		t.Error("a refused Open made a file")
	}
	if _, err := Open(dir, testKey, options(1)); err == nil {
		t.Error("Open takes a directory")
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(write(t, written(t, 1)), link); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(link, testKey, options(1)); err == nil {
		t.Error("Open follows a link")
	}
	if _, err := Open(os.DevNull, testKey, options(1)); !errors.Is(err, errRegular) {
		t.Errorf("Open of a device: %v", err)
	}
	if _, err := Open(write(t, []byte("hello\n")), testKey, options(1)); hint.Of(err) == "" {
		t.Errorf("no hint with %v", err)
	}
}

func TestAppendRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, path, options(4))
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Append(done, sample("d")); !errors.Is(err, context.Canceled) {
		t.Errorf("Append for nobody: %v", err)
	}
	if err := l.Append(t.Context(), Record{}); !errors.Is(err, errNoID) {
		t.Errorf("Append of nothing: %v", err)
	}
	long := sample("d")
	long.Route = strings.Repeat("x", maxLine)
	if err := l.Append(t.Context(), long); !errors.Is(err, ErrLong) {
		t.Errorf("Append of a long record: %v", err)
	}
	if l.Err() != nil {
		t.Errorf("Err() = %v after refusals", l.Err())
	}
	now := sample("now")
	now.Time = time.Time{}
	appendAll(t, l, now) // a refused record leaves the log as it was
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Append(t.Context(), sample("d")); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close: %v", err)
	}
	log := contents(t, path)
	if sum, err := Verify(bytes.NewReader(log), testPub); err != nil || sum.Records != 1 {
		t.Errorf("Verify = %+v, %v", sum, err)
	}
	for r, err := range Read(bytes.NewReader(log)) {
		if err != nil || !r.Time.Equal(epoch) {
			t.Errorf("time %v, %v, want the log's", r.Time, err)
		}
	}
}

// TestLongestRecord brings the longest line through writer and reader.
func TestLongestRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, path, options(4))
	r := sample("d")
	line, err := r.Line()
	if err != nil {
		t.Fatal(err)
	}
	room := maxLine - len(line) - 1 // the number of the line is 2, and 0 in line; both have one digit
	longer := r
	longer.Route += strings.Repeat("x", room+2)
	if err := l.Append(t.Context(), longer); !errors.Is(err, ErrLong) {
		t.Errorf("Append of a byte more: %v", err)
	}
	r.Route += strings.Repeat("x", room+1)
	appendAll(t, l, r)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	lines := split(contents(t, path))
	if i := slices.IndexFunc(lines, func(l []byte) bool { return len(l) == maxLine }); i != 1 {
		t.Fatalf("line %d is the longest", i)
	}
	if _, err := Verify(bytes.NewReader(join(lines...)), testPub); err != nil {
		t.Error(err)
	}
}

func TestRead(t *testing.T) {
	log := written(t, 6)
	var ids []string
	for r, err := range Read(bytes.NewReader(log[:len(log)-1])) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.DecisionID)
		if len(ids) == 5 {
			break
		}
	}
	if got := strings.Join(ids, ""); got != "01234" {
		t.Errorf("Read yields %s", got)
	}
	changed := split(log)
	changed[3][100] ^= 1
	ids = nil
	for r, err := range Read(bytes.NewReader(join(changed...))) {
		ids = append(ids, fmt.Sprint(r.DecisionID, err != nil))
	}
	if got := fmt.Sprint(ids); got != "[0false 1false true]" {
		t.Errorf("Read of a changed log yields %s", got)
	}
}

func TestOutcome(t *testing.T) {
	for want, r := range map[string]Record{
		Released: {Verdict: "accepted", Result: Result{Allow: true}, Released: true},
		Allowed:  {Verdict: "accepted", Result: Result{Allow: true}},
		Denied:   {Verdict: "accepted"},
		Refused:  {Verdict: "refused"},
		Failed:   {Error: "store"},
	} {
		if got := r.Outcome(); got != want || !slices.Contains(Outcomes, got) {
			t.Errorf("Outcome of %+v = %q, want %q", r, got, want)
		}
	}
	if got := (Record{}).Outcome(); got != Refused {
		t.Errorf("Outcome of nothing = %q", got)
	}
}

func TestFilter(t *testing.T) {
	r := sample("1")
	for _, tc := range []struct {
		f    Filter
		want bool
	}{
		{Filter{}, true},
		{Filter{Since: epoch, Until: epoch.Add(1)}, true},
		{Filter{Since: epoch.Add(1)}, false},
		{Filter{Until: epoch}, false},
		{Filter{Secret: "db"}, true},
		{Filter{Secret: "d"}, false},
		{Filter{RequestID: "r-1"}, true},
		{Filter{RequestID: "r-2"}, false},
		{Filter{Outcome: Failed}, true},
		{Filter{Outcome: Denied}, false},
		{Filter{Remote: "192.0.2.7"}, true},
		{Filter{Remote: "::ffff:192.0.2.7"}, true},
		{Filter{Remote: "192.0.2.7:4242"}, true},
		{Filter{Remote: "192.0.2.7:4243"}, false},
		{Filter{Remote: "192.0.2.70"}, false},
		{Filter{Remote: "192"}, false},
		{Filter{Check: "tpm.quote.nonce"}, true},
		{Filter{Check: "tpm.quote.nonce[sha256]"}, true},
		{Filter{Check: "tpm.quote.nonce[sha384]"}, false},
		{Filter{Check: "tpm.quote"}, false},
		{Filter{Secret: "db", RequestID: "r-2"}, false},
	} {
		if got := tc.f.Match(r); got != tc.want {
			t.Errorf("%+v.Match = %t, want %t", tc.f, got, tc.want)
		}
	}
	r.Remote = "[2001:db8::1]:443"
	if !(Filter{Remote: "2001:db8:0::1"}).Match(r) {
		t.Error("an IPv6 address does not match")
	}
	if r.Remote = "@"; (Filter{Remote: "192.0.2.7"}).Match(r) {
		t.Error("an address matches what is none")
	}
}
