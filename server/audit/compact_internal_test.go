package audit

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzCompactText compares with encoding/json: what is compact, it has nothing to
// change about.
func FuzzCompactText(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,-0.5e+3,true,false,null,"\u00e4\n"],"b":{},"c":[]}`, "", " ", "{", `{"a"}`, `{"a":}`, `{"a":1,}`, "[1,]", "[,]", "01", "-", "1.", "1e", "-0",
		`"\x"`, `"\u12"`, "\"\n\"", "\"\x7f\"", `"ä"`, `{} `, `{"a": 1}`, "nul", "truee", "1 2", `{"a":1}{}`, `{"a":1]`, strings.Repeat("[", 200) + strings.Repeat("]", 200),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var b bytes.Buffer
		same := json.Compact(&b, text) == nil && bytes.Equal(b.Bytes(), text) && len(text) > 0 && printable(text)
		got := compactText(text)
		if got && !same {
			t.Errorf("compactText(%q) says yes", text)
		}
		if !got && same && strings.Count(string(text), "[")+strings.Count(string(text), "{") <= maxNesting {
			t.Errorf("compactText(%q) says no", text)
		}
	})
}
