package secrecy

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/tsstore"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// What no log line has of an operation.
var (
	callSecret      = []byte("ARGUMENTS-OF-THE-CALL")
	signatureSecret = []byte("THE-ACCOUNT'S-SIGNATURE")
	sponsorSecret   = []byte("THE-PAYMASTER'S-SIGNATURE")
	deploySecret    = []byte("SETUP-OF-THE-ACCOUNT")
)

// mixed is an address whose spelling tells.
var mixed = common.HexToAddress("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")

const (
	mixedText = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
	hashText  = "0x00000000000000000000000000000000000000000000000000000000000004d2"
)

func signedOperation() *userop.Operation {
	return &userop.Operation{
		Sender: mixed, CallData: append([]byte{1, 2, 3, 4}, callSecret...), Signature: signatureSecret,
		InitCode: append(mixed.Bytes(), deploySecret...), PaymasterAndData: append(mixed.Bytes(), sponsorSecret...),
	}
}

// inLogs is a value with what the log says of it: attributes of the JSON handler, by their paths.
type inLogs struct {
	value any
	says  map[string]any
}

var (
	chainAndAccount = map[string]any{"chain": 80002.0, "account": mixedText}
	ofOperation     = map[string]any{"account": mixedText, "hash": hashText}
)

func with(these map[string]any, more ...any) map[string]any {
	all := map[string]any{}
	for name, value := range these {
		all[name] = value
	}
	for i := 0; i < len(more); i += 2 {
		all[more[i].(string)] = more[i+1]
	}
	return all
}

// valuesForLogs are all that say themselves what a log says of them.
func valuesForLogs(t *testing.T) map[string]inLogs {
	ref, op, hash := session.Ref{ChainID: 80002, Account: mixed}, signedOperation(), common.HexToHash(hashText)
	client, err := account.NewClient(account.Config{ChainID: 80002, Chain: ownChain{}, Bundler: ownBundler{}})
	require.NoError(t, err)
	aa, _ := userop.ParseAA("AA25 invalid account nonce")
	refused := &bundler.Error{Endpoint: "https://b.example/…", Method: "eth_sendUserOperation", Code: -32500, Message: "AA25 invalid account nonce", AA: aa, Data: json.RawMessage(`"` + string(callSecret) + `"`)}
	lost := &bundler.TransportError{Service: "bundler", Endpoint: "https://b.example/…", Method: "eth_chainId", HTTPStatus: 503, RetryAfter: time.Second}
	entry := &outbox.Entry{
		ID: 7, Send: outbox.Send{ChainID: 80002, Account: mixed, Key: "order 1", Kind: "send", Asked: string(callSecret)},
		State: outbox.StateOpen, Attempts: []outbox.Attempt{{Operation: op, Hash: hash}},
	}
	receipt := &userop.Receipt{Sender: mixed, UserOpHash: hash, BlockNumber: 9, RevertData: callSecret}
	limit := *uint256.NewInt(5)
	stopped := session.Stop{Name: "incident 7", Who: "alice", Why: "a key leaked"}
	return map[string]inLogs{
		"session.Ref":          {ref, chainAndAccount},
		"userop.Operation":     {*op, map[string]any{"account": mixedText, "factory": mixedText, "paymaster": mixedText, "call": fmt.Sprintf("calls 0x01020304 with %d bytes", len(callSecret))}},
		"userop.Operation at":  {op, map[string]any{"account": mixedText}},
		"userop.Pending":       {client.Sender().WatchOperation(op), with(chainAndAccount, "nonce", "0x0", "hash", op.Hash(client.Contracts().EntryPoint, 80002).Hex())},
		"userop.Pending, hash": {client.Sender().Watch(hash), map[string]any{"chain": 80002.0, "hash": hashText}},
		"outbox.Entry":         {entry, with(chainAndAccount, "key", "order 1", "kind", "send", "state", "open", "hash", hashText)},
		"outbox.Entry, copied": {*entry, with(chainAndAccount, "key", "order 1", "hash", hashText)},
		"outbox.Attempt":       {entry.Attempts[0], map[string]any{"hash": hashText}},

		"userop.Error":            {&userop.Error{Step: userop.StepSend, Sender: mixed, Hash: hash, Operation: op, Given: true, Err: fmt.Errorf("refused: %w", refused)}, with(ofOperation, "step", "send", "given", true, "cause.method", "eth_sendUserOperation", "cause.code", -32500.0, "cause.cause.aa", "AA25")},
		"userop.Error, unsigned":  {&userop.Error{Step: userop.StepPrepare, Sender: mixed, Err: errors.New("no")}, map[string]any{"account": mixedText, "step": "prepare"}},
		"userop.RevertError":      {&userop.RevertError{Receipt: receipt}, with(ofOperation, "block", 9.0)},
		"userop.EndedError":       {&userop.EndedError{Hash: hash, Sender: mixed, By: common.Hash{1}}, with(ofOperation, "nonce", "0x0")},
		"userop.EndedError, over": {&userop.EndedError{Hash: hash, Sender: mixed, Until: 5}, with(ofOperation, "until", 5.0)},
		"userop.WaitError":        {&userop.WaitError{Hash: hash, Err: errors.New("over"), Last: lost, Seen: receipt}, with(ofOperation, "cause.method", "eth_chainId")},
		"userop.AAError":          {aa, map[string]any{"aa": "AA25", "reason": "invalid account nonce"}},
		"userop.NotHandedOnError": {&userop.NotHandedOnError{Err: &session.StoppedError{Ref: ref, Stop: stopped}}, map[string]any{"cause.stop": "incident 7"}},
		"outbox.TakenError":       {&outbox.TakenError{Entry: entry, Err: outbox.ErrExists}, map[string]any{"entry.account": mixedText}},
		"outbox.OverBudgetError":  {&outbox.OverBudgetError{ChainID: 80002, Account: mixed, Charge: outbox.Charge{Counter: outbox.Counter{Key: mixed, Unit: outbox.Gas}, Limit: limit}}, with(chainAndAccount, "key", mixedText, "unit", "gas", "limit", "5")},

		"bundler.Error":          {refused, map[string]any{"service": "bundler", "endpoint": "https://b.example/…", "cause.aa": "AA25"}},
		"bundler.TransportError": {lost, map[string]any{"service": "bundler", "status": 503.0, "retryAfter": 1e9}},
		"bundler.MemberError":    {&bundler.MemberError{Member: "a", Err: lost}, map[string]any{"member": "a", "cause.status": 503.0}},
		"bundler.PoolError":      {&bundler.PoolError{Kind: "bundler", Members: []*bundler.MemberError{{Member: "a", Err: lost}, {Member: "b", Err: errors.New("down")}}}, map[string]any{"members.a.status": 503.0, "members.b": "down"}},
		"paymaster.Error":        {&paymaster.Error{Method: "pm_sponsorUserOperation", Message: "no", HTTPStatus: 400}, map[string]any{"service": "paymaster", "status": 400.0}},
		"jsonrpc.Error":          {&jsonrpc.Error{Service: "bundler", Method: "m", Code: 5, Data: json.RawMessage(callSecret)}, map[string]any{"code": 5.0}},

		"policy.Violation":      {&policy.Violation{Session: "one", Rule: 2, Arg: "to", Reason: "ABISV Arg Rule Violated"}, map[string]any{"session": "one", "rule": 2.0, "arg": "to", "reason": "ABISV Arg Rule Violated"}},
		"policy.DangerError":    {&policy.DangerError{Findings: []policy.Finding{{Code: policy.FindingGas}}}, map[string]any{}},
		"session.RootMismatch":  {&session.RootMismatch{Ref: ref, Chain: &hash, TakenBack: hash}, with(chainAndAccount, "onChain", hashText, "takenBack", hashText)},
		"session.StoppedError":  {&session.StoppedError{Ref: ref, Stop: stopped}, with(chainAndAccount, "who", "alice", "why", "a key leaked")},
		"tsstore.FormatError":   {&tsstore.FormatError{Path: "a.json", Entry: "x", Problem: "none"}, map[string]any{"path": "a.json", "entry": "x"}},
		"tsstore.RefusedError":  {&tsstore.RefusedError{Ref: ref}, chainAndAccount},
		"account.KeyReused":     {&account.KeyReusedError{Ref: ref, Key: "order 1"}, with(chainAndAccount, "key", "order 1")},
		"account.LegsError":     {&account.LegsError{Errs: []error{nil, &userop.EndedError{Hash: hash, Sender: mixed}}}, map[string]any{"legs.1.hash": hashText}},
		"account.Simulation":    {&account.SimulationError{Operation: op, AA: aa}, map[string]any{"account": mixedText, "cause.aa": "AA25"}},
		"account.Prepared, nil": {(*account.Prepared)(nil), nil},
		"userop.Pending, nil":   {(*userop.Pending)(nil), nil},
		"session.Sessions, nil": {(*session.Sessions)(nil), nil},
		"abi.Revert":            {abi.DecodeRevert(append(crypto.Keccak256([]byte("x"))[:4], callSecret...)), map[string]any{}},
		"abi.SyntaxError":       {&abi.SyntaxError{Signature: "f(", Column: 3, Problem: "ends"}, map[string]any{"column": 3.0}},
	}
}

