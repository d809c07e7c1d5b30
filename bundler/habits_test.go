package bundler_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/userop"
)

// fieldCase is an answer of a service in the field. Its fault begins with the number of its kind.
type fieldCase struct {
	ID, Fault, Body string
	Status          int
}

func fieldCases(t testing.TB) (cases []fieldCase) {
	t.Helper()
	for line := range bytes.Lines(testutil.Cases(t, "services.jsonl")) {
		var c fieldCase
		require.NoError(t, json.Unmarshal(line, &c))
		cases = append(cases, c)
	}
	require.NotEmpty(t, cases)
	return cases
}

// fieldAnswers are the answers of some cases, by name.
func fieldAnswers(t testing.TB) map[string]string {
	t.Helper()
	names := map[string]string{
		"G1": "foreign id", "G2": "hash not found", "G3": "failed", "G4a": "preVerificationGas too low", "G4b": "tip too low",
		"G5": "pending", "G6a": "not found", "G6b": "header not found",
	}
	answers := map[string]string{}
	for _, c := range fieldCases(t) {
		if name := names[c.ID]; name != "" {
			answers[name] = c.Body
		}
	}
	require.Len(t, answers, len(names))
	return answers
}

// Each case from the field is read by its kind, also one of a kind that was not seen here before.
func TestCasesFromTheField(t *testing.T) {
	receipt := fieldAnswers(t)["foreign id"]
	kinds := map[string]func(t *testing.T, body string){
		"1": func(t *testing.T, body string) {
			client, _ := withHabits(map[string][]string{receiptMethod: {body}})
			receipt, err := client.UserOperationReceipt(t.Context(), biconomysHash)
			requireBiconomysReceipt(t, receipt, err)
			requireWaitEnds(t, body)
		},
		"2": func(t *testing.T, body string) {
			client, _ := withHabits(map[string][]string{biconomyStatus: {body, `{"id":1,"result":{"state":"DROPPED_FROM_BUNDLER_MEMPOOL"}}`}})
			status, err := client.UserOperationStatus(t.Context(), opHash)
			require.NoError(t, err)
			require.Equal(t, bundler.Unknown, status.State)
			dropped, err := client.UserOperationDropped(t.Context(), txHash)
			require.NoError(t, err)
			require.True(t, dropped)
		},
		"3": func(t *testing.T, body string) {
			client, _ := withHabits(map[string][]string{biconomyStatus: {body}})
			status, err := client.UserOperationStatus(t.Context(), opHash)
			require.NoError(t, err)
			require.Equal(t, bundler.Reverted, status.State)
			require.True(t, status.State.Final())
			dropped, err := client.UserOperationDropped(t.Context(), opHash)
			require.NoError(t, err)
			require.True(t, dropped)
		},
		"4": func(t *testing.T, body string) {
			client, _ := withHabits(map[string][]string{"eth_sendUserOperation": {body}})
			_, err := client.SendUserOperation(t.Context(), operation(), entryPoint)
			require.Error(t, err)
			require.False(t, userop.MayBeAccepted(&userop.Error{Step: userop.StepSend, Operation: operation(), Err: err}), "%v", err)
		},
		"5": func(t *testing.T, body string) {
			client, _ := withHabits(map[string][]string{"eth_getUserOperationByHash": {body}})
			known, err := client.UserOperationByHash(t.Context(), opHash)
			require.NoError(t, err)
			require.False(t, known.Included())
			require.NotZero(t, known.TransactionHash)
		},
		"6": func(t *testing.T, body string) { requireWaitEnds(t, body, receipt) },
	}
	for _, c := range fieldCases(t) {
		kind, _, _ := strings.Cut(c.Fault, " ")
		if check := kinds[kind]; check != nil {
			t.Run(c.ID, func(t *testing.T) { check(t, c.Body) })
		}
	}
}

// requireWaitEnds wants a wait to end with Biconomy's receipt after those answers.
func requireWaitEnds(t *testing.T, bodies ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client, _ := withHabits(map[string][]string{receiptMethod: bodies})
		sender, err := userop.NewSender(userop.SenderConfig{ChainID: chainID, EntryPoint: entryPoint, Bundler: client})
		require.NoError(t, err)
		receipt, err := sender.Watch(biconomysHash).Wait(t.Context())
		requireBiconomysReceipt(t, receipt, err)
	})
}

