package main

import (
	"strings"
	"testing"
)

// TestPolicyHelp wants every command below policy in a group of its help, with a
// line that says what it does and an example.
func TestPolicyHelp(t *testing.T) {
	c := newPolicy(testSystem())
	for _, sub := range c.Commands() {
		if sub.GroupID == "" || sub.Short == "" || strings.Contains(sub.Short, "\n") {
			t.Errorf("%s: group %q, %q", sub.Name(), sub.GroupID, sub.Short)
		}
		if !strings.Contains(c.Example, "attestctl policy "+sub.Name()+" ") {
			t.Errorf("%s is in no example of policy --help", sub.Name())
		}
		if !strings.Contains(sub.Example, "attestctl policy "+sub.Name()) {
			t.Errorf("%s has no example of its own", sub.Name())
		}
	}
}
