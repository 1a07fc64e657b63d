package evidence

import (
	"errors"
	"fmt"
	"testing"
)

func TestWholeNumber(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "196608": "196608", "196608.0": "196608", "1.96608e+05": "196608", "1.791244817E+09": "1791244817", "100e-2": "1", "1e0": "1", "0.5e1": "5",
		"9007199254740991": "9007199254740991", "9007199254740992": "rounded", "1.5211807202738753e+19": "rounded", "18446744073709551615": "rounded", "18446744073709552000": "rounded",
		"18446744073709556000": "error", "-1": "error", "-0": "error", "0.5": "error", "1.0000000000000000001": "error", "1e-1": "error", "1e99": "error", "15e-1": "error",
	} {
		n, err := logForm.Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		v, err := wholeNumber(n, maxExact)
		got := fmt.Sprint(v)
		if errors.Is(err, errRounded) {
			got = "rounded"
		} else if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("wholeNumber(%s) = %s, want %s", in, got, want)
		}
	}
}
