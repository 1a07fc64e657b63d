package report

import (
	"strings"
	"testing"

	"github.com/attestctl/attestctl/internal/forge"
)

func TestDescribe(t *testing.T) {
	wide := func(s string) []byte {
		var b []byte
		for _, c := range []byte(s) {
			b = append(b, c, 0)
		}
		return b
	}
	for _, test := range []struct {
		name string
		data []byte
		want string
	}{
		{"text", []byte("grub_cmd: set default=0\x00"), "grub_cmd: set default=0"},
		{"UTF-16", append(wide("GCE Virtual Firmware v2"), 0, 0), "GCE Virtual Firmware v2"},
		{"variable", forge.Variable(forge.GlobalVariable(), "SecureBoot", []byte{1}), "variable SecureBoot"},
		{"bytes", []byte{0, 0, 0, 0}, "00 00 00 00"},
		{"empty", nil, ""},
		{"many bytes", make([]byte, 300), "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00… (300 bytes)"},
		{"hostile text", []byte("kernel_cmdline: quiet \x1b[2J"), "kernel_cmdline: quiet \x1b[2J"},
		{"long text", []byte(strings.Repeat("a", 500)), strings.Repeat("a", maxDescription-1) + "…"},
		{"invalid UTF-8", []byte("text\xff\xfe\xfdx"), "74 65 78 74 ff fe fd 78"},
		{
			"length beyond the data", append(make([]byte, 16), []byte("\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x7f")...),
			"00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00… (32 bytes)",
		},
	} {
		if got := describe(test.data); got != test.want {
			t.Errorf("%s: describe = %q, want %q", test.name, got, test.want)
		}
	}
}
