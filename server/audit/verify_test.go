package audit

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestVerify(t *testing.T) {
	log := written(t, 6)
	sum, err := Verify(bytes.NewReader(log), testPub)
	if err != nil {
		t.Fatal(err)
	}
	lines := split(log)
	// start, 4 records, checkpoint, 2 records, close
	want := Summary{Records: 6, Checkpoints: 3, Seq: 9, Head: sumOf(lines[8]), Bytes: int64(len(log)), Signed: true, Closed: true}
	if sum != want {
		t.Errorf("Verify = %+v, want %+v", sum, want)
	}
	want.Signed = false
	if sum, err := Verify(iotest.OneByteReader(bytes.NewReader(log)), nil); err != nil || sum != want {
		t.Errorf("Verify without a key = %+v, %v, want %+v", sum, err, want)
	}

	// what a log cannot show, it says
	cut := join(lines[:8]...)
	want = Summary{Records: 6, Checkpoints: 2, Seq: 8, Head: sumOf(lines[7]), Bytes: int64(len(cut)), Signed: true, Unsigned: 2}
	if sum, err := Verify(bytes.NewReader(cut), testPub); err != nil || sum != want {
		t.Errorf("Verify of a log without its end = %+v, %v, want %+v", sum, err, want)
	}
}

func sumOf(line []byte) Hash {
	var c chain
	c.advance(line)
	return c.last
}

// tampered is a way to change a log of [written] with six records.
type tampered struct {
	name   string
	change func(lines [][]byte) []byte
	line   uint64 // where Verify finds it
	want   string // in the error
	key    bool   // only a signature shows it
}

func edit(line []byte, from, to string) []byte {
	edited := bytes.Replace(line, []byte(from), []byte(to), 1)
	if bytes.Equal(edited, line) {
		panic("nothing to edit: " + from)
	}
	return edited
}

// by signs a checkpoint anew with the key.
func by(key ed25519.PrivateKey, line []byte, change func(*checkpoint)) []byte {
	c, err := decodeCheckpoint(line)
	if err != nil {
		panic(err)
	}
	change(c)
	line, err = c.sign(key)
	if err != nil {
		panic(err)
	}
	return line
}

func same(*checkpoint) {}

