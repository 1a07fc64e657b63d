package policy

import (
	"context"
	"time"
)

// PartialDeadline is what Conditions gives each rule.
const PartialDeadline = partialDeadline

// ConditionsWithin is Conditions with another time for each rule.
func ConditionsWithin(ctx context.Context, p *Policy, deadline time.Duration) ([]Condition, error) {
	return p.conditions(ctx, deadline)
}
