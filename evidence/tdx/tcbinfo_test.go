package tdx_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/tdx"
)

func TestParseTCBInfoRefuses(t *testing.T) {
	m := newMint(t)
	valid := string(m.sign(t, "tcbInfo", m.tcbInfo()))
	text := func(old, with string) string { return string(swap(t, []byte(valid), old, with)) }
	changed := func(edit func(doc)) string { return string(m.sign(t, "tcbInfo", edited(m.tcbInfo(), edit))) }
	deep := strings.Repeat("[", 20) + strings.Repeat("]", 20)
	for _, tc := range []struct{ name, in, want string }{
		{"empty", "", "missing"},
		{"too large", strings.Repeat(" ", tdx.MaxCollateralFile) + valid, "at most"},
		{"array", "[]", "not an object"},
		{"cut", valid[:len(valid)-1], "comma or the end of the object"},
		{"two documents", valid + valid, "bytes after the object"},
		{"byte order mark", "\ufeff" + valid, "want a json value"},
		{"third member", text(`{"tcbInfo"`, `{"x":1,"tcbInfo"`), `member "x"`},
		{"case confusion behind", text(`,"signature"`, `,"TCBINFO":{},"signature"`), `members "tcbInfo" and "TCBINFO"`},
		{"case confusion before", text(`{"tcbInfo"`, `{"TCBINFO":{},"tcbInfo"`), `members "TCBINFO" and "tcbInfo"`},
		{"name in another case", text(`"tcbInfo"`, `"tcbinfo"`), `member "tcbinfo"`},
		{"name with an escape", text(`"tcbInfo"`, `"\u0074cbInfo"`), "without escapes"},
		{"signature twice", text(`,"signature"`, `,"signature":"00","signature"`), `members "signature" and "signature"`},
		{"no signature", text(`,"signature"`, `,"signatur"`), `member "signatur"`},
		{"signature alone", `{"signature":"` + strings.Repeat("00", 64) + `"}`, "tcbInfo is missing"},
		{"short signature", text(`"signature":"`, `"signature":"00`), "want 64 bytes in hex"},
		{"duplicate inside", text(`"id":"TDX"`, `"id":"TDX","id":"TDX"`), `members "id" and "id"`},
		{"duplicate inside, other case", text(`"id":"TDX"`, `"id":"TDX","Id":"SGX"`), `members "id" and "Id"`},
		{"duplicate in an unknown member", text(`"id":"TDX"`, `"id":"TDX","new":{"a":1,"A":2}`), `members "a" and "A"`},
		{"null", text(`"id":"TDX"`, `"id":null`), "another type"},
		{"float", text(`"version":3`, `"version":3.0`), "comma or the end"},
		{"exponent", text(`"version":3`, `"version":3e0`), "comma or the end"},
		{"negative", text(`"version":3`, `"version":-3`), "want a json value"},
		{"leading zero", text(`"version":3`, `"version":03`), "leading zero"},
		{"large number", text(`"version":3`, `"version":99999999999`), "11 characters"},
		{"number too large", changed(set("tcbEvaluationDataNumber", 1<<31)), "at most 2147483647"},
		{"too deep", text(`"version":3`, `"new":`+deep+`,"version":3`), "levels"},
		{"too many values", text(`"version":3`, `"new":[`+strings.Repeat("0,", 40000)+`0],"version":3`), "values"},
		{"too many members", text(`"version":3`, manyMembers()+`"version":3`), "more than 64 members"},
		{"not ascii", text(`"OS/VMM"`, `"Ö"`), "printable ascii"},
		{"time with an offset", changed(set("issueDate", "2026-02-28T12:00:00+00:00")), "want a time"},
		{"tcb type", changed(set("tcbType", 1)), "tcbInfo.tcbType is 1, at most 0"},
		{"fmspc of 5 bytes", changed(set("fmspc", "00806f0500")), "want 6 bytes in hex"},
		{"fmspc not hex", changed(set("fmspc", "00806f0500zz")), "want 6 bytes in hex"},
		{"no module", changed(func(d doc) { delete(d, "tdxModule") }), "tcbInfo.tdxModule is missing"},
		{"no levels", changed(func(d doc) { delete(d, "tcbLevels") }), "tcbInfo.tcbLevels is missing"},
		{"level is no object", changed(set("tcbLevels", list(1))), "tcbInfo.tcbLevels[0] is no object"},
		{"no date", changed(func(d doc) { delete(levelOf(d), "tcbDate") }), "tcbDate is missing"},
		{"no status", changed(func(d doc) { delete(levelOf(d), "tcbStatus") }), "tcbStatus is missing"},
		{"no pcesvn", changed(func(d doc) { delete(tcbOf(levelOf(d)), "pcesvn") }), "pcesvn is missing"},
		{"svn of 256", changed(func(d doc) { items(tcbOf(levelOf(d))["sgxtcbcomponents"])[0] = doc{"svn": 256} }), "svn is 256"},
		{"no svn", changed(func(d doc) { items(tcbOf(levelOf(d))["sgxtcbcomponents"])[0] = doc{} }), "svn is missing"},
		{"15 components", changed(func(d doc) {
			tcb := tcbOf(levelOf(d))
			tcb["tdxtcbcomponents"] = items(tcb["tdxtcbcomponents"])[:15]
		}), "has 15 items, want 16"},
		{"advisory is no string", changed(func(d doc) { levelOf(d)["advisoryIDs"] = list(1) }), "no string"},
		{"advisories are no array", changed(func(d doc) { levelOf(d)["advisoryIDs"] = "x" }), "another type"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			info, err := tdx.ParseTCBInfo([]byte(tc.in))
			checkErr(t, "ParseTCBInfo", err, tc.want)
			if info != nil {
				t.Error("a value beside an error")
			}
		})
	}
}

