package secret

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/strictyaml"
)

const fullYAML = `
default: hello
stores:
  files: {dir: files}
  sealed: {age: sealed, identity: /etc/attestctl/identity}
  bao: {vault: "https://bao.example:8200", mount: team/kv, token_file: token, ca_file: ca.pem, field: pw}
  near:
    vault: http://127.0.0.1:8200
    mount: kv
    token_file: token
    insecure_http: true
secrets:
  hello: {plaintext: true, binding: [], reuse: true, content_type: "text/plain; charset=utf-8"}
  db-password: {}
  disk-key:
    store: sealed
    path: disks/root_1
    binding: [nonce, ak]
    policy: builtin:gce-cvm
    config: strict.json
    max_age: 5m
  api: {store: bao, path: "apps/api#key", binding: [key], policy: ../x}
`

func TestDecodeConfig(t *testing.T) {
	c, err := decodeConfig([]byte(strings.Replace(fullYAML, "../x", "policies/x", 1)))
	if err != nil {
		t.Fatal(err)
	}
	want := config{
		Default: "hello",
		Stores: []storeConfig{
			{Name: "files", Kind: "dir", Location: "files"},
			{Name: "sealed", Kind: "age", Location: "sealed", Identity: "/etc/attestctl/identity"},
			{Name: "bao", Kind: "vault", Location: "https://bao.example:8200", Mount: "team/kv", Field: "pw", TokenFile: "token", CAFile: "ca.pem"},
			{Name: "near", Kind: "vault", Location: "http://127.0.0.1:8200", Mount: "kv", TokenFile: "token", InsecureHTTP: true},
		},
		Secrets: []Secret{
			{Name: "api", Store: "bao", Path: "apps/api#key", Binding: []Binding{Key}, Policy: "policies/x", ContentType: "application/octet-stream"},
			{Name: "db-password", Store: "files", Path: "db-password", Binding: []Binding{Key, Nonce}, ContentType: "application/octet-stream"},
			{
				Name: "disk-key", Store: "sealed", Path: "disks/root_1", Binding: []Binding{AK, Nonce}, Policy: "builtin:gce-cvm", Config: "strict.json",
				MaxAge: 5 * time.Minute, ContentType: "application/octet-stream",
			},
			{Name: "hello", Store: "files", Path: "hello", Plaintext: true, Binding: []Binding{}, Reuse: true, ContentType: "text/plain; charset=utf-8"},
		},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("decodeConfig = %+v, want %+v", c, want)
	}
}

