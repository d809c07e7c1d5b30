package bundler_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/userop"
)

func TestSendUserOperation(t *testing.T) {
	client, _ := play(t, "send.jsonl")
	hash, err := client.SendUserOperation(t.Context(), operation(), entryPoint)
	require.NoError(t, err)
	require.Equal(t, opHash, hash)
}

// Fault 13: the vendor's third parameter goes out on request only.
func TestFault13SimulationOnRequestOnly(t *testing.T) {
	client, _ := play(t, "send_simulation.jsonl", bundler.WithSimulation(bundler.SimulateValidationAndExecution))
	_, err := client.SendUserOperation(t.Context(), operation(), entryPoint)
	require.NoError(t, err)

	client, _ = play(t, "send.jsonl")
	_, err = client.SendUserOperation(t.Context(), operation(), entryPoint)
	require.NoError(t, err, "the dialogue has two parameters")
}

// Fault 9: a JSON-RPC error under HTTP 200 counts as success with an undefined hash.
func TestFault09ErrorUnder200IsAnError(t *testing.T) {
	client, server := play(t, "send_fault09.jsonl")
	at := "bundler " + server.URL + "/…: eth_sendUserOperation: "
	for _, want := range []string{
		"bundler: eth_sendUserOperation: UserOperation reverted during simulation with reason: AA21 didn't pay prefund (code -32500): the account cannot pay for the gas; fund it, deposit for it at the EntryPoint, or have the operation sponsored",
		at + `the answer has neither a result nor an error; is this the service's URL?: "{\"jsonrpc\":\"2.0\",\"id\":`,
		at + "the answer is null",
		at + `unexpected result: hex string has length 0, want 64 for common.Hash: "\"\""`,
		at + `unexpected result: hex string has length 4, want 64 for common.Hash: "\"0x1234\""`,
	} {
		hash, err := client.SendUserOperation(t.Context(), operation(), entryPoint)
		require.ErrorContains(t, err, want)
		require.Equal(t, common.Hash{}, hash)
	}
}

func TestAlreadyKnownIsSuccess(t *testing.T) {
	client, server := play(t, "send_known.jsonl")
	for range 4 {
		hash, err := client.SendUserOperation(t.Context(), operation(), entryPoint)
		require.NoError(t, err)
		require.Equal(t, operation().Hash(entryPoint, chainID), hash)
	}
	require.Len(t, server.Methods(), 8, "with the chain ID, for the hash")
}

func TestAlreadyKnownOnAnUnknownChain(t *testing.T) {
	client, server := play(t, "send_known_no_chain.jsonl")
	_, err := client.SendUserOperation(t.Context(), operation(), entryPoint)
	require.ErrorIs(t, err, bundler.ErrAlreadyKnown)
	require.EqualError(t, err, "bundler: eth_sendUserOperation: Already known (code -32602) (and its hash cannot be told: bundler: eth_chainId: Method not supported: eth_chainId (code -32601): "+server.URL+"/… does not say which chain it serves; check that it is a bundler's URL)")
	require.True(t, userop.MayBeAccepted(&userop.Error{Step: userop.StepSend, Operation: operation(), Err: err}), "the bundler has it")
}

func TestOtherOperationsInTheWayAreErrors(t *testing.T) {
	client, _ := play(t, "send_not_known.jsonl")
	for _, code := range []string{"AA10", "AA25", "AA10", "AA25"} {
		_, err := client.SendUserOperation(t.Context(), operation(), entryPoint)
		require.NotErrorIs(t, err, bundler.ErrAlreadyKnown)
		var aa *userop.AAError
		require.ErrorAs(t, err, &aa)
		require.Equal(t, code, aa.Code)
	}
	_, err := client.SendUserOperation(t.Context(), operation(), entryPoint)
	require.ErrorContains(t, err, "another user operation with the same nonce is already in the mempool")
	require.NotErrorIs(t, err, bundler.ErrAlreadyKnown)
}

