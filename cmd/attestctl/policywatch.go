package main

import "time"

// watchInterval is how often files are looked at.
const watchInterval = 500 * time.Millisecond

// watchFiles runs the tests, and again after each change, until the user ends
// the program.
func (t *policyTest) watchFiles(args []string) error {
	ticks := t.tick(watchInterval)
	for {
		plan, err := t.plan(args)
		if err != nil && plan.folders == nil {
			return err
		}
		before := snapshot(plan.folders)
		if err := t.once(args); err != nil {
			t.sys.fail(err)
		}
		t.sys.say("note", "waiting for a change; Ctrl-C ends")
		if !waitForChange(ticks, before, plan.folders) {
			return nil
		}
	}
}

// waitForChange reports false if the clock has stopped.
func waitForChange(ticks <-chan time.Time, before string, folders []string) bool {
	for range ticks {
		if snapshot(folders) != before {
			return true
		}
	}
	return false
}
