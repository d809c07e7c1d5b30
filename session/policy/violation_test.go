package policy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session/policy"
)

// An ID that a store should not have taken acts on no terminal.
func TestAnIDIsPrintedAsOneLine(t *testing.T) {
	const id, quoted = "a\x1b[2J\n", `"a\x1b[2J\n"`
	finding := policy.Finding{Session: id, Severity: policy.SeverityDanger, Message: "it is one", Code: "test"}
	require.Equal(t, quoted+": danger: it is one (test)", finding.String())
	require.EqualError(t, policy.CheckDanger([]policy.Finding{finding}), "refused as a danger: "+quoted+": it is one (test)")
	require.EqualError(t, &policy.Violation{Session: id, Rule: policy.NoRule, Problem: "no"}, "session "+quoted+": no (the contract would revert without a reason)")
}