// lines are counted from 0 here, and from 1 in the errors
var tampering = []tampered{
	{"edit a record", func(l [][]byte) []byte {
		l[2] = edit(l[2], `"allow":false`, `"allow":true`)
		return join(l...)
	}, 4, "prev is not the hash of line 3", false},
	{"edit a record and chain anew", func(l [][]byte) []byte {
		l[2] = edit(l[2], `"allow":false`, `"allow":true`)
		return rechain(l...)
	}, 6, "bad signature", true},
	{"edit the start", func(l [][]byte) []byte {
		l[0] = edit(l[0], `"every":4`, `"every":9`)
		return rechain(l...)
	}, 1, "bad signature", true},
	{"edit the end", func(l [][]byte) []byte {
		l[8] = edit(l[8], "12:00", "13:00")
		return join(l...)
	}, 9, "bad signature", true},
	{"delete a record", func(l [][]byte) []byte { return join(slices.Delete(l, 2, 3)...) }, 3, "sequence number 4, want 3", false},
	{"delete a record and chain anew", func(l [][]byte) []byte { return rechain(slices.Delete(l, 2, 3)...) }, 5, "bad signature", true},
	{"delete the first line", func(l [][]byte) []byte { return join(l[1:]...) }, 1, "sequence number 2, want 1", false},
	{"delete the start and chain anew", func(l [][]byte) []byte { return rechain(l[1:]...) }, 1, "does not begin with its start", false},
	{"begin with a checkpoint", func(l [][]byte) []byte { return rechain(l[5:]...) }, 1, "", false},
	{"begin with another prev", func(l [][]byte) []byte {
		l[0] = edit(l[0], `"prev":"00`, `"prev":"01`)
		return join(l...)
	}, 1, "does not begin with its start", false},
	{"insert a line again", func(l [][]byte) []byte { return join(slices.Insert(l, 3, l[2])...) }, 4, "sequence number 3, want 4", false},
	{"insert a record and chain anew", func(l [][]byte) []byte { return rechain(slices.Insert(l, 3, l[2])...) }, 6, "more records", false},
	{"insert a record at the end", func(l [][]byte) []byte { return rechain(append(l, l[7])...) }, 10, "follows the end", false},
	{"insert an empty line", func(l [][]byte) []byte { return join(slices.Insert(l, 3, []byte{})...) }, 4, "not a line of an audit log", false},
	{"insert another log", func(l [][]byte) []byte { return join(append(l, l...)...) }, 10, "sequence number 1, want 10", false},
	{"swap two records", func(l [][]byte) []byte { l[2], l[3] = l[3], l[2]; return join(l...) }, 3, "sequence number 4, want 3", false},
	{"swap two records and chain anew", func(l [][]byte) []byte { l[2], l[3] = l[3], l[2]; return rechain(l...) }, 6, "bad signature", true},
	{"shorten a record", func(l [][]byte) []byte { l[2] = l[2][:len(l[2])-3]; return join(l...) }, 3, "not in the encoding", false},
	{"shorten a line to its head", func(l [][]byte) []byte { l[2] = anyHead.Find(l[2]); return join(l...) }, 3, "not in the encoding", false},
	{"shorten a line to less", func(l [][]byte) []byte { l[2] = l[2][:20]; return join(l...) }, 3, "", false},
	{"join two lines", func(l [][]byte) []byte {
		return join(slices.Replace(l, 2, 4, slices.Concat(l[2], l[3]))...)
	}, 3, "not in the encoding", false},
	{"append to a line", func(l [][]byte) []byte { l[2] = append(l[2], ' '); return join(l...) }, 3, "not in the encoding", false},
	{"carriage return", func(l [][]byte) []byte { l[2] = append(l[2], '\r'); return join(l...) }, 3, "bytes that no line", false},
	{"NUL in a line", func(l [][]byte) []byte { l[2] = edit(l[2], "db", "d\x00b"); return join(l...) }, 3, "bytes that no line", false},
	{"NULs before a line", func(l [][]byte) []byte { l[2] = append([]byte("\x00\x00"), l[2]...); return join(l...) }, 3, "bytes that no line", false},
	{"a line of NULs", func(l [][]byte) []byte { l[2] = make([]byte, len(l[2])); return join(l...) }, 3, "bytes that no line", false},
	{"huge line", func(l [][]byte) []byte { l[2] = bytes.Repeat(l[2], maxLine/len(l[2])+1); return join(l...) }, 3, "more than", false},
	{"huge line without an end", func(l [][]byte) []byte { return append(join(l...), make([]byte, maxLine+2)...) }, 10, "more than", false},
	{"remove a checkpoint", func(l [][]byte) []byte { return join(slices.Delete(l, 5, 6)...) }, 6, "sequence number 7, want 6", false},
	{"remove a checkpoint and chain anew", func(l [][]byte) []byte { return rechain(slices.Delete(l, 5, 6)...) }, 6, "more records without a checkpoint", false},
	{"remove the end's signature", func(l [][]byte) []byte {
		i := bytes.Index(l[8], []byte(`,"signature"`))
		l[8] = append(l[8][:i:i], "}}"...)
		return join(l...)
	}, 9, "bad signature", false},
	{"white space in the end", func(l [][]byte) []byte { l[8] = edit(l[8], `,"event"`, `, "event"`); return join(l...) }, 9, "not in the encoding", false},
	{"a member of another name in the end", func(l [][]byte) []byte { l[8] = edit(l[8], `,"event"`, `,"x":1,"event"`); return join(l...) }, 9, "not in the encoding", false},
	{"another key signs one checkpoint", func(l [][]byte) []byte { l[8] = by(otherKey, l[8], same); return join(l...) }, 9, "another key", false},
	{"another key signs in the name of the first", func(l [][]byte) []byte {
		l[8] = by(otherKey, l[8], same)
		l[8] = edit(l[8], Hash(otherPub).String(), Hash(testPub).String())
		return join(l...)
	}, 9, "bad signature", true},
	{"signature of another checkpoint", func(l [][]byte) []byte { return rechain(l[0], l[1], l[2], l[5]) }, 4, "bad signature", true},
	{"second start", func(l [][]byte) []byte {
		return join(append(l, by(testKey, l[0], func(c *checkpoint) { c.Seq, c.Prev = 10, sumOf(l[8]) }))...)
	}, 10, "a second start", false},
	{"checkpoint behind the end", func(l [][]byte) []byte {
		return join(append(l, by(testKey, l[5], func(c *checkpoint) { c.Seq, c.Prev = 10, sumOf(l[8]) }))...)
	}, 10, "follows the end", false},
	{"event that is none", func(l [][]byte) []byte {
		l[8] = by(testKey, l[8], func(c *checkpoint) { c.Body.Event = "" })
		return join(l...)
	}, 9, "no log writes", false},
	{"torn line at the end of a writer", func(l [][]byte) []byte {
		l[8] = by(testKey, l[8], func(c *checkpoint) { c.Body.Torn = &torn{Bytes: 1} })
		return join(l...)
	}, 9, "no log writes", false},
	{"no record allowed", func(l [][]byte) []byte {
		l[8] = by(testKey, l[8], func(c *checkpoint) { c.Body.Every = 0 })
		return join(l...)
	}, 9, "no log writes", false},
	{"foreign end", func(l [][]byte) []byte { return append(join(l...), "hello"...) }, 10, "not the beginning of a line", false},
	{"end of another place", func(l [][]byte) []byte { return append(join(l...), l[2]...) }, 10, "not the beginning of a line", false},
	{"foreign file", func([][]byte) []byte { return []byte("default: db\nstores: {}\n") }, 1, "not a line of an audit log", false},
	{"foreign file of one line", func([][]byte) []byte { return []byte("hello") }, 1, "not the beginning of a line", false},
}

