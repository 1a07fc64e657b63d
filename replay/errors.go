package replay

import "fmt"

// ParseError says where a log stops being one.
type ParseError struct {
	Event  int    // number of the event or record, from 0; -1 for the header or the log as a whole
	Offset int    // bytes from the start of the log
	Text   string // what was expected and what was seen
}

// Error returns one line with the event, the byte offset and the reason.
func (e *ParseError) Error() string {
	if e.Event < 0 {
		return fmt.Sprintf("byte %d: %s", e.Offset, e.Text)
	}
	return fmt.Sprintf("event %d at byte %d: %s", e.Event, e.Offset, e.Text)
}

// Finding is a reason not to believe a log whose replay was right. One finding
// is enough for the check eventlog.semantics (or cel.cos) to fail.
type Finding struct {
	Event int    // number of the event or record, from 0; -1 when something is missing from the log
	PCR   int    // -1 when no single PCR is meant
	Text  string // lower case, without the event's number
}

// String returns one line for a person.
func (f Finding) String() string {
	switch {
	case f.Event >= 0:
		return fmt.Sprintf("event %d, PCR %d: %s", f.Event, f.PCR, f.Text)
	case f.PCR >= 0:
		return fmt.Sprintf("PCR %d: %s", f.PCR, f.Text)
	default:
		return f.Text
	}
}