// What a service may write for a number or a flag in a receipt: it is read for what it is, or refused.
func TestOddNumbersInReceipts(t *testing.T) {
	const receipt = `{"id":1,"result":{"userOpHash":"%[1]s","success":%[2]s,"actualGasCost":%[3]s,"actualGasUsed":%[3]s,"logs":[],` +
		`"receipt":{"transactionHash":"%[1]s","blockHash":"%[1]s","blockNumber":%[3]s,"status":1}}}`
	read := func(success, number string) (*userop.Receipt, error) {
		client, _ := withHabits(map[string][]string{receiptMethod: {fmt.Sprintf(receipt, biconomysHash.Hex(), success, number)}})
		return client.UserOperationReceipt(t.Context(), biconomysHash)
	}
	for number, want := range map[string]uint64{
		`7`: 7, `"7"`: 7, `"0x7"`: 7, `"0x0000007"`: 7, `"0X7"`: 7, `"007"`: 7, `0`: 0, `18446744073709551615`: 1<<64 - 1,
	} {
		got, err := read(`true`, number)
		require.NoError(t, err, number)
		require.Equal(t, want, got.BlockNumber, number)
		require.Equal(t, want, got.ActualGasUsed.Uint64(), number)
	}
	for _, number := range []string{
		`-1`, `"-1"`, `"-0x1"`, `7.5`, `7.0`, `7e0`, `1e400`, `"seven"`, `"0x7g"`, `"0x"`, `true`, `[]`, `{}`, `[7]`, `"7 "`, `" 7"`,
		`18446744073709551616`, `"0x10000000000000000"`, `"0x` + strings.Repeat("f", 65) + `"`, strings.Repeat("9", 5000), `1e1000000000`,
	} {
		_, err := read(`true`, number)
		require.Error(t, err, "%.40s", number)
	}
	for success, want := range map[string]bool{`true`: true, `"true"`: true, `"false"`: false, `false`: false} {
		got, err := read(success, `1`)
		require.NoError(t, err, success)
		require.Equal(t, want, got.Success, success)
	}
	for _, success := range []string{`null`, `"yes"`, `0`, `1`, `2`, `-1`, `[]`, `{}`, `""`, `"TRUE "`, `1.5`} {
		_, err := read(success, `1`)
		require.Error(t, err, success)
	}
}

// habits answers each method with its bodies one after the other; the last one stays. "$ID" is the request's
// ID.
type habits struct {
	mu     sync.Mutex
	bodies map[string][]string
	asked  map[string]int
}

const unknownMethod = `{"id":$ID,"error":{"code":-32601,"message":"Method not found"}}`

