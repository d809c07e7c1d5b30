package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-sesame/sesame/session/internal/line"
)

// Finding is something about a policy, or about the account whose keys it is for, that the account's owner
// should know before granting or keeping it.
type Finding struct {
	// Leaf is the position of the policy in what was given to [Lint], the leaf's position where a session was
	// looked at. It is [NoLeaf] for what is about the account.
	Leaf int
	// Session is the ID of the session whose policy it is, filled in by package session; empty where only the
	// policy was judged.
	Session string
	// Rule is the position in the policy's Rules, from 0, or [NoRule].
	Rule     int
	Code     FindingCode
	Severity Severity
	// Message is one sentence for people.
	Message string
}

// NoLeaf is the Leaf of a [Finding] that is not about one policy.
const NoLeaf = -1

// String returns the finding in one line.
func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s (%s)", f.name(), f.Severity, f.Message, f.Code)
}

func (f Finding) name() string {
	switch {
	case f.Session != "":
		return line.Text(f.Session)
	case f.Leaf == NoLeaf:
		return "account"
	}
	return fmt.Sprintf("leaf %d", f.Leaf)
}

// Severity is how much a [Finding] matters.
type Severity uint8

const (
	// SeverityNote is worth knowing.
	SeverityNote Severity = iota + 1
	// SeverityWarning allows more than is usually meant, or never works.
	SeverityWarning
	// SeverityDanger puts the account or its tokens into the hands of the key.
	SeverityDanger
)

// String returns the severity in lower case.
func (s Severity) String() string {
	switch s {
	case SeverityNote:
		return "note"
	case SeverityWarning:
		return "warning"
	case SeverityDanger:
		return "danger"
	}
	return fmt.Sprintf("severity %d", uint8(s))
}

// FindingCode names a kind of [Finding] for programs.
type FindingCode string

// The kinds of findings.
const (
	// FindingNoEnd: the leaf never ends, or not in our time.
	FindingNoEnd FindingCode = "no-end"
	// FindingNoRules: all arguments are allowed.
	FindingNoRules FindingCode = "no-rules"
	// FindingUnlimited: the value or amount has no limit worth the name.
	FindingUnlimited FindingCode = "unlimited"
	// FindingGuard: the account itself may be called, or a contract that keeps its keys or its money.
	FindingGuard FindingCode = "calls-guard"
	// FindingPrivileged: the function moves ownership, modules or code.
	FindingPrivileged FindingCode = "privileged-function"
	// FindingOpenTo: tokens or allowances may go to anyone, because no rule says to whom.
	FindingOpenTo FindingCode = "open-recipient"
	// FindingAnySelector: the ERC-20 module does not look at the function.
	FindingAnySelector FindingCode = "any-selector"
	// FindingDuplicate: another leaf is the same, so that revoking one of them revokes nothing.
	FindingDuplicate FindingCode = "duplicate"
	// FindingNeverHolds: no call ever passes, or not in our time.
	FindingNeverHolds FindingCode = "never-holds"
	// FindingPastEnd: a rule looks behind the function's arguments.
	FindingPastEnd FindingCode = "past-end"
	// FindingLayout: a rule leaves more to the caller than it seems to: how arguments are encoded, how many
	// elements there are, or bits that a type does not have.
	FindingLayout FindingCode = "layout"
	// FindingOffset: a rule is on the offset of a dynamic argument, and not on the argument.
	FindingOffset FindingCode = "offset-rule"
	// FindingNoCode: there is no contract where one is to be called.
	FindingNoCode FindingCode = "no-code"
	// FindingGas: the key can spend what the account holds as gas, whatever its policy says.
	FindingGas FindingCode = "spends-gas"
	// FindingRouter: the batched session router is enabled, and with it anybody can spend what the account
	// holds as gas.
	FindingRouter FindingCode = "open-router"
	// FindingSigned: a rule orders signed numbers, which the contract takes as unsigned.
	FindingSigned FindingCode = "signed-order"
	// FindingKey: the leaf belongs to another key than its data says.
	FindingKey FindingCode = "key-mismatch"
	// FindingTrailing: the data has bytes that nothing reads.
	FindingTrailing FindingCode = "trailing-data"
	// FindingUnknownModule: what the module allows is not known here.
	FindingUnknownModule FindingCode = "unknown-module"
)

// DangerError means that policies were refused for what [Lint] found in them.
type DangerError struct {
	// Findings are all of [SeverityDanger] and not allowed.
	Findings []Finding
}

// Error lists the findings.
func (e *DangerError) Error() string {
	texts := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		texts[i] = fmt.Sprintf("%s: %s (%s)", f.name(), f.Message, f.Code)
	}
	return "refused as a danger: " + strings.Join(texts, "; ")
}

// CheckDanger returns a [*DangerError] with the findings of [SeverityDanger] whose code is not allowed, and
// nil where there are none.
func CheckDanger(findings []Finding, allowed ...FindingCode) error {
	var refused []Finding
	for _, f := range findings {
		if f.Severity == SeverityDanger && !slices.Contains(allowed, f.Code) {
			refused = append(refused, f)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return &DangerError{Findings: refused}
}
