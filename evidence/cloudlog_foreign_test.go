package evidence

import (
	"strings"
	"testing"
)

// TestLogForeignPayloads: whoever writes something odd into the log spoils what it
// would be of, and hides nobody else's run.
func TestLogForeignPayloads(t *testing.T) {
	good := lines(t, letters(t, "1C0 1A1 1T2 1L3"))
	entry := strings.TrimSpace(string(lines(t, letters(t, "2C0"))))
	with := func(old, value string) string { return strings.Replace(entry, old, value, 1) }
	for name, tc := range map[string]struct{ odd, problem string }{ // "" is that it is no entry of gotpm's
		"two names in another case":     {with(`"logName"`, `"logname":"","logName"`), "of one object"},
		"in the payload":                {with(`"Name"`, `"NAME":"","Name"`), "of one object"},
		"two kinds at once":             {with(`"Name"`, `"quotes":[],"Name"`), "a challenge and a attestation"},
		"three kinds, none of the type": {with(`"Name"`, `"iss":1,"exp":1,"Name"`), "a challenge and a claims"},
		"payload a text":                {with(`"jsonPayload":{`, `"jsonPayload":"","x":{`), ""},
		"another log of that name":      {with(`projects/p/logs/gotpm`, `projects/p/logs/evil/logs/gotpm`), ""},
		"a token and more":              {with(`"Name":"c","Nonce":"`, `"token":"eyJ","more":"`), ""},
	} {
		list, err := groups(strings.NewReader(tc.odd + "\n" + string(good)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		found := 0
		for _, g := range list {
			switch {
			case g.Labels["instance_id"] == "1" && g.problem() == nil:
				found++
			case tc.problem == "" || g.bad[shapeChallenge] == nil || !strings.Contains(g.bad[shapeChallenge].Error(), tc.problem):
				t.Errorf("%s: a group of %v with the problem %v, want %q", name, g.Labels, g.bad, tc.problem)
			}
		}
		if found != 1 || len(list) != 1+min(1, len(tc.problem)) {
			t.Errorf("%s: %d groups, the good one %d times", name, len(list), found)
		}
	}
}
