package policy

import (
	"fmt"
	"strings"

	"github.com/go-sesame/sesame/session/internal/line"
)

// NoRule is the Rule of a [Violation] that is not about one of the policy's rules.
const NoRule = -1

// Violation is a call that a policy does not allow. The session validation module would revert on it, so
// nothing was signed or sent.
type Violation struct {
	// Session is the ID of the session whose policy it is, filled in by package session; empty where only the
	// policy was judged.
	Session string
	// Rule is the position in the policy's Rules, from 0, or [NoRule].
	Rule int
	// Arg names what was judged: the argument of a rule where the function is known, otherwise "contract",
	// "selector", "value", "recipient" or "amount". It is empty for calldata that cannot be read.
	Arg string
	// Condition had to hold between Got and Want.
	Condition Condition
	// Got is what the call has and Want what the policy allows, as text in the argument's type. Values are in
	// wei, amounts in the token's smallest unit.
	Got, Want string
	// Problem says in words what Got and Want cannot.
	Problem string
	// Reason is what the contract reverts with, such as "ABISV Arg Rule Violated"; empty when it reverts
	// without a reason.
	Reason string
}

// Error says which session and rule forbid the call, and what the contract would say.
func (v *Violation) Error() string {
	var b strings.Builder
	if v.Session == "" {
		b.WriteString("session leaf: ")
	} else {
		b.WriteString("session " + line.Text(v.Session) + ": ")
	}
	switch {
	case v.Rule != NoRule && v.Arg != "":
		fmt.Fprintf(&b, "rule %d (%s): ", v.Rule, v.Arg)
	case v.Rule != NoRule:
		fmt.Fprintf(&b, "rule %d: ", v.Rule)
	case v.Arg != "":
		b.WriteString(v.Arg + ": ")
	}
	if v.Problem != "" {
		b.WriteString(v.Problem)
	} else {
		fmt.Fprintf(&b, "%s must be %s %s", v.Got, v.Condition, v.Want)
	}
	if v.Reason == "" {
		b.WriteString(" (the contract would revert without a reason)")
	} else {
		b.WriteString(" (the contract would say: " + v.Reason + ")")
	}
	return b.String()
}

// orNil keeps a nil Violation from becoming an error that is not nil.
func (v *Violation) orNil() error {
	if v == nil {
		return nil
	}
	return v
}

// mismatch is a call that has got where the policy wants another value.
func mismatch(arg string, condition Condition, got, want, reason string) *Violation {
	return &Violation{Rule: NoRule, Arg: arg, Condition: condition, Got: got, Want: want, Reason: reason}
}

// unreadable is something that the contract cannot decode: it reverts without a reason.
func unreadable(format string, args ...any) *Violation {
	return &Violation{Rule: NoRule, Problem: fmt.Sprintf(format, args...)}
}

func ruleViolation(rule int, arg, problem string) *Violation {
	return &Violation{Rule: rule, Arg: arg, Problem: problem}
}