func TestTampering(t *testing.T) {
	log := written(t, 6)
	for _, tc := range tampering {
		t.Run(tc.name, func(t *testing.T) {
			changed := tc.change(split(bytes.Clone(log)))
			sum, err := Verify(bytes.NewReader(changed), testPub)
			broken, ok := errors.AsType[*LineError](err)
			if !ok || broken.Line != tc.line || !strings.Contains(err.Error(), tc.want) || sum.Signed || sum.Seq != tc.line-1 {
				t.Errorf("Verify = %+v, %v, want an error of line %d with %q", sum, err, tc.line, tc.want)
			}
			if _, err := Verify(bytes.NewReader(changed), nil); (err == nil) != tc.key {
				t.Errorf("Verify without a key: %v", err)
			}
			if sum, err := Visit(bytes.NewReader(changed), nil, ignore); err == nil || sum.Signed {
				t.Errorf("Visit with the key that the log names = %+v, %v, want an error", sum, err)
			}
			if err := readAll(bytes.NewReader(changed)); (err == nil) != tc.key {
				t.Errorf("Read: %v", err)
			}
			path := write(t, changed)
			if l, err := Open(path, testKey, options(4)); err == nil {
				t.Error("Open takes it up", l.Close())
			}
			if !bytes.Equal(contents(t, path), changed) {
				t.Error("Open has changed the file that it refuses")
			}
		})
	}
}

func ignore(Record) error { return nil }

// TestVisit: it is Verify, and hands over what Read does.
func TestVisit(t *testing.T) {
	log := written(t, 6)
	torn := append(bytes.Clone(log[:len(log)-5]), "\x00\x00"...)
	for name, log := range map[string][]byte{"whole": log, "torn": torn, "empty": nil} {
		for _, pub := range []ed25519.PublicKey{testPub, otherPub, nil} {
			want, wantErr := Verify(bytes.NewReader(log), pub)
			var got []string
			sum, err := Visit(bytes.NewReader(log), pub, func(r Record) error {
				got = append(got, r.DecisionID)
				return nil
			})
			if sum != want || (err == nil) != (wantErr == nil) {
				t.Errorf("%s: Visit = %+v, %v, want %+v, %v", name, sum, err, want, wantErr)
			}
			if err == nil && strings.Join(got, "") != "012345" {
				t.Errorf("%s: records %q, want all six", name, got)
			}
		}
	}
}

