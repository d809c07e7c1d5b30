package reason_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/reason"
	"github.com/go-sesame/sesame/userop"
)

func revert(t *testing.T, signature string, args ...any) string {
	t.Helper()
	data, err := abi.Pack(signature, args...)
	require.NoError(t, err)
	return hexutil.Encode(data)
}

func quote(t *testing.T, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	require.NoError(t, err)
	return string(out)
}

// Text that package abi makes of a revert is taken from there; that the contract's words are in it is
// asserted.
func TestText(t *testing.T) {
	rule := revert(t, "function Error(string)", "ABISV Arg Rule Violated")
	unknown := "0x12345678" + strings.Repeat("00", 32)
	wrongModule := revert(t, "function WrongValidationModule(address)", common.Address{0x11})
	failedOp := revert(t, "function FailedOp(uint256,string)", 0, "AA23 reverted: SR Invalid SKM")
	nested := revert(t, "function FailedOpWithRevert(uint256,string,bytes)", 0, "AA23 reverted", common.FromHex(wrongModule))
	said := func(data string) string { return contracts.DecodeRevert(common.FromHex(data)).String() }
	hash := "0x" + strings.Repeat("ab", 32)
	const prefix = "bundler: eth_sendUserOperation: "
	const aa23 = ": the account's validation reverted; check that the module is enabled, the session granted and the call within its policy, and verificationGasLimit"

	for _, c := range []struct{ name, message, data, want string }{
		{"words alone", "pm: no policies were set", "", "pm: no policies were set (code -32500)"},
		{"reason in the message", "UserOperation reverted during simulation with reason: AA23 reverted: ABISV Arg Rule Violated", "",
			"UserOperation reverted during simulation with reason: AA23 reverted: ABISV Arg Rule Violated (code -32500)" + aa23},
		{"hex in the message, as Alto writes it", "UserOperation reverted during simulation with reason: " + rule, "",
			"UserOperation reverted during simulation with reason: ABISV Arg Rule Violated (code -32500)"},
		{"custom error in the message", "execution reverted with data " + wrongModule, "",
			"execution reverted with data WrongValidationModule(0x1100000000000000000000000000000000000000) (code -32500)"},
		{"unknown revert after the word", "execution reverted: " + unknown, "",
			"execution reverted: 0x12345678 (unknown error, 36 bytes) (code -32500)"},
		{"a hash in the message is no revert", "user operation " + hash + " refused", "", "user operation " + hash + " refused (code -32500)"},
		{"hex as data", "execution reverted", quote(t, wrongModule), "execution reverted: reverted with WrongValidationModule(0x1100000000000000000000000000000000000000) (code -32500)"},
		{"unknown hex as data", "execution reverted", quote(t, unknown), "execution reverted: reverted with 0x12345678 (unknown error, 36 bytes) (code -32500)"},
		{"data.revertData", "failed", quote(t, map[string]any{"revertData": rule, "userOpHash": hash}), "failed: reverted with ABISV Arg Rule Violated (code -32500)"},
		{"data.data of a node's error", "failed", quote(t, map[string]any{"originalError": map[string]any{"code": 3, "data": rule}}), "failed: reverted with ABISV Arg Rule Violated (code -32500)"},
		{"data in a list", "failed", quote(t, []any{hash, rule}), "failed: reverted with ABISV Arg Rule Violated (code -32500)"},
		{"the message says it already", "reverted: ABISV Arg Rule Violated", quote(t, rule), "reverted: ABISV Arg Rule Violated (code -32500)"},
		{"FailedOp as data", "rejected", quote(t, failedOp), "rejected: reverted with " + said(failedOp) + " (code -32500)" + aa23},
		{"nested revert", "rejected", quote(t, nested), "rejected: reverted with " + said(nested) + " (code -32500)" + aa23},
		{"AA code in the data only", "rejected", `{"reason":"AA21 didn't pay prefund"}`,
			"rejected: AA21 didn't pay prefund (code -32500): the account cannot pay for the gas; fund it, deposit for it at the EntryPoint, or have the operation sponsored"},
		{"long", strings.Repeat("é", 2000), "", strings.Repeat("é", 512) + "… (code -32500)"},
		{"data that is nothing", "rejected", `{"a":[1,true,null,{"b":2}]}`, "rejected (code -32500)"},
		{"data that is too deep", "rejected", `[[[[[[[["AA21"]]]]]]]]`, "rejected (code -32500)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			why := reason.Of(c.message, json.RawMessage(c.data))
			answer := reason.Answer{Method: "eth_sendUserOperation", Code: -32500, Message: c.message, HTTPStatus: 200, AA: why.AA, Revert: why.Revert}
			require.Equal(t, prefix+c.want, answer.Text("bundler"))
			if strings.Contains(c.name, "FailedOp") {
				require.Contains(t, answer.Text("bundler"), "AA23 reverted: SR Invalid SKM")
			}
			if strings.Contains(c.name, "nested") {
				require.Contains(t, answer.Text("bundler"), "WrongValidationModule(0x11")
			}
		})
	}
}