// TestConfigRefuses: every problem names the key, and nothing of its value.
func TestConfigRefuses(t *testing.T) {
	const stores = "stores: {files: {dir: files}, bao: {vault: \"https://h\", mount: kv, token_file: t}}\n"
	const secrets = "secrets: {db: {}}\n"
	store := func(fields string) string { return "stores: {s: {" + fields + "}}\n" + secrets }
	with := func(fields string) string { return stores + "secrets: {db: {" + fields + "}}\n" }
	for _, tc := range []struct{ in, want string }{
		{"", "empty"},
		{"# nothing", "empty"},
		{"{}", "empty"},
		{"- a", "sequence was used"},
		{"\xff", "not UTF-8"},
		{"a: b: CANARY", "not allowed in this context"},
		{stores + secrets + "---\n" + stores, "more than one document"},
		{"stores: &a {files: {dir: files}}\n" + secrets, "anchors"},
		{"x: !!str a", "tags"},
		{"%YAML 1.2\n", "directives"},
		{strings.Repeat("[", 100), "nested too deeply"},
		{strings.Repeat("- ", 100), "nested too deeply"},
		{stores + secrets + strings.Repeat("#", strictyaml.MaxSize), "larger than 64 KiB"},
		{stores + stores + secrets, `"stores" already defined`},
		{stores + "secrets: {db: {}, db: {}}", `"db" already defined`},
		{stores + "secrets: {db: {reuse: false, reuse: true}}", `"reuse" already defined`},
		{stores, "secrets: there is none"},
		{secrets, "stores: there is none"},
		{stores + "secrets: {}", "secrets: there is none"},
		{stores + "secrets:", "secrets: is empty, want a map"},
		{stores + "secrets: [db]", "secrets: is a list, want a map"},
		{stores + "secrets: {db: CANARY}", "secrets.db: is text, want a map"},
		{stores + "secrets: {db: }", "secrets.db: is empty, want a map"},
		{stores + "secrets: {1: {}}", "line 2: a key is not text"},
		{stores + "secrets: {0x10: {}}", "line 2: a key is not text"},
		{stores + "secrets: {null: {}}", "line 2: a key is not text"},
		{stores + "secrets: {1.5: {}}", "line 2: a key is not text"},
		{stores + "secrets: {.inf: {}}", "line 2: a key is not text"},
		{stores + "secrets: {[a]: {}}", "line 2: a key is not text"},
		{stores + "secrets: {? {a: b} : {}}", "line 2: a key is not text"},
		{"1: a", "line 1: a key is not text"},
		{stores + "secrets: {true: {}}", "line 2: a key is not text"},
		{stores + secrets + "Default: db", "Default: unknown key"},
		{stores + secrets + "token: CANARY", "token: unknown key"},
		{"Stores: {}", "Stores: unknown key"},
		{stores + secrets + "default: [db]", "default: is a list, want text"},
		{stores + secrets + "default: other", `default: there is no secret "other"`},
		{stores + secrets + "default: db", "default: secret \"db\" cannot answer GET /"},
		{stores + "default: db\nsecrets: {db: {plaintext: true, binding: [nonce]}}", "default: secret \"db\" cannot"},

		{store(""), "stores.s: has no place"},
		{store("mount: kv"), "stores.s: has no place"},
		{store("dir: a, age: b, identity: i"), "stores.s: is both dir and age"},
		{store("dir: a, identity: i"), "stores.s.identity: does not belong to a dir store"},
		{store("dir: a, insecure_http: true"), "stores.s.insecure_http: does not belong"},
		{store("age: a"), "stores.s: identity is missing"},
		{store("vault: \"https://h\", token_file: t"), "stores.s: mount is missing"},
		{store("vault: \"https://h\", mount: kv"), "stores.s: token_file is missing"},
		{store("vault: \"https://h\", mount: kv, token: CANARY"), "stores.s.token: unknown key"},
		{store("vault: \"https://h\", mount: kv, token_file: hvs.CANARY"), "stores.s.token_file: is itself"},
		{store("age: a, identity: AGE-SECRET-KEY-1CANARY"), "stores.s.identity: is itself"},
		{store("vault: \"https://h\", mount: ../sys, token_file: t"), "stores.s.mount: is not a path"},
		{store("vault: \"https://h\", mount: /kv, token_file: t"), "stores.s.mount: is not a path"},
		{store("vault: \"https://h\", mount: \"kv#a\", token_file: t"), "stores.s.mount: is not a path"},
		{store("vault: \"https://h\", mount: kv, token_file: t, field: a/b"), "stores.s.field: is not the name"},
		{store("vault: \"https://h\", mount: kv, token_file: t, insecure_http: true"), "stores.s.insecure_http: belongs to an address with http"},
		{store("vault: \"https://h\", mount: kv, token_file: t, insecure_http: yes"), "stores.s.insecure_http: is text, want a boolean"},
		{store("vault: \"http://127.0.0.1\", mount: kv, token_file: t"), "stores.s.vault: http would show"},
		{store("vault: \"http://127.0.0.1\", mount: kv, token_file: t, insecure_http: false"), "stores.s.vault: http would show"},
		{store("vault: \"http://127.0.0.1\", mount: kv, token_file: t, insecure_http: true, ca_file: c"), "stores.s.ca_file: belongs"},
		{store("vault: \"http://10.0.0.1\", mount: kv, token_file: t, insecure_http: true"), "stores.s.vault: http leads to another machine"},
		{store("vault: \"http://localhost\", mount: kv, token_file: t, insecure_http: true"), "stores.s.vault: http leads to another machine"},
		{store("vault: \"http://127.0.0.1.example\", mount: kv, token_file: t, insecure_http: true"), "stores.s.vault: http leads"},
		{store("dir: ../files"), "stores.s.dir: leaves the folder"},
		{store("dir: a/../../files"), "stores.s.dir: leaves the folder"},
		{store(`dir: 'a\b'`), "stores.s.dir: leaves the folder"},
		{store(`dir: 'c:/x'`), "stores.s.dir: leaves the folder"},
		{store(`dir: ""`), "stores.s.dir: is empty"},
		{store(`dir: "a\0b"`), "stores.s.dir: has a character"},
		{store(`dir: 5`), "stores.s.dir: is a number"},
		{store("dir: " + strings.Repeat("a", 1025)), "stores.s.dir: longer than"},
		{"stores: {S: {dir: a}}\n" + secrets, "stores.S: is not a name"},
		{"stores: {\"\\u0001\\n\": {dir: a}}\n" + secrets, `stores.\x01\n: `},

		{stores + "secrets: {DB: {}}", "secrets.DB: is not a name"},
		{stores + "secrets: {-db: {}}", "secrets.-db: is not a name"},
		{stores + "secrets: {\"\": {}}", "secrets.: is empty"},
		{stores + "secrets: {../db: {}}", "secrets.../db: is not a name"},
		{stores + "secrets: {" + strings.Repeat("a", 65) + ": {}}", "is not a name"},
		{stores + "secrets: {d\u00e4: {}}", "is not a name"},
		{stores + "secrets: {\"1\": {}, '1': {}}", "already defined"},
		{with("value: CANARY"), "secrets.db.value: unknown key"},
		{with("store: other"), `secrets.db.store: there is no store "other"`},
		{with("path: ../CANARY"), "secrets.db.path: is not a path"},
		{with("path: /CANARY"), "secrets.db.path: is not a path"},
		{with("path: a//b"), "secrets.db.path: is not a path"},
		{with("path: a/"), "secrets.db.path: is not a path"},
		{with("path: .hidden"), "secrets.db.path: is not a path"},
		{with("path: a/..b"), "secrets.db.path: is not a path"},
		{with(`path: 'a\b'`), "secrets.db.path: is not a path"},
		{with("path: a%2e"), "secrets.db.path: is not a path"},
		{with(`path: "C4N4RY p\u00e4ssword"`), "secrets.db.path: is not a path"},
		{with("path: " + strings.Repeat("a/", 128) + "a"), "secrets.db.path: is not a path"},
		{with(`path: "a#b"`), "secrets.db.path: names a field, and a dir store has none"},
		{with(`store: bao, path: "a#b#c"`), "secrets.db.path: is not the name of a field"},
		{with(`store: bao, path: "a#"`), "secrets.db.path: is empty"},
		{with(`store: bao, path: "#a"`), "secrets.db.path: is empty"},
		{with("plaintext: \"true\", binding: []"), "secrets.db.plaintext: is text, want a boolean"},
		{with("plaintext: true"), "secrets.db.plaintext: needs to be told"},
		{with("plaintext: true, binding: [key]"), "secrets.db.plaintext: contradicts"},
		{with("plaintext: true, binding: [nonce, ak]"), "secrets.db.plaintext: contradicts"},
		{with("binding: []"), "secrets.db.binding: names no key"},
		{with("binding: [nonce]"), "secrets.db.binding: names no key"},
		{with("binding: key"), "secrets.db.binding: is text, want a list"},
		{with("binding: [key, CANARY]"), "secrets.db.binding: has an entry"},
		{with("binding: [Key]"), "secrets.db.binding: has an entry"},
		{with("binding: [[key]]"), "secrets.db.binding: has an entry"},
		{with("binding: [key, key]"), "secrets.db.binding: has key twice"},
		{with("reuse: true"), "secrets.db.reuse: contradicts"},
		{with("reuse: true, plaintext: true, binding: [nonce]"), "secrets.db.reuse: contradicts"},
		{with("config: c.json"), "secrets.db.config: belongs to a policy"},
		{with("policy: ../p"), "secrets.db.policy: leaves"},
		{with("policy: \"builtin:../p\""), "secrets.db.policy: is not the name"},
		{with("policy: \"builtin:\""), "secrets.db.policy: is not the name"},
		{with("max_age: 60"), "secrets.db.max_age: is not a duration"},
		{with("max_age: CANARY"), "secrets.db.max_age: is not a duration"},
		{with("max_age: \"\""), "secrets.db.max_age: is not a duration"},
		{with("max_age: -5m"), "secrets.db.max_age: is -5m0s, want 1s to 24h0m0s"},
		{with("max_age: 0s"), "secrets.db.max_age: is 0s"},
		{with("max_age: 999ms"), "secrets.db.max_age: is 999ms"},
		{with("max_age: 24h1ns"), "secrets.db.max_age: is 24h"},
		{with("max_age: 9999999999h"), "secrets.db.max_age: is not a duration"},
		{with("content_type: text"), "secrets.db.content_type: is not a content type"},
		{with("content_type: \"text/plain\\r\\nX: CANARY\""), "secrets.db.content_type: has a character"},
		{with("content_type: \"text/plain; a\""), "secrets.db.content_type: is not a content type"},
		{with("content_type: \"text/pl\u00e4in\""), "secrets.db.content_type: is not a content type"},
	} {
		c, err := decodeConfig([]byte(tc.in))
		if !reflect.DeepEqual(c, config{}) {
			t.Errorf("decodeConfig(%.80q) returns something beside an error", tc.in)
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("decodeConfig(%.80q) = %v, want an error with %q", tc.in, err, tc.want)
			continue
		}
		if text := err.Error() + hint.Of(err); strings.Contains(text, "CANARY") || strings.Contains(text, "\n") {
			t.Errorf("decodeConfig(%.80q): the error shows the value, or has lines: %q", tc.in, text)
		}
	}
}