// All values say what they are by the same names, keep the text of an error, and tell nothing that is good
// for acting with.
func TestValuesForLogs(t *testing.T) {
	for name, test := range valuesForLogs(t) {
		t.Run(name, func(t *testing.T) {
			require.Implements(t, (*slog.LogValuer)(nil), test.value)
			var asText, asJSON strings.Builder
			slog.New(slog.NewTextHandler(&asText, nil)).Info("x", "it", test.value)
			slog.New(slog.NewJSONHandler(&asJSON, nil)).Info("x", "it", test.value)
			for _, text := range []string{asText.String(), asJSON.String()} {
				require.NotContains(t, text, "panicked")
				for _, secret := range [][]byte{callSecret, signatureSecret, sponsorSecret, deploySecret} {
					require.NotContains(t, text, string(secret))
					require.NotContains(t, strings.ToLower(text), hex.EncodeToString(secret))
				}
				require.NotContains(t, text, strings.ToLower(mixedText), "addresses have their checksum")
			}
			if test.says == nil {
				return
			}
			var line struct{ It map[string]any }
			require.NoError(t, json.Unmarshal([]byte(asJSON.String()), &line), asJSON.String())
			said := map[string]any{}
			flatten("", line.It, said)
			for path, want := range test.says {
				require.Equal(t, want, said[path], "%s in %s", path, asJSON.String())
			}
			if err, ok := test.value.(error); ok {
				require.Equal(t, err.Error(), said["msg"])
				var wrapped strings.Builder
				slog.New(slog.NewJSONHandler(&wrapped, nil)).Info("x", "it", fmt.Errorf("send: %w", err))
				require.NoError(t, json.Unmarshal([]byte(wrapped.String()), &struct{ It string }{}), "wrapped, it is a text")
			}
		})
	}
}

func flatten(path string, group, into map[string]any) {
	for name, value := range group {
		if inner, ok := value.(map[string]any); ok {
			flatten(path+name+".", inner, into)
			continue
		}
		into[path+name] = value
	}
}