func TestTextByCode(t *testing.T) {
	for _, c := range []struct {
		answer reason.Answer
		want   string
	}{
		{reason.Answer{Code: -32503, Message: "expires too soon", HTTPStatus: 200},
			"expires too soon (code -32503): check the validity windows of session and sponsorship, and the clock"},
		{reason.Answer{Code: -32507, Message: "Invalid UserOperation signature or paymaster signature", HTTPStatus: 200},
			"Invalid UserOperation signature or paymaster signature (code -32507): check who signs, the chain ID and the EntryPoint, and that no field changed after the paymaster answered or after signing"},
		{reason.Answer{Code: -32521, Message: "UserOperation reverted during simulation with reason: 0x", HTTPStatus: 200},
			"UserOperation reverted during simulation with reason: 0x (code -32521): the operation's call would revert; check what it calls, its arguments, and what the account has"},
		{reason.Answer{Code: -32000, Message: "down", HTTPStatus: 503}, "down (code -32000, HTTP 503)"},
		{reason.Answer{Message: "invalid API key", HTTPStatus: 401}, "invalid API key (HTTP 401)"},
		{reason.Answer{Message: "no", HTTPStatus: 200}, "no (code 0)"},
	} {
		c.answer.Method = "eth_chainId"
		require.Equal(t, "bundler: eth_chainId: "+c.want, c.answer.Text("bundler"))
	}
}

func TestErrors(t *testing.T) {
	why := reason.Of("AA23 reverted", json.RawMessage(quote(t, revert(t, "function WrongValidationModule(address)", common.Address{0x11}))))
	err := errors.Join(reason.Answer{AA: why.AA, Revert: why.Revert}.Errors()...)
	var aa *userop.AAError
	require.True(t, errors.As(err, &aa))
	require.Equal(t, "AA23", aa.Code)
	var reverted abi.Revert
	require.True(t, errors.As(err, &reverted))
	require.Equal(t, "WrongValidationModule", reverted.Name)
	require.Empty(t, reason.Answer{}.Errors())
}

func TestDecisions(t *testing.T) {
	aa := &userop.AAError{Code: "AA25"}
	for _, c := range []struct {
		name                 string
		answer               reason.Answer
		temporary, undecided bool
	}{
		{"refused by the account", reason.Answer{Code: -32500}, false, false},
		{"refused with HTTP 500", reason.Answer{Code: -32500, HTTPStatus: 500}, false, false},
		{"as many as Alto takes", reason.Answer{Code: -32602, AA: aa,
			Message: "AA25 invalid account nonce: Maximum number of parallel user operations for that is allowed for this sender reached"}, true, false},
		{"as many as Rundler takes", reason.Answer{Code: -32505, Message: "Max operations (4) reached for sender 0x82a6"}, true, false},
		{"bad parameters", reason.Answer{Code: -32602}, false, false},
		{"rate limit", reason.Answer{Code: -32005}, true, false},
		{"HTTP 429", reason.Answer{Code: -32000, HTTPStatus: 429}, true, false},
		{"internal error", reason.Answer{Code: -32603}, true, true},
		{"internal error with a reason", reason.Answer{Code: -32603, AA: aa}, false, false},
		{"internal error that is a revert", reason.Answer{Code: -32603, Message: "Execution Reverted"}, false, false},
		{"no code", reason.Answer{HTTPStatus: 200}, true, true},
		{"no code, HTTP 400", reason.Answer{HTTPStatus: 400}, false, false},
		{"a gateway's timeout", reason.Answer{Code: -32000, HTTPStatus: 408}, true, true},
		{"server error", reason.Answer{Code: -32000, HTTPStatus: 200}, false, true},
		{"a node that lags", reason.Answer{Code: -32000, Message: "header not found", HTTPStatus: 200}, true, true},
		{"a node that lags, under a code for anything", reason.Answer{Code: -32601, Message: "header not found", HTTPStatus: 200}, true, true},
		{"a revert that sounds so", reason.Answer{Code: -32000, Message: "execution reverted: header not found", HTTPStatus: 200}, false, false},
		{"a verdict that sounds so", reason.Answer{Code: -32500, Message: "timed out", HTTPStatus: 200}, false, false},
		{"unable", reason.Answer{Code: -32005, Message: "Unable to process userOp", HTTPStatus: 200}, true, true},
		{"Biconomy's inner fault", reason.Answer{Code: -32002, Message: "Internal Server error: x", HTTPStatus: 500}, true, true},
		{"Rundler's precheck", reason.Answer{Code: -32000, Message: "precheck failed: preVerificationGas is 1 but must be at least 2", HTTPStatus: 200}, false, false},
		{"Biconomy's too low", reason.Answer{Code: -32008, HTTPStatus: 200}, false, false},
		{"no access", reason.Answer{Code: -32001, HTTPStatus: 200}, false, false},
		{"server error, HTTP 503", reason.Answer{Code: -32000, HTTPStatus: 503}, true, true},
	} {
		require.Equal(t, c.temporary, c.answer.Temporary(), c.name)
		require.Equal(t, c.undecided, c.answer.Undecided(), c.name)
	}
}

