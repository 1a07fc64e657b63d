package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/attestctl/attestctl/server/secret"
)

const canary = "CANARY-7f3a"

// shows reports whether text holds the canary in one of the ways in which bytes
// are printed.
func shows(text string) bool {
	text = strings.ToLower(text)
	numbers := strings.Trim(fmt.Sprintf("%d", []byte(canary)), "[]")
	for _, form := range []string{canary, numbers, fmt.Sprintf("%x", canary), strings.Trim(fmt.Sprintf("%#v", []byte(canary)), "[]byte{}")} {
		if strings.Contains(text, strings.ToLower(form)) {
			return true
		}
	}
	return false
}

func TestValueIsRedacted(t *testing.T) {
	v := secret.NewValue([]byte(canary))
	type holder struct {
		V      secret.Value
		P      *secret.Value
		hidden secret.Value
		p      *secret.Value
		any    any
	}
	held := holder{*v, v, *v, v, v}
	for verb := 'A'; verb <= 'z'; verb++ {
		for _, flags := range []string{"", "+", "#", "-9", "09", ".2", " "} {
			format := "%" + flags + string(verb)
			for _, x := range []any{v, *v} {
				got := fmt.Sprintf(format, x)
				if strings.ContainsRune("Tpw[", verb) && !shows(got) {
					continue // these print a type, an address or nothing, whatever it is
				}
				if got != "[redacted]" {
					t.Errorf("Sprintf(%q, %T) = %q, want [redacted]", format, x, got)
				}
			}
			for _, x := range []any{held, struct{ h holder }{held}, []holder{held}, &held, []any{v}, map[string]secret.Value{"a": *v}, fmt.Errorf("x: %v", v)} {
				if got := fmt.Sprintf(format, x); shows(got) {
					t.Errorf("Sprintf(%q, %T) = %q, shows the secret", format, x, got)
				}
			}
		}
	}
	if got := v.String() + v.GoString() + fmt.Sprint(v) + fmt.Sprintln(*v); got != strings.Repeat("[redacted]", 4)+"\n" {
		t.Errorf("printed: %q", got)
	}
}

func TestValueIsNotEncoded(t *testing.T) {
	v := secret.NewValue([]byte(canary))
	var out bytes.Buffer
	type pointed struct{ V *secret.Value }
	type plain struct{ V secret.Value }
	for name, encode := range map[string]func(any) error{
		"json": func(x any) error { return json.NewEncoder(&out).Encode(x) },
		"xml":  func(x any) error { return xml.NewEncoder(&out).Encode(x) },
		"yaml": func(x any) error { return yaml.NewEncoder(&out).Encode(x) },
		"text": func(x any) error {
			slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", x)
			return nil
		},
		"slog json": func(x any) error {
			slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", x, slog.Group("g", "w", x))
			return nil
		},
	} {
		for _, x := range []any{v, *v, pointed{v}, plain{*v}} {
			out.Reset()
			if err := encode(x); err != nil {
				t.Errorf("%s of %T: %v", name, x, err)
			}
			if got := out.String(); shows(got) || !strings.Contains(got, "[redacted]") {
				t.Errorf("%s of %T = %q, want [redacted]", name, x, got)
			}
		}
	}
	out.Reset()
	if err := gob.NewEncoder(&out).Encode(v); err == nil || shows(out.String()) {
		t.Errorf("gob = %v, want an error", err)
	}
	if err := errors.Join(fmt.Errorf("a: %s", v)); shows(err.Error()) {
		t.Errorf("error shows the secret: %v", err)
	}
}

func TestValueClose(t *testing.T) {
	data := []byte(canary + canary)
	whole := data
	v := secret.NewValue(data[:len(canary)])
	copied := *v
	if got := string(v.Bytes()); got != canary {
		t.Fatalf("Bytes() = %q, want %q", got, canary)
	}
	v.Close()
	v.Close()
	if v.Bytes() != nil || copied.Bytes() != nil {
		t.Error("bytes are left after Close")
	}
	if !bytes.Equal(whole, make([]byte, len(whole))) {
		t.Error("Close has not zeroed all of the buffer")
	}
	var none *secret.Value
	none.Close()
	if none.Bytes() != nil || new(secret.Value).Bytes() != nil {
		t.Error("a Value of nothing has bytes")
	}
}
