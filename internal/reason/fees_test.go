package reason_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/reason"
	"github.com/go-sesame/sesame/userop"
)

// What a service says of fees counts, and not what the text of the error advises.
func TestFeesTooLow(t *testing.T) {
	for name, test := range map[string]struct {
		answer reason.Answer
		fees   bool
	}{
		"Biconomy's code for tips":   {reason.Answer{Code: -32006}, true},
		"Biconomy's code for fees":   {reason.Answer{Code: -32007}, true},
		"Rundler's precheck":         {reason.Answer{Code: -32602, Message: "maxFeePerGas must be at least 500 (current maxFeePerGas: 10)"}, true},
		"a node's words":             {reason.Answer{Code: -32000, Message: "replacement transaction underpriced"}, true},
		"below the base fee":         {reason.Answer{Code: -32602, Message: "max fee per gas less than block base fee"}, true},
		"a limit that is too low":    {reason.Answer{Code: -32602, Message: "preVerificationGas is too low: it has to be at least 50000"}, false},
		"the EntryPoint's own words": {reason.Answer{Code: -32500, Message: "AA94 gas values overflow", AA: &userop.AAError{Code: "AA94"}}, false},
		"something else":             {reason.Answer{Code: -32504, Message: "throttled"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.fees, test.answer.FeesTooLow(), test.answer.Text("bundler"))
		})
	}
}