// Codes mean different things at different services: the words decide.
func TestWords(t *testing.T) {
	const receipt, fees = "eth_getUserOperationReceipt", "biconomy_getGasFeeValues"
	for _, c := range []struct {
		method                             string
		code                               int
		message                            string
		missing, mayBeMissing, unknownHash bool
	}{
		{fees, -32601, "Method not found", true, true, false},
		{fees, -32601, "the method biconomy_getGasFeeValues does not exist/is not available", true, true, false},
		{fees, -32601, "biconomy_getGasFeeValues", true, true, false},
		{fees, -32601, "no message: {}", true, true, false},
		{fees, -32601, "Not implemented", true, true, false},
		{fees, -32602, "Method not supported", true, true, false},
		{fees, -32600, "Unsupported method: biconomy_getGasFeeValues on POLYGON", true, true, false},
		{fees, -32601, "Validation error: Invalid discriminator value at \"method\"", true, true, false}, // Alto
		{fees, -32601, "because", false, true, false},
		{fees, -32601, "not found", false, true, false},
		{fees, -32601, "header not found", false, false, false},
		{fees, -32601, "maxFeePerGas too low", false, false, false},
		{fees, -32004, "?", false, true, false},
		{fees, -32000, "not supported", false, false, false},
		{receipt, -32601, "not found", false, false, true}, // Stackup
		{receipt, -32601, "Missing/invalid userOpHash", false, false, true},
		{receipt, -32602, "Missing/invalid userOpHash", false, false, true},
		{receipt, -32004, "UserOpHash: 0x10b6 not found for chainId: 80002", false, false, true}, // Biconomy
		{receipt, -32004, "?", false, false, true},
		{receipt, -32004, "Method eth_getUserOperationReceipt is not supported", true, true, false}, // Hardhat
		{receipt, -32601, "the method eth_getUserOperationReceipt does not exist/is not available", true, true, false},
		{receipt, -32000, "user operation not found", false, false, true},
		{receipt, -32000, "header not found", false, false, false},
		{receipt, -32000, "Failed to get user operation receipt", false, false, false},
		{receipt, -32500, "user operation not found", false, false, false},
		{receipt, 0, "paymaster not found", false, false, false},
	} {
		answer := reason.Answer{Method: c.method, Code: c.code, Message: c.message, HTTPStatus: 200}
		require.Equal(t, c.missing, answer.MethodMissing(), "%+v", c)
		require.Equal(t, c.mayBeMissing, answer.MayLackMethod(), "%+v", c)
		require.Equal(t, c.unknownHash, answer.UnknownHash(), "%+v", c)
	}
}

func FuzzOf(f *testing.F) {
	f.Add("reason: 0x08c379a0", `"0x82b42900"`)
	f.Add("precheck failed: preVerificationGas is 1133120 but must be at least 2490360", `null`)
	f.Add("UserOpHash: 0x10b6 not found for chainId: 80002", ``)
	f.Add("the method does not exist/is not available", `"not found"`)
	f.Add("header not found", `"not found"`)
	f.Add("AA23 reverted", `{"revertData":"0x08c379a0","a":[{"b":"AA21"}]}`)
	f.Fuzz(func(t *testing.T, message, data string) {
		why := reason.Of(message, json.RawMessage(data))
		text := reason.Answer{Message: message, AA: why.AA, Revert: why.Revert}.Text("bundler")
		require.Less(t, len(text), 4096)
		for _, code := range []int{0, -32000, -32004, -32005, -32601} {
			answer := reason.Answer{Method: "eth_getUserOperationReceipt", Code: code, Message: message, AA: why.AA, Revert: why.Revert}
			require.False(t, answer.MethodMissing() && answer.UnknownHash())
			require.False(t, answer.RateLimited() && answer.Undecided())
			require.False(t, why.AA != nil && answer.Undecided())
		}
		if why.AA != nil {
			require.Contains(t, text+strings.Repeat(why.AA.Code, len(message)/1000), why.AA.Code)
		}
	})
}
