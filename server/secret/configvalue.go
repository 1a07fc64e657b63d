package secret

import (
	"errors"
	"fmt"
	"mime"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/attestctl/attestctl/internal/hint"
)

const (
	defaultContentType = "application/octet-stream"
	builtinPrefix      = "builtin:"

	maxName = 64   // characters of a name, and of a part of a path
	maxPath = 256  // characters of a path in a store
	maxText = 1024 // bytes of any other text

	minMaxAge = time.Second
	maxMaxAge = 24 * time.Hour
)

// The values are not quoted in errors: somebody may have written the secret where
// its path belongs. The path of the key says where to look.

func parseText(value any) (string, error) {
	s, ok := value.(string)
	switch {
	case !ok:
		return "", fmt.Errorf("is %s, want text", typeOf(value))
	case s == "":
		return "", errors.New("is empty")
	case len(s) > maxText:
		return "", fmt.Errorf("longer than %d bytes", maxText)
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", errors.New("has a character that cannot be printed")
	}
	return s, nil
}

func parseBool(value any) (bool, error) {
	b, ok := value.(bool)
	if !ok {
		return false, hint.New(fmt.Errorf("is %s, want a boolean", typeOf(value)), "true or false, without quotes")
	}
	return b, nil
}

const (
	lowerDigits = "abcdefghijklmnopqrstuvwxyz0123456789"
	alphanum    = lowerDigits + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// isWord reports whether s has only the characters of first and more, and one of
// first at the beginning.
func isWord(s, first, more string) bool {
	return s != "" && len(s) <= maxName && strings.Contains(first, s[:1]) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(first+more, r) })
}

// ValidName reports whether s can be the name of a secret: a to z, 0 to 9 and
// hyphens, not a hyphen first, 64 at the most.
func ValidName(s string) bool { return isWord(s, lowerDigits, "-") }

func parseName(value any) (string, error) {
	s, err := parseText(value)
	if err == nil && !ValidName(s) {
		err = hint.New(errors.New("is not a name"), fmt.Sprintf("want a-z, 0-9 and hyphens, not a hyphen first, at most %d", maxName))
	}
	return s, err
}

func parseField(value any) (string, error) {
	s, err := parseText(value)
	if err == nil && !isWord(s, alphanum, "._-") {
		err = hint.New(errors.New("is not the name of a field"), fmt.Sprintf("want letters, digits and ._- , at most %d", maxName))
	}
	return s, err
}

// parsePath reads a path in a store: names with slashes between them. No name
// begins with a point, so that none leads up.
func parsePath(value any) (string, error) {
	s, err := parseText(value)
	if err != nil {
		return "", err
	}
	for part := range strings.SplitSeq(s, "/") {
		if len(s) > maxPath || !isWord(part, alphanum+"_", ".-") {
			return "", hint.New(errors.New("is not a path in a store"),
				fmt.Sprintf("want names of letters, digits and ._- with slashes between them, at most %d characters", maxPath))
		}
	}
	return s, nil
}

// parseFieldPath reads a path that may end in #FIELD.
func parseFieldPath(value any) (string, error) {
	s, err := parseText(value)
	if err != nil {
		return "", err
	}
	path, field, named := strings.Cut(s, "#")
	if _, err := parsePath(path); err != nil {
		return "", err
	}
	if named {
		if _, err := parseField(field); err != nil {
			return "", err
		}
	}
	return s, nil
}

// parseFile reads the path of a file or folder on this machine.
func parseFile(value any) (string, error) {
	s, err := parseText(value)
	switch {
	case err != nil:
		return "", err
	case slices.ContainsFunc([]string{"AGE-SECRET-KEY-", "hvs.", "hvb.", "hvr."}, func(p string) bool { return strings.HasPrefix(s, p) }):
		return "", hint.New(errors.New("is itself what it should be the path of"), "write it to a file with mode 600, and its path here; count it as disclosed")
	case filepath.IsAbs(s):
		return filepath.Clean(s), nil
	case strings.ContainsAny(s, `\:`) || !filepath.IsLocal(s):
		return "", hint.New(errors.New("leaves the folder of "+ConfigFile), "name it by an absolute path, or by one below that folder, with slashes")
	}
	return s, nil
}

// parsePolicy reads builtin:NAME or a path.
func parsePolicy(value any) (string, error) {
	s, err := parseText(value)
	if err != nil {
		return "", err
	}
	name, ok := strings.CutPrefix(s, builtinPrefix)
	if !ok {
		return parseFile(s)
	}
	if !ValidName(name) {
		return "", errors.New("is not the name of a policy that ships with attestctl")
	}
	return s, nil
}

func parseBindings(value any) ([]Binding, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, hint.New(fmt.Errorf("is %s, want a list", typeOf(value)), "binding: [key]")
	}
	bindings := []Binding{}
	for _, item := range list {
		s, _ := item.(string)
		b := Binding(s)
		if !slices.Contains([]Binding{Nonce, AK, Key}, b) {
			return nil, hint.New(errors.New("has an entry that is not a binding"), "there are nonce, ak and key")
		}
		if slices.Contains(bindings, b) {
			return nil, fmt.Errorf("has %s twice", b)
		}
		bindings = append(bindings, b)
	}
	slices.Sort(bindings)
	return bindings, nil
}

func parseMaxAge(value any) (time.Duration, error) {
	s, ok := value.(string)
	d, err := time.ParseDuration(s)
	switch {
	case !ok || err != nil:
		return 0, hint.New(errors.New("is not a duration"), "write it with a unit: 90s, 5m, 1h")
	case d < minMaxAge || d > maxMaxAge:
		return 0, fmt.Errorf("is %v, want %v to %v", d, minMaxAge, maxMaxAge)
	}
	return d, nil
}

func parseContentType(value any) (string, error) {
	s, err := parseText(value)
	if err != nil {
		return "", err
	}
	if _, _, err := mime.ParseMediaType(s); err != nil || !strings.Contains(s, "/") ||
		strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) {
		return "", hint.New(errors.New("is not a content type"), "text/plain; charset=utf-8 is one")
	}
	return s, nil
}

// parseAddress reads the address of a server: scheme and host. One with http has
// to be on this machine, by number: a name may lead anywhere.
func parseAddress(value any) (string, error) {
	s, err := parseText(value)
	if err != nil {
		return "", err
	}
	bad := hint.New(errors.New("is not the address of a server"), "want https://HOST or https://HOST:PORT, and nothing after it")
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || s != u.Scheme+"://"+u.Host && s != u.Scheme+"://"+u.Host+"/" {
		return "", bad
	}
	switch u.Scheme {
	case "https":
		return s, nil
	case "http":
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsLoopback() {
			return s, nil
		}
		return "", hint.New(errors.New("http leads to another machine"), "use https; http is for 127.0.0.1 and [::1] only")
	default:
		return "", bad
	}
}