// The answers are those that Alto 0.0.20 gives before a real node.
func TestWhatAltoRefuses(t *testing.T) {
	client, _ := play(t, "send_alto.jsonl")
	for _, want := range []struct {
		kind      error
		aa        string
		help      string
		temporary bool
	}{
		{bundler.ErrRejected, "AA21", "the account cannot pay for the gas", false},
		{bundler.ErrRejected, "AA25", "the nonce was used already or skips one", false},
		{bundler.ErrRejected, "AA10", "the account is deployed already", false},
		{bundler.ErrRejected, "AA20", "the account is not deployed", false},
		{bundler.ErrRejected, "AA14", "the factory made another account than the sender", false},
		{bundler.ErrRejected, "AA23", "the account's validation reverted", false},
		{bundler.ErrRejected, "AA23", "ABISV Arg Rule Violated (code -32500): the account's validation reverted", false},
		{bundler.ErrRejected, "AA95", "the bundle ran out of gas", false},
		{bundler.ErrPaymaster, "AA30", "the paymaster is not deployed on this chain", false},
		{bundler.ErrSignature, "", "check who signs, the chain ID and the EntryPoint", false},
		{bundler.ErrTimeRange, "", "check the validity windows", false},
		{bundler.ErrTimeRange, "", "check the validity windows", false},
		{bundler.ErrInvalidParams, "AA25", "another operation with this nonce is on its way", false},
		{bundler.ErrInvalidParams, "AA25", "another operation with this nonce is on its way", false},
		{bundler.ErrInvalidParams, "AA25", "the account has as many operations on their way as the bundler takes", true},
		{bundler.ErrInvalidParams, "AA10", "another operation that deploys the account is on its way", false},
		{bundler.ErrInvalidParams, "AA25", "another operation that deploys the account is on its way", false},
		{bundler.ErrInvalidParams, "", "use pimlico_getUserOperationGasPrice", false},
		{bundler.ErrRejected, "", "preVerificationGas is not enough", false},
		{bundler.ErrInvalidParams, "", "supported EntryPoints", false},
	} {
		_, err := client.SendUserOperation(t.Context(), operation(), entryPoint)
		require.ErrorIs(t, err, want.kind)
		require.ErrorContains(t, err, want.help)
		require.NotErrorIs(t, err, bundler.ErrAlreadyKnown)
		var answer *bundler.Error
		require.ErrorAs(t, err, &answer)
		require.Equal(t, want.temporary, answer.Temporary(), err)
		require.False(t, answer.MayBeDelivered(), err)
		if want.aa == "" {
			require.Nil(t, answer.AA, err)
			continue
		}
		require.Equal(t, want.aa, answer.AA.Code, err)
	}
}

func TestEstimateUserOperationGas(t *testing.T) {
	client, _ := play(t, "estimate.jsonl")
	for range 5 {
		gas, err := client.EstimateUserOperationGas(t.Context(), operation(), entryPoint, nil)
		require.NoError(t, err)
		require.Equal(t, operation().Gas(), gas)
	}
}

func TestEstimateWithOverrides(t *testing.T) {
	client, _ := play(t, "estimate_overrides.jsonl")
	ether := hexutil.U256(*uint256.NewInt(1e18))
	gas, err := client.EstimateUserOperationGas(t.Context(), operation(), entryPoint,
		userop.StateOverride{operation().Sender: {Balance: &ether}})
	require.NoError(t, err)
	require.Equal(t, userop.Gas{CallGasLimit: *uint256.NewInt(1), VerificationGasLimit: *uint256.NewInt(2), PreVerificationGas: *uint256.NewInt(3)}, gas)
}

func TestEstimateWrong(t *testing.T) {
	client, _ := play(t, "estimate_wrong.jsonl")
	const inexact = " is not an exact non-negative integer (0x-hex or decimal digits)"
	for _, want := range []string{
		"unexpected result: missing verificationGasLimit, preVerificationGas: ",
		"unexpected result: missing verificationGasLimit: ",
		`unexpected result: callGasLimit: "1e+20"` + inexact + `; verificationGasLimit: "1.5"` + inexact + `; preVerificationGas: "-1"` + inexact,
		"unexpected result: a JSON object was expected, got array: ",
	} {
		gas, err := client.EstimateUserOperationGas(t.Context(), operation(), entryPoint, nil)
		require.ErrorContains(t, err, "/…: eth_estimateUserOperationGas: "+want)
		require.Zero(t, gas)
	}
}

func TestUserOperationReceipt(t *testing.T) {
	client, _ := play(t, "receipt.jsonl")
	_, err := client.UserOperationReceipt(t.Context(), opHash)
	require.ErrorIs(t, err, userop.ErrNotFound)
	require.EqualError(t, err, "user operation not found: the bundler has nothing on "+opHash.Hex())
	for _, vendor := range []string{"Alto", "Biconomy"} {
		receipt, err := client.UserOperationReceipt(t.Context(), opHash)
		require.NoError(t, err, vendor)
		require.True(t, receipt.Success)
		require.Equal(t, opHash, receipt.UserOpHash)
		require.Equal(t, txHash, receipt.TransactionHash)
		require.EqualValues(t, 9_123_456, receipt.BlockNumber)
		require.Equal(t, "185100", receipt.ActualGasUsed.Dec())
	}
}