func (h *habits) RoundTrip(r *http.Request) (*http.Response, error) {
	var request struct {
		ID     uint64
		Method string
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	body := unknownMethod
	if left := h.bodies[request.Method]; len(left) > 0 {
		body = left[0]
		if len(left) > 1 {
			h.bodies[request.Method] = left[1:]
		}
	}
	h.asked[request.Method]++
	body = strings.ReplaceAll(body, "$ID", fmt.Sprint(request.ID))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// withHabits is a client of a bundler that answers so.
func withHabits(bodies map[string][]string, opts ...bundler.Option) (*bundler.Client, *habits) {
	h := &habits{bodies: bodies, asked: map[string]int{}}
	return bundler.New("https://bundler.example/rpc/k-123456", append(opts, bundler.WithHTTPClient(&http.Client{Transport: h}))...), h
}

const (
	receiptMethod  = "eth_getUserOperationReceipt"
	biconomyStatus = "biconomy_getUserOperationStatus"
	pimlicoStatus  = "pimlico_getUserOperationStatus"
	biconomyFees   = "biconomy_getGasFeeValues"
	estimateMethod = "eth_estimateUserOperationGas"
)

var biconomysHash = common.HexToHash("0x10b68dfde047c51e2f4a500281a715710c7b1c0517b87ad0b48229042f61ac0e")

func requireBiconomysReceipt(t *testing.T, receipt *userop.Receipt, err error) {
	t.Helper()
	require.NoError(t, err)
	require.True(t, receipt.Success)
	require.Equal(t, biconomysHash, receipt.UserOpHash)
	require.EqualValues(t, 139_690_898, receipt.BlockNumber)
}

// Biconomy's bundler answers under an ID of its own.
func TestAnAnswerIsTakenUnderAnyID(t *testing.T) {
	answer := fieldAnswers(t)["foreign id"]
	for _, id := range []string{`"id":1`, `"id":0`, `"id":null`, `"id":"x"`, `"version":2`} {
		client, _ := withHabits(map[string][]string{receiptMethod: {strings.Replace(answer, `"id":1`, id, 1)}})
		receipt, err := client.UserOperationReceipt(t.Context(), biconomysHash)
		requireBiconomysReceipt(t, receipt, err)

		_, err = client.UserOperationReceipt(t.Context(), opHash)
		require.ErrorContains(t, err, "asked for the receipt of "+opHash.Hex()+" it gave that of "+biconomysHash.Hex())
	}
}

// What ends no wait: the next question brings the receipt.
func TestAWaitGoesOn(t *testing.T) {
	answers := fieldAnswers(t)
	failed := func(code int, message string) string {
		return fmt.Sprintf(`{"id":$ID,"error":{"code":%d,"message":%q}}`, code, message)
	}
	for name, body := range map[string]string{
		"Stackup, not found":                      answers["not found"],
		"a node that lags":                        answers["header not found"],
		"Stackup, a node that lags":               failed(-32601, "header not found"),
		"Silius, unknown hash":                    failed(-32601, "Missing/invalid userOpHash"),
		"another, unknown hash":                   failed(-32602, "Missing/invalid userOpHash"),
		"Biconomy, unknown hash":                  answers["hash not found"],
		"Biconomy, unable":                        failed(-32005, "Unable to process userOp with UserOpHash: 0x10b6 on chainId: 80002"),
		"Biconomy, internal":                      failed(-32002, "Internal Server error: x"),
		"a user operation not known":              failed(-32000, "user operation not known"),
		"could not find the receipt":              failed(-32000, "could not find the receipt"),
		"geth, indexing":                          failed(-32000, "transaction indexing is in progress"),
		"a timeout":                               failed(-32000, "timeout"),
		"null":                                    `{"id":$ID,"result":null}`,
		"a web page":                              "<html>",
		"cut":                                     `{"id":$ID,"resu`,
		"a receipt of an attempt":                 `{"id":$ID,"result":{"userOpHash":"` + biconomysHash.Hex() + `","success":true,"receipt":{"transactionHash":"` + biconomysHash.Hex() + `","blockHash":null,"blockNumber":null}}}`,
		"a receipt of an attempt, in other words": `{"id":$ID,"result":{"userOpHash":"` + biconomysHash.Hex() + `","success":true,"transactionHash":"` + biconomysHash.Hex() + `","blockHash":"0x","blockNumber":""}}`,
		"a receipt without the block":             `{"id":$ID,"result":{"userOpHash":"` + biconomysHash.Hex() + `","success":true,"receipt":null}}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, _ := withHabits(map[string][]string{receiptMethod: {body, body, answers["foreign id"]}})
				sender, err := userop.NewSender(userop.SenderConfig{ChainID: chainID, EntryPoint: entryPoint, Bundler: client})
				require.NoError(t, err)
				receipt, err := sender.Watch(biconomysHash).Wait(t.Context())
				requireBiconomysReceipt(t, receipt, err)
			})
		})
	}
}

func TestAnUnknownHashIsAnAnswer(t *testing.T) {
	answers := fieldAnswers(t)
	client, h := withHabits(map[string][]string{biconomyStatus: {
		answers["hash not found"],
		`{"id":1,"result":{"state":"DROPPED_FROM_BUNDLER_MEMPOOL"}}`,
		answers["failed"],
		answers["failed"],
	}})
	status, err := client.UserOperationStatus(t.Context(), opHash)
	require.NoError(t, err)
	require.Equal(t, bundler.Status{State: bundler.Unknown, Raw: "UserOpHash: 0x10b6 not found for chainId: 80002"}, status)
	dropped, err := client.UserOperationDropped(t.Context(), txHash)
	require.NoError(t, err)
	require.True(t, dropped)
	require.LessOrEqual(t, h.asked[pimlicoStatus], 1, "whose methods it has is known from the first answer")

	status, err = client.UserOperationStatus(t.Context(), opHash)
	require.NoError(t, err)
	require.Equal(t, bundler.Reverted, status.State)
	require.True(t, status.State.Final())
	require.Equal(t, "FAILED", status.Raw)
	require.NotZero(t, status.TransactionHash)
	dropped, err = client.UserOperationDropped(t.Context(), opHash)
	require.NoError(t, err)
	require.True(t, dropped)
}

// Bare words under the code of a missing method may mean either.
func TestNotFoundUnderTheCodeOfAMissingMethod(t *testing.T) {
	client, _ := withHabits(map[string][]string{
		biconomyStatus: {`{"id":$ID,"error":{"code":-32601,"message":"not found"}}`},
		pimlicoStatus:  {unknownMethod, `{"id":$ID,"result":{"status":"rejected"}}`},
		biconomyFees:   {`{"id":$ID,"error":{"code":-32601,"message":"not found"}}`, `{"id":$ID,"result":{"maxFeePerGas":"2","maxPriorityFeePerGas":1}}`},
	})
	status, err := client.UserOperationStatus(t.Context(), opHash)
	require.NoError(t, err)
	require.Equal(t, bundler.Unknown, status.State)
	dropped, err := client.UserOperationDropped(t.Context(), opHash)
	require.NoError(t, err)
	require.True(t, dropped, "the other vendor's form is still asked in")

	_, err = client.Fees(t.Context())
	require.ErrorIs(t, err, userop.ErrNoFees)
	got, err := client.Fees(t.Context())
	require.NoError(t, err)
	require.Equal(t, fees(2, 1), got)
}

// "Method not found" is remembered, so that it costs no question each time, but not for good.
func TestAMissingMethodIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const price = `{"id":$ID,"result":{"maxFeePerGas":"2","maxPriorityFeePerGas":"1"}}`
		const dropped = `{"id":$ID,"result":{"state":"DROPPED_FROM_BUNDLER_MEMPOOL"}}`
		client, h := withHabits(map[string][]string{
			biconomyFees:                   {unknownMethod, price, unknownMethod, price},
			biconomyStatus:                 {unknownMethod, dropped, unknownMethod, dropped},
			"rundler_maxPriorityFeePerGas": {unknownMethod, `{"id":$ID,"result":"7"}`},
		})
		ask := func() (noFees, noStatus, noTip bool) {
			t.Helper()
			_, err := client.Fees(t.Context())
			if noFees = err != nil; noFees {
				require.ErrorIs(t, err, userop.ErrNoFees)
			}
			_, err = client.UserOperationStatus(t.Context(), opHash)
			if noStatus = err != nil; noStatus {
				require.ErrorIs(t, err, bundler.ErrNoStatus)
			}
			tip, err := client.MaxPriorityFeePerGas(t.Context())
			if noTip = err != nil; noTip {
				require.ErrorIs(t, err, userop.ErrNoFees)
			} else {
				require.EqualValues(t, 7, tip.Uint64())
			}
			return noFees, noStatus, noTip
		}
		check := func(fees, status, tip bool) {
			t.Helper()
			noFees, noStatus, noTip := ask()
			require.Equal(t, []bool{fees, status, tip}, []bool{!noFees, !noStatus, !noTip})
		}
		for range 5 {
			check(false, false, false)
		}
		require.Equal(t, 1, h.asked[biconomyFees])
		require.Equal(t, 1, h.asked[biconomyStatus])
		time.Sleep(time.Minute)
		check(true, true, true)
		check(false, false, true) // a machine of the service's that is older
		check(true, true, true)   // is not taken for all of them
	})
}

// A service that is replaced by another vendor's is found out again.
func TestAVendorThatIsGone(t *testing.T) {
	client, _ := withHabits(map[string][]string{
		biconomyStatus: {`{"id":1,"result":{"state":"SUBMITTED"}}`, unknownMethod},
		pimlicoStatus:  {`{"id":$ID,"result":{"status":"included"}}`},
	})
	fixed, _ := withHabits(map[string][]string{biconomyStatus: {unknownMethod}}, bundler.WithVendor(bundler.Biconomy))
	status, err := client.UserOperationStatus(t.Context(), opHash)
	require.NoError(t, err)
	require.Equal(t, bundler.Submitted, status.State)
	_, err = client.UserOperationStatus(t.Context(), opHash)
	require.ErrorIs(t, err, bundler.ErrNoStatus)
	status, err = client.UserOperationStatus(t.Context(), opHash)
	require.NoError(t, err)
	require.Equal(t, bundler.Included, status.State)

	_, err = fixed.UserOperationStatus(t.Context(), opHash)
	require.ErrorIs(t, err, bundler.ErrNoStatus, "the vendor that was chosen does not have it")
	require.ErrorIs(t, err, bundler.ErrMethodNotFound)
}

// Rundler's refusals have the code of a server's own fault.
func TestTooLowIsARefusal(t *testing.T) {
	answers := fieldAnswers(t)
	for _, body := range []string{
		answers["preVerificationGas too low"],
		answers["tip too low"],
		`{"id":0,"error":{"code":-32006,"message":"maxPriorityFeePerGas is 1"}}`,
		`{"id":0,"error":{"code":-32007,"message":"maxFeePerGas is 1"}}`,
		`{"id":0,"error":{"code":-32008,"message":"preVerificationGas is 1"}}`,
		`{"id":$ID,"error":{"code":-32000,"message":"max fee per gas less than block base fee"}}`,
		`{"id":$ID,"error":{"code":-32603,"message":"maxFeePerGas too low"}}`,
	} {
		client, _ := withHabits(map[string][]string{"eth_sendUserOperation": {body}})
		_, err := client.SendUserOperation(t.Context(), operation(), entryPoint)
		var answer *bundler.Error
		require.ErrorAs(t, err, &answer)
		require.False(t, answer.MayBeDelivered(), "%v", err)
		require.False(t, answer.Temporary(), "%v", err)
		require.ErrorContains(t, err, ": raise what it names: estimate again, take the bundler's own gas price, or set margins")
		require.False(t, userop.MayBeAccepted(&userop.Error{Step: userop.StepSend, Operation: operation(), Err: err}))
	}
}

// An operation that does not pay enough more than the one it would replace, in words after the manner of
// bundlers and of the nodes behind them; Stackup's are those of its erc-4337-examples#25.
func TestReplacementUnderpriced(t *testing.T) {
	for vendor, body := range map[string]string{
		"geth":                    `{"code":-32000,"message":"replacement transaction underpriced"}`,
		"Rundler":                 `{"code":-32602,"message":"replacement underpriced. Current priority fee: 1. Current fee: 2","data":{"currentPriority":"0x1","currentFee":"0x2"}}`,
		"Alchemy":                 `{"code":-32000,"message":"replacement operation underpriced"}`,
		"Alto":                    `{"code":-32602,"message":"AA25 invalid account nonce: User operation already present in mempool, bump the gas price by minimum 10%"}`,
		"the reference bundler":   `{"code":-32602,"message":"Replacement UserOperation must have higher maxFeePerGas (old=0x1 new=0x2) "}`,
		"Stackup":                 `{"code":-32602,"message":"pending ops: replacement op must increase maxFeePerGas and MaxPriorityFeePerGas by >= 10%"}`,
		"Silius":                  `{"code":-32602,"message":"Replacement user operation fees too low, at least 10 % more needed"}`,
		"the one in this process": `{"code":-32602,"message":"replacement underpriced: both fees have to be 10% above those of 0xab"}`,
	} {
		client, _ := withHabits(map[string][]string{"eth_sendUserOperation": {`{"id":$ID,"error":` + body + `}`}})
		_, err := client.SendUserOperation(t.Context(), operation(), entryPoint)
		var answer *bundler.Error
		require.ErrorAs(t, err, &answer, vendor)
		require.NotErrorIs(t, err, bundler.ErrAlreadyKnown, vendor)
		require.False(t, answer.MayBeDelivered(), "%v", err)
		require.False(t, answer.Temporary(), "%v", err)
		require.ErrorContains(t, err, "replace it with account.Account's Replace, or with account.WithNonce and account.WithFees: both fees have to be at least 10 % above its own", vendor)
	}
}

// Voltaire and Skandha tell the transaction that they are trying, before it is in a block.
func TestAnAttemptIsNoInclusion(t *testing.T) {
	pending := fieldAnswers(t)["pending"]
	skandha := strings.ReplaceAll(pending, `"blockHash":null`, `"blockHash":""`)
	require.NotEqual(t, pending, skandha)
	empty := strings.ReplaceAll(skandha, `"blockNumber":null`, `"blockNumber":""`)
	hex := strings.ReplaceAll(skandha, `"blockHash":""`, `"blockHash":"0x"`)
	for _, body := range []string{pending, skandha, empty, hex} {
		client, _ := withHabits(map[string][]string{"eth_getUserOperationByHash": {body}})
		known, err := client.UserOperationByHash(t.Context(), opHash)
		require.NoError(t, err)
		require.False(t, known.Included())
		require.Equal(t, common.HexToHash("0x4a4da7c32ab96281c6c869bf0e5b0ccc5c537ea1c6d887e8ec9de2c4fd5106a6"), known.TransactionHash)
	}
	included := strings.ReplaceAll(skandha, `"blockNumber":null`, `"blockNumber":"0x7"`)
	client, _ := withHabits(map[string][]string{"eth_getUserOperationByHash": {included}})
	known, err := client.UserOperationByHash(t.Context(), opHash)
	require.NoError(t, err)
	require.True(t, known.Included(), "the reference bundler tells no block hash")
	require.EqualValues(t, 7, known.BlockNumber)
}

func TestMessagesNameHostCauseAndWayOut(t *testing.T) {
	client, _ := withHabits(nil)
	_, err := client.SupportedEntryPoints(t.Context())
	require.EqualError(t, err, "bundler: eth_supportedEntryPoints: Method not found (code -32601): https://bundler.example/… does not seem to be an ERC-4337 bundler,"+
		" but a plain node; give a bundler's URL, and the node's where the chain is read")
	for method, body := range map[string]string{
		"go-ethereum": `{"id":$ID,"error":{"code":-32601,"message":"the method eth_supportedEntryPoints does not exist/is not available"}}`,
		"Hardhat":     `{"id":$ID,"error":{"code":-32004,"message":"Method eth_supportedEntryPoints is not supported"}}`,
		"Anvil":       `{"id":$ID,"error":{"code":-32602,"message":"data did not match any variant of untagged enum EthRpcCall"}}`,
		"Alchemy":     `{"id":$ID,"error":{"code":-32600,"message":"Unsupported method: eth_supportedEntryPoints on ETH_MAINNET"}}`,
	} {
		client, _ := withHabits(map[string][]string{"eth_supportedEntryPoints": {body}})
		_, err := client.SupportedEntryPoints(t.Context())
		require.ErrorIs(t, err, bundler.ErrMethodNotFound, method)
		require.ErrorContains(t, err, "but a plain node", method)
	}

	server := bundlertest.NewServer(t, bundlertest.Config{})
	server.On("eth_chainId", bundlertest.Status(http.StatusUnauthorized, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"Must be authenticated!"}}`))
	denied := bundler.New(server.URL() + "/v2/k-123456")
	defer denied.Close()
	_, err = denied.ChainID(t.Context())
	require.EqualError(t, err, "bundler: eth_chainId: Must be authenticated! (code -32600, HTTP 401): check the key in the URL of "+server.URL()+"/…")
}