// TestVisitNamesItsOwnKey: who writes a log anew with a key of their own is found
// out by the key alone, and that nobody gave one shows.
func TestVisitNamesItsOwnKey(t *testing.T) {
	l := split(written(t, 1)) // start, record, close
	start := by(otherKey, l[0], same)
	record := rechain(start, l[1])[len(start)+1:]
	end := by(otherKey, l[2], func(c *checkpoint) { c.Prev = sumOf(bytes.TrimSuffix(record, []byte{'\n'})) })
	forged := join(start, bytes.TrimSuffix(record, []byte{'\n'}), end)
	if sum, err := Visit(bytes.NewReader(forged), nil, ignore); err != nil || sum.Signed {
		t.Errorf("Visit without a key = %+v, %v, want it whole and not signed", sum, err)
	}
	if _, err := Visit(bytes.NewReader(forged), testPub, ignore); !errors.Is(err, errOtherKey) {
		t.Errorf("Visit with the key = %v, want %v", err, errOtherKey)
	}
}

// TestVisitEnds with the error of the one who visits, as it is.
func TestVisitEnds(t *testing.T) {
	enough, n := errors.New("enough"), 0
	sum, err := Visit(bytes.NewReader(written(t, 6)), testPub, func(Record) error {
		n++
		return enough
	})
	if err != enough || n != 1 || sum.Signed { //nolint:errorlint // as it is
		t.Errorf("Visit = %+v, %v after %d records", sum, err, n)
	}
}

func readAll(r io.Reader) error {
	for _, err := range Read(r) {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestVerifyKeys(t *testing.T) {
	log := written(t, 1)
	if _, err := Verify(bytes.NewReader(log), otherPub); !errors.Is(err, errOtherKey) {
		t.Errorf("Verify with another key: %v", err)
	}
	if _, err := Open(write(t, log), otherKey, options(4)); !errors.Is(err, errOtherKey) {
		t.Errorf("Open with another key: %v", err)
	}
	for _, pub := range []ed25519.PublicKey{{}, testPub[:31], append(bytes.Clone(testPub), 0)} {
		if sum, err := Verify(bytes.NewReader(log), pub); !errors.Is(err, errPublicKey) || sum != (Summary{}) {
			t.Errorf("Verify with a key of %d bytes = %+v, %v", len(pub), sum, err)
		}
	}
}

func TestVerifyNothing(t *testing.T) {
	if _, err := Verify(strings.NewReader(""), testPub); !errors.Is(err, errEmpty) {
		t.Errorf("Verify of an empty file: %v", err)
	}
	broken := errors.New("broken")
	log := written(t, 1)
	if _, err := Verify(io.MultiReader(bytes.NewReader(log), iotest.ErrReader(broken)), testPub); !errors.Is(err, broken) {
		t.Errorf("Verify of what cannot be read: %v", err)
	}
}

// FuzzVerify wants that what is accepted is what a log writes: every record is
// encoded as its line again.
func FuzzVerify(f *testing.F) {
	log := written(f, 6)
	f.Add(log, false)
	f.Add(log, true)
	f.Add(log[:len(log)-10], false)
	for _, tc := range tampering {
		if changed := tc.change(split(bytes.Clone(log))); len(changed) < 1<<16 {
			f.Add(changed, true)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, chained bool) {
		if chained { // so that what is changed gets past the hashes
			in = rechain(split(in)...)
		}
		sum, err := Verify(bytes.NewReader(in), nil)
		if _, signedErr := Verify(bytes.NewReader(in), testPub); signedErr == nil && err != nil {
			t.Errorf("accepted with a key only: %v", err)
		}
		if (readAll(bytes.NewReader(in)) == nil) != (err == nil) && sum.Seq > 0 {
			t.Errorf("Verify: %v; Read does otherwise", err)
		}
		if err != nil {
			return
		}
		if n := sum.Bytes + int64(sum.Torn); n != int64(len(in)) || sum.Seq != sum.Records+sum.Checkpoints {
			t.Errorf("%+v of %d bytes", sum, len(in))
		}
		lines := split(in[:sum.Bytes])
		var records uint64
		for r, err := range Read(bytes.NewReader(in)) {
			if err != nil {
				t.Fatal(err)
			}
			records++
			if again, err := r.Line(); err != nil || !bytes.Equal(again, lines[r.Seq-1]) {
				t.Errorf("line %d is %s, and %s, %v again", r.Seq, lines[r.Seq-1], again, err)
			}
		}
		if records != sum.Records {
			t.Errorf("%d records, want %d", records, sum.Records)
		}
	})
}