func TestUserOperationReceiptWrong(t *testing.T) {
	client, server := play(t, "receipt_wrong.jsonl")
	_, err := client.UserOperationReceipt(t.Context(), txHash)
	require.EqualError(t, err, "bundler: asked for the receipt of "+txHash.Hex()+" it gave that of "+opHash.Hex())

	_, err = client.UserOperationReceipt(t.Context(), opHash)
	require.ErrorContains(t, err, "unexpected result: user operation receipt: missing success, transactionHash (in receipt, beside it or in a log)")

	_, err = client.UserOperationReceipt(t.Context(), opHash)
	require.EqualError(t, err, "bundler: eth_getUserOperationReceipt: Failed to get user operation receipt (code 0)")
	requireTemporary(t, err)

	_, err = client.UserOperationReceipt(t.Context(), opHash)
	require.EqualError(t, err, "bundler "+server.URL+`/…: eth_getUserOperationReceipt: HTTP 503 Service Unavailable: "busy"; the service is at fault: try again in a while, or use another one`)
	requireTemporary(t, err)
	require.Len(t, server.Methods(), 4)
}

// requireTemporary checks that a wait goes on after err (fault 10: one 503 ends the wait).
func requireTemporary(t *testing.T, err error) {
	t.Helper()
	var passing interface{ Temporary() bool }
	require.ErrorAs(t, err, &passing)
	require.True(t, passing.Temporary())
}

func TestUserOperationByHash(t *testing.T) {
	client, _ := play(t, "by_hash.jsonl")
	for _, vendor := range []string{"Alto", "Biconomy", "in the mempool"} {
		known, err := client.UserOperationByHash(t.Context(), opHash)
		require.NoError(t, err, vendor)
		require.Equal(t, entryPoint, known.EntryPoint)
		require.Equal(t, operation().Hash(entryPoint, chainID), known.Operation.Hash(entryPoint, chainID))
		require.Equal(t, vendor != "in the mempool", known.Included())
		if known.Included() {
			require.Equal(t, txHash, known.TransactionHash)
			require.EqualValues(t, 9_123_328, known.BlockNumber&^0xff)
			require.NotEqual(t, common.Hash{}, known.BlockHash)
		}
	}
	_, err := client.UserOperationByHash(t.Context(), opHash)
	require.ErrorIs(t, err, userop.ErrNotFound)
}

func TestUserOperationByHashWrong(t *testing.T) {
	client, _ := play(t, "by_hash_wrong.jsonl")
	_, err := client.UserOperationByHash(t.Context(), opHash)
	require.ErrorContains(t, err, "unexpected result: userOperation: user operation: missing nonce, callData, callGasLimit, verificationGasLimit, preVerificationGas, maxFeePerGas, maxPriorityFeePerGas")
	_, err = client.UserOperationByHash(t.Context(), opHash)
	require.ErrorContains(t, err, "unexpected result: missing entryPoint")
}

// Whatever a bundler answers: nothing panics, and what is taken is about what was asked for.
func FuzzAnswers(f *testing.F) {
	for _, body := range fieldAnswers(f) {
		f.Add(body)
	}
	for _, result := range []string{
		`{"callGasLimit":"0x1","verificationGas":2,"preVerificationGas":"3"}`,
		`{"state":"SUBMITTED","transactionHash":null}`,
		`{"status":"failed","transactionHash":""}`,
		`{"standard":{"maxFeePerGas":"0x2","maxPriorityFeePerGas":1}}`,
		`"5"`, `["0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789"]`, `null`,
	} {
		f.Add(`{"id":1,"result":` + result + `}`)
	}
	for _, code := range []int{-32601, -32004, -32005, -32007, -32000} {
		f.Add(fmt.Sprintf(`{"id":1,"error":{"code":%d,"message":"UserOpHash: 0x10b6 not found, try again, method"}}`, code))
	}
	f.Fuzz(func(t *testing.T, body string) {
		synctest.Test(t, func(t *testing.T) {
			client := bundler.New("https://bundler.example", bundler.WithHTTPClient(&http.Client{Transport: always(body)}))
			if receipt, err := client.UserOperationReceipt(t.Context(), biconomysHash); err == nil {
				require.Equal(t, biconomysHash, receipt.UserOpHash)
			}
			if known, err := client.UserOperationByHash(t.Context(), biconomysHash); err == nil {
				require.Equal(t, known.BlockNumber != 0 || known.BlockHash != common.Hash{}, known.Included())
			}
			if status, err := client.UserOperationStatus(t.Context(), biconomysHash); err != nil {
				require.Zero(t, status)
			}
			_, _ = client.EstimateUserOperationGas(t.Context(), new(userop.Operation), entryPoint, nil)
			_, _ = client.SendUserOperation(t.Context(), operation(), entryPoint)
			_, _ = client.Fees(t.Context())
			_, _ = client.MaxPriorityFeePerGas(t.Context())
		})
	})
}

// always answers everything with one body.
type always string

func (a always) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}
