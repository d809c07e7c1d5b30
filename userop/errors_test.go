package userop_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

func TestParseAA(t *testing.T) {
	for _, c := range []struct{ text, code, reason string }{
		{"AA25 invalid account nonce", "AA25", "invalid account nonce"},
		{"UserOperation reverted during simulation with reason: AA21 didn't pay prefund", "AA21", "didn't pay prefund"},
		{`FailedOp(0,"AA23 reverted (or OOG)")`, "AA23", "reverted (or OOG)"},
		{"FailedOp(0, AA24 signature error)", "AA24", "signature error"},
		{"AA23 reverted: ABISV Arg Rule Violated", "AA23", "reverted: ABISV Arg Rule Violated"},
		{`{"reason":"AA31 paymaster deposit too low","opIndex":0}`, "AA31", "paymaster deposit too low"},
		{`{\"reason\":\"AA22 expired or not due\"}`, "AA22", "expired or not due"},
		{"AA33 reverted: \nsecond line", "AA33", "reverted"},
		{"AA33 reverted\x1b[31m", "AA33", "reverted"},
		{"AA33 reverted\u202eevil", "AA33", "reverted"},
		{"code AA10", "AA10", ""},
		{"AA40: over verificationGasLimit.", "AA40", "over verificationGasLimit"},
		{"AA23 reverted: " + strings.Repeat("é", 1000), "AA23", "reverted: " + strings.Repeat("é", 250)},
	} {
		got, ok := userop.ParseAA(c.text)
		require.True(t, ok, c.text)
		require.Equal(t, &userop.AAError{Code: c.code, Reason: c.reason}, got)
	}
	for _, text := range []string{"", "execution reverted", "0xAA23", "AA", "AA2", "AA233", "aa23", "BAA23"} {
		_, ok := userop.ParseAA(text)
		require.False(t, ok, text)
	}
}

func TestAAErrorText(t *testing.T) {
	wrapped := fmt.Errorf("send: %w", &userop.AAError{Code: "AA25", Reason: "invalid account nonce"})
	require.EqualError(t, wrapped, "send: AA25 invalid account nonce: the nonce was used already or skips one; read the account's nonce again and build a new operation")
	var aa *userop.AAError
	require.True(t, errors.As(wrapped, &aa))
	require.Equal(t, "AA25", aa.Code)
	require.EqualError(t, &userop.AAError{Code: "AA77", Reason: "something new"}, "AA77 something new")
	require.EqualError(t, &userop.AAError{Code: "AA77"}, "AA77")
}

// Every code of EntryPoint v0.6 is explained, with the way out after a semicolon.
func TestEveryAACodeIsExplained(t *testing.T) {
	for _, code := range strings.Fields("AA10 AA13 AA14 AA15 AA20 AA21 AA22 AA23 AA24 AA25 AA26 AA30 AA31 AA32 AA33 AA34 AA36 AA40 AA41 AA50 AA51 AA90 AA91 AA92 AA93 AA94 AA95 AA96") {
		help := (&userop.AAError{Code: code}).Help()
		require.NotEmpty(t, help, code)
		require.Regexp(t, regexp.MustCompile(`^(the|an|a|paymasterAndData|verificationGasLimit) .*[;,] .*`), help, code)
	}
}

// The words are Alto's: its mempool uses the EntryPoint's codes for what is in the way of an operation.
func TestAACodesOfAMempool(t *testing.T) {
	const (
		nonce      = "another operation with this nonce is on its way; wait until it is included, or send beside it in another lane"
		deployment = "another operation that deploys the account is on its way; wait until it is included"
		many       = "the account has as many operations on their way as the bundler takes; wait for one of them, or send fewer at once"
	)
	for text, want := range map[string]string{
		"AA25 invalid account nonce: User operation already present in mempool, bump the gas price by minimum 10%":                                                nonce,
		"AA25 invalid account nonce: Another UserOperation with same sender and nonce is already being processed":                                                 nonce,
		"AA25 invalid account nonce: Maximum number of parallel user operations for that is allowed for this sender reached":                                      many,
		"AA25 invalid account nonce: Maximum number of queued user operations reached for this sender and nonce key":                                              many,
		"AA25 invalid account deployment: Another deployment operation for this sender is already being processed":                                                deployment,
		"AA10 sender already constructed: A conflicting userOperation with initCode for this sender is already in the mempool, bump the gas price by minimum 10%": deployment,
		"UserOperation reverted during simulation with reason: AA25 invalid account nonce":                                                                        (&userop.AAError{Code: "AA25"}).Help(),
		"UserOperation reverted during simulation with reason: AA10 sender already constructed":                                                                   (&userop.AAError{Code: "AA10"}).Help(),
		"UserOperation reverted during simulation with reason: AA23 reverted: not in the mempool, says the contract":                                              (&userop.AAError{Code: "AA23"}).Help(),
	} {
		aa, ok := userop.ParseAA(text)
		require.True(t, ok, text)
		require.Equal(t, want, aa.Help(), text)
	}
}

func FuzzParseAA(f *testing.F) {
	f.Add(`FailedOp(0,"AA23 reverted (or OOG)")`)
	f.Add("AA25 invalid account nonce")
	f.Add("0xAA23")
	f.Fuzz(func(t *testing.T, text string) {
		aa, ok := userop.ParseAA(text)
		if !ok {
			return
		}
		require.Regexp(t, `^AA[0-9]{2}$`, aa.Code)
		require.LessOrEqual(t, len(aa.Reason), 512)
		require.Negative(t, strings.IndexFunc(aa.Reason, unicode.IsControl))
		require.Contains(t, aa.Error(), aa.Code)
	})
}