func TestConfigAddresses(t *testing.T) {
	for in, want := range map[string]bool{
		"https://vault.example": true, "https://vault.example:8200": true, "https://vault.example/": true, "https://[2001:db8::1]:8200": true,
		"http://127.0.0.1:8200": true, "http://[::1]:8200": true, "http://127.9.9.9": true,
		"": false, "vault.example": false, "https://": false, "https://:8200": false, "https:///x": false, "//vault.example": false,
		"https://user@vault.example": false, "https://user:CANARY@vault.example": false, "https://vault.example/v1": false, "https://vault.example//": false,
		"https://vault.example?a=b": false, "https://vault.example?": false, "https://vault.example#a": false, "https://vault.example:x": false,
		"HTTPS://vault.example": false, "ftp://vault.example": false, "unix:///run/vault": false, "https://vault.example/%2e": false, "https:vault.example": false,
		"http://[::ffff:10.0.0.1]": false, "http://0.0.0.0": false, "http://127.1": false, "http://2130706433": false, "http://[::]": false,
	} {
		_, err := parseAddress(in)
		if (err == nil) != want {
			t.Errorf("parseAddress(%q) = %v, want it taken: %t", in, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "CANARY") {
			t.Errorf("parseAddress(%q): the error shows the value", in)
		}
	}
}

func TestRequires(t *testing.T) {
	for _, tc := range []struct {
		list           []Binding
		nonce, ak, key bool
	}{
		{nil, false, false, false},
		{[]Binding{Nonce}, true, false, false},
		{[]Binding{Key}, true, false, true},
		{[]Binding{AK}, true, true, true},
	} {
		s := Secret{Binding: tc.list}
		if s.Requires(Nonce) != tc.nonce || s.Requires(AK) != tc.ak || s.Requires(Key) != tc.key {
			t.Errorf("%v: requires nonce %t, ak %t, key %t", tc.list, s.Requires(Nonce), s.Requires(AK), s.Requires(Key))
		}
	}
}

// encode writes a configuration with every key there is.
func (c config) encode() ([]byte, error) {
	m := func(kv ...any) (s yaml.MapSlice) {
		for i := 0; i < len(kv); i += 2 {
			if !reflect.ValueOf(kv[i+1]).IsZero() {
				s = append(s, yaml.MapItem{Key: kv[i], Value: kv[i+1]})
			}
		}
		return s
	}
	var stores, secrets yaml.MapSlice
	for _, s := range c.Stores {
		stores = append(stores, yaml.MapItem{Key: s.Name, Value: m(s.Kind, s.Location, "identity", s.Identity, "mount", s.Mount, "field", s.Field,
			"token_file", s.TokenFile, "ca_file", s.CAFile, "insecure_http", s.InsecureHTTP)})
	}
	for _, s := range c.Secrets {
		age := ""
		if s.MaxAge != 0 {
			age = s.MaxAge.String()
		}
		binding := []string{}
		for _, b := range s.Binding {
			binding = append(binding, string(b))
		}
		secrets = append(secrets, yaml.MapItem{Key: s.Name, Value: m("store", s.Store, "path", s.Path, "plaintext", s.Plaintext, "binding", binding,
			"policy", s.Policy, "config", s.Config, "max_age", age, "reuse", s.Reuse, "content_type", s.ContentType)})
	}
	return yaml.MarshalWithOptions(m("default", c.Default, "stores", stores, "secrets", secrets), yaml.JSON())
}

// check wants of a configuration what the rest of the server relies on.
func (c config) checkPromises() error {
	for _, s := range c.Secrets {
		store := c.store(s.Store)
		switch {
		case store == nil:
			return fmt.Errorf("%s: no store", s.Name)
		case !ValidName(s.Name) || !ValidName(store.Name):
			return fmt.Errorf("%q: not a name", s.Name)
		case strings.Contains(s.Path, "..") && slices.Contains(strings.Split(s.Path, "/"), "..") || strings.HasPrefix(s.Path, "/") || strings.ContainsAny(s.Path, "\\%?\x00\n"):
			return fmt.Errorf("%q: not a path", s.Path)
		case s.Plaintext == s.Requires(Key):
			return fmt.Errorf("%s: plaintext contradicts binding", s.Name)
		case s.MaxAge != 0 && (s.MaxAge < time.Second || s.MaxAge > 24*time.Hour):
			return fmt.Errorf("%s: max_age %v", s.Name, s.MaxAge)
		case strings.HasPrefix(store.Location, "http:") && !store.InsecureHTTP:
			return fmt.Errorf("%s: http", store.Name)
		}
	}
	if len(c.Secrets) == 0 || len(c.Stores) == 0 {
		return errors.New("nothing in it")
	}
	return nil
}

// FuzzConfig: on error nothing else is returned and no line of the input is shown;
// on success the promises hold, and encoding gives what decodes to the same.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(fullYAML))
	f.Add([]byte(strings.Replace(fullYAML, "../x", "policies/x", 1)))
	f.Add([]byte("stores: {files: {dir: files}}\nsecrets: {db: {}}\n"))
	f.Add([]byte("{stores: {f: {dir: '.'}}, secrets: {\"0\": {path: a/b}}}"))
	f.Add([]byte("stores: {v: {vault: 'http://[::1]:1', mount: a/b, token_file: /t, insecure_http: true}}\nsecrets: {a: {path: a#b, binding: [ak], max_age: 1h30m}}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := decodeConfig(in)
		if err != nil {
			if !reflect.DeepEqual(c, config{}) {
				t.Error("an error, and a configuration beside it")
			}
			if strings.ContainsAny(err.Error(), "\n") || len(err.Error()) > 600 {
				t.Errorf("error of %d bytes: %.700q", len(err.Error()), err)
			}
			return
		}
		if err := c.checkPromises(); err != nil {
			t.Error(err)
		}
		out, err := c.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeConfig(out)
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("%s decodes to %+v, %v, want %+v", out, again, err, c)
		}
	})
}