func manyMembers() string {
	var b strings.Builder
	for i := range 70 {
		b.WriteString(`"m` + strings.Repeat("x", i) + `":1,`)
	}
	return b.String()
}

// Intel may add members to what it signs; what is signed is kept to the byte.
func TestParseTCBInfo(t *testing.T) {
	m := newMint(t)
	raw := m.sign(t, "tcbInfo", edited(m.tcbInfo(), set("new", doc{"a": list(true, false, nil, "b", 1)})))
	raw = swap(t, raw, `,"signature"`, "\n , \"signature\"")
	info, err := tdx.ParseTCBInfo(raw)
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		TCBInfo json.RawMessage `json:"tcbInfo"`
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	if string(info.Signed) != string(want.TCBInfo) {
		t.Errorf("Signed = %s, want %s", info.Signed, want.TCBInfo)
	}
	if info.FMSPC != m.ext.FMSPC || info.TCBEvaluationDataNumber != 18 || !info.Issued.Equal(mintTime.AddDate(0, 0, -1)) || !info.NextUpdate.Equal(mintTime.AddDate(0, 0, 29)) {
		t.Errorf("ParseTCBInfo = %+v", info)
	}
}

func TestParseQEIdentityRefuses(t *testing.T) {
	m := newMint(t)
	for _, name := range []string{"id", "version", "issueDate", "nextUpdate", "tcbEvaluationDataNumber", "miscselect", "miscselectMask", "attributes", "attributesMask", "mrsigner", "isvprodid", "tcbLevels"} {
		t.Run("no "+name, func(t *testing.T) {
			id, err := tdx.ParseQEIdentity(m.sign(t, "enclaveIdentity", edited(m.qeIdentity(), func(d doc) { delete(d, name) })))
			checkErr(t, "ParseQEIdentity", err, "enclaveIdentity."+name+" is missing")
			if id != nil {
				t.Error("a value beside an error")
			}
		})
	}
	_, err := tdx.ParseQEIdentity(m.sign(t, "tcbInfo", m.tcbInfo()))
	checkErr(t, "ParseQEIdentity of tcb info", err, `member "tcbInfo"`)
}
