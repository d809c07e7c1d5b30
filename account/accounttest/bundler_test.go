package accounttest

import (
	"encoding/json"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/userop"
)

// target packs an operation's call of the demo target.
func (s *stage) target(value uint64, signature string, args ...any) []byte {
	s.t.Helper()
	call, err := abi.Pack(signature, args...)
	require.NoError(s.t, err)
	return contracts.Execute(s.chain.Contracts.Target, *uint256.NewInt(value), call)
}

func TestBundlerNamesItself(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	var id hexutil.Uint64
	require.NoError(t, s.toBundler.Call(&id, "eth_chainId"))
	require.EqualValues(t, DefaultChainID, id)
	var entryPoints []common.Address
	require.NoError(t, s.toBundler.Call(&entryPoints, "eth_supportedEntryPoints"))
	require.Equal(t, []common.Address{s.chain.Contracts.EntryPoint}, entryPoints)

	requireRPCError(t, s.toBundler.Call(nil, "biconomy_getGasFeeValues"), -32601, "does not exist")
	requireRPCError(t, s.toBundler.Call(nil, "pimlico_getUserOperationGasPrice"), -32601, "does not exist")
}

func TestSelfPayingAccount(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	require.NoError(t, s.chain.Fund(t.Context(), user.address, ether(1)))
	sign := ownedBy(user.key)

	for _, deployed := range []bool{false, true} {
		op := s.draft(user.address, 0, s.target(5, "function store(uint256 n)", 9))
		if !deployed {
			op.InitCode = user.initCode
		}
		require.NoError(t, s.estimate(op, sign))
		hash, err := s.signAndSend(op, sign)
		require.NoError(t, err)
		receipt := s.wait(hash)
		require.True(t, receipt.Success, receipt.Reason)
		require.Zero(t, receipt.Paymaster)
		require.Equal(t, op.Nonce, receipt.Nonce)
		require.Equal(t, s.chain.Contracts.EntryPoint, receipt.EntryPoint)
		requireTight(t, op, receipt)
	}
	balance, err := s.chain.Client().BalanceAt(t.Context(), s.chain.Contracts.Target, nil)
	require.NoError(t, err)
	require.EqualValues(t, 10, balance.Uint64())
}

// requireTight wants limits that are not much more than what was used.
func requireTight(t *testing.T, op *userop.Operation, receipt *userop.Receipt) {
	t.Helper()
	limits := op.CallGasLimit.Uint64() + op.VerificationGasLimit.Uint64() + op.PreVerificationGas.Uint64()
	used := receipt.ActualGasUsed.Uint64()
	require.Less(t, used, limits+20_000)
	require.Less(t, limits, used*3/2, "limits are far above the %d gas that was used", used)
}

// The executor gets back at least what a bundle cost it.
func TestBundlesPayForThemselves(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	executor := crypto.PubkeyToAddress(s.bundler.executor.PublicKey)
	balance := func() *big.Int {
		b, err := s.chain.Client().BalanceAt(t.Context(), executor, nil)
		require.NoError(t, err)
		return b
	}
	for _, writes := range []int{0, 1, 20} {
		before := balance()
		s.do(s.draft(user.address, 0, s.target(0, "function burn(uint256 writes)", writes)), ownedBy(user.key))
		require.Positive(t, balance().Cmp(before), "%d writes: the bundle cost more than it brought", writes)
	}
}

func TestManyLanesInFewBundles(t *testing.T) {
	const lanes = 200
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	before := s.bundler.Bundles()

	model := s.draft(user.address, 0, s.mint(user.address))
	require.NoError(t, s.sponsor(model, ownedBy(user.key)))
	hashes := make([]common.Hash, lanes)
	errs := make([]error, lanes)
	var group sync.WaitGroup
	for i := range lanes {
		op := model.Clone()
		op.Nonce.Lsh(uint256.NewInt(uint64(i+1)), 64)
		require.NoError(t, s.paymaster.seal(t.Context(), op))
		op.Signature = ownedBy(user.key)(s.hash(op))
		group.Go(func() { hashes[i], errs[i] = s.send(op) })
	}
	group.Wait()
	for i := range lanes {
		require.NoError(t, errs[i])
		require.True(t, s.wait(hashes[i]).Success)
	}
	require.EqualValues(t, lanes, s.nfts(user.address))
	require.LessOrEqual(t, s.bundler.Bundles()-before, lanes/5, "bundles")
	t.Logf("%d operations in %d bundles", lanes, s.bundler.Bundles()-before)
}

func TestReceiptHasOwnLogsOnly(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	s.bundler.Pause()
	var hashes [3]common.Hash
	for i := range hashes {
		op := s.draft(user.address, uint64(i+1), s.target(0, "function store(uint256 n)", i+100))
		require.NoError(t, s.sponsor(op, ownedBy(user.key)))
		var err error
		hashes[i], err = s.signAndSend(op, ownedBy(user.key))
		require.NoError(t, err)
	}
	s.bundler.Resume()
	called := abi.MustParseEvent("event Called(address indexed caller, uint256 value, uint256 number)")
	for i, hash := range hashes {
		receipt := s.wait(hash)
		require.Equal(t, s.wait(hashes[0]).TransactionHash, receipt.TransactionHash, "all are in one bundle")
		require.NotEmpty(t, receipt.Logs)
		args, err := called.Decode(receipt.Logs[0])
		require.NoError(t, err)
		require.Equal(t, big.NewInt(int64(i+100)), args[2])
		last := receipt.Logs[len(receipt.Logs)-1]
		require.Equal(t, []common.Hash{contracts.UserOperationEventTopic, hash}, last.Topics[:2])
		require.Len(t, userOpEvents(receipt.Logs), 1)

		bundle, err := s.chain.Client().TransactionReceipt(t.Context(), receipt.TransactionHash)
		require.NoError(t, err)
		require.Equal(t, bundle.BlockHash, receipt.BlockHash)
	}
}

func userOpEvents(logs []*types.Log) (events []*types.Log) {
	for _, l := range logs {
		if l.Topics[0] == contracts.UserOperationEventTopic {
			events = append(events, l)
		}
	}
	return events
}

func TestFailedCallIsIncluded(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	op := s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 1))
	require.NoError(t, s.sponsor(op, ownedBy(user.key)))
	op.CallData = s.target(0, "function failRequire(string reason)", "broken promise")
	require.NoError(t, s.paymaster.seal(t.Context(), op))
	hash, err := s.signAndSend(op, ownedBy(user.key))
	require.NoError(t, err, "only a bundler that simulates execution refuses it")
	receipt := s.wait(hash)
	require.False(t, receipt.Success)
	require.Equal(t, "broken promise", receipt.Reason)
	require.Equal(t, "broken promise", contracts.DecodeRevert(receipt.RevertData).String())
}

func TestEstimateTellsWhyACallReverts(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	for _, c := range []struct {
		name, signature string
		arg             any
		message         string
	}{
		{"require", "function failRequire(string reason)", "no luck", "execution reverted: no luck"},
		{"panic", "function failPanic(uint256 divisor)", 0, "execution reverted: panic 0x12: division or modulo by zero"},
		{"custom", "function failCustom(uint256 code)", 7, "execution reverted: 0x"},
		{"nothing", "function failSilently()", nil, "execution reverted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var args []any
			if c.arg != nil {
				args = append(args, c.arg)
			}
			for _, refuse := range []func(*userop.Operation, signFunc) error{s.estimate, s.sponsor} {
				op := s.draft(user.address, 0, s.target(0, c.signature, args...))
				data := requireRPCError(t, refuse(op, ownedBy(user.key)), codeReverted, c.message)
				if c.name == "custom" {
					known := abi.MustParseErrorDef("error DemoError(address caller, uint256 code)")
					require.Equal(t, "DemoError(caller="+user.address.Hex()+", code=7)", contracts.DecodeRevert(data, known).String())
				}
			}
		})
	}
}

func TestEstimateWithStateOverride(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	op := s.draft(user.address, 0, s.target(1_000, "function store(uint256 n)", 1))
	op.Signature = ownedBy(user.key)(common.Hash{1})
	estimate := func(overrides any) error {
		return s.toBundler.Call(new(gasEstimate), "eth_estimateUserOperationGas", op, s.chain.Contracts.EntryPoint, overrides)
	}
	requireRPCError(t, estimate(map[string]any{}), codeReverted, "execution reverted") // the account has no money to send
	require.NoError(t, estimate(map[string]any{user.address.Hex(): map[string]any{"balance": "0x3e8"}}))
	require.NoError(t, estimate(map[string]any{user.address.Hex(): map[string]any{"balance": "0x3e8"}, s.chain.Contracts.Target.Hex(): map[string]any{"code": "0x00"}}))
}

func TestEstimateTakesDrafts(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	draft := map[string]any{
		"sender": user.address, "nonce": "0x1", "initCode": "0x", "callData": hexutil.Bytes(s.target(0, "function store(uint256 n)", 1)),
		"signature": hexutil.Bytes(ownedBy(user.key)(common.Hash{1})),
	}
	var answer gasEstimate
	require.NoError(t, s.toBundler.Call(&answer, "eth_estimateUserOperationGas", draft, s.chain.Contracts.EntryPoint))
	require.Positive(t, answer.CallGasLimit.Int().Uint64())
}

func TestBundlerRefuses(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	for _, c := range []struct {
		name    string
		change  func(*userop.Operation)
		signer  string
		code    int
		message string
	}{
		{"nonce used", func(op *userop.Operation) { op.Nonce.Clear() }, "owner", codeRejected, "AA25 invalid account nonce"},
		{"nonce ahead", func(op *userop.Operation) { op.Nonce.AddUint64(&op.Nonce, 1) }, "owner", codeRejected, "AA25 invalid account nonce"},
		{"deployed already", func(op *userop.Operation) { op.InitCode = user.initCode }, "owner", codeRejected, "AA10 sender already constructed"},
		{"no account", func(op *userop.Operation) { op.Sender = common.Address{9}; op.Nonce.Clear() }, "owner", codeRejected, "AA20 account not deployed"},
		{"no paymaster", func(op *userop.Operation) { op.PaymasterAndData[0] = 9 }, "owner", codePaymaster, "AA30 paymaster not deployed"},
		{"paymaster's signature", func(op *userop.Operation) { op.CallGasLimit.AddUint64(&op.CallGasLimit, 1) }, "owner", codeSignature, "AA34 signature error"},
		{"no money", func(op *userop.Operation) { op.PaymasterAndData = nil }, "owner", codeRejected, "AA21 didn't pay prefund"},
		{"no verification gas", func(op *userop.Operation) { op.VerificationGasLimit.SetUint64(3_000) }, "owner", codeRejected, "AA23 reverted (or OOG)"},
		{"account's signature", func(*userop.Operation) {}, "thief", codeSignature, "AA24 signature error"},
		{"tip above fee", func(op *userop.Operation) { op.MaxFeePerGas.SetOne() }, "owner", jsonrpctest.CodeInvalidInput, "is above maxFeePerGas 1"},
		{"fee too low", func(op *userop.Operation) { op.MaxFeePerGas.SetOne(); op.MaxPriorityFeePerGas.SetOne() }, "owner", jsonrpctest.CodeInvalidInput, "maxFeePerGas is too low"},
		{"preVerificationGas too low", func(op *userop.Operation) { op.PreVerificationGas.SetUint64(21_000) }, "owner", jsonrpctest.CodeInvalidInput, "preVerificationGas is too low"},
		{"verificationGasLimit too high", func(op *userop.Operation) { op.VerificationGasLimit.SetAllOne() }, "owner", jsonrpctest.CodeInvalidInput, "verificationGasLimit is too high"},
		{"callGasLimit too high", func(op *userop.Operation) { op.CallGasLimit.SetAllOne() }, "owner", jsonrpctest.CodeInvalidInput, "callGasLimit is too high"},
	} {
		t.Run(c.name, func(t *testing.T) {
			op := s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 1))
			require.NoError(t, s.sponsor(op, ownedBy(user.key)))
			c.change(op)
			_, err := s.signAndSend(op, ownedBy(Key(c.signer)))
			data := requireRPCError(t, err, c.code, c.message)
			if c.code != jsonrpctest.CodeInvalidInput {
				require.Equal(t, "FailedOp", contracts.DecodeRevert(data).Name)
			}
		})
	}
}

func TestBundlerRefusesBadRequests(t *testing.T) {
	s := newStage(t, bundlertest.Pimlico)
	user := s.account("owner")
	op := s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 1))
	entryPoint := s.chain.Contracts.EntryPoint
	for _, c := range []struct {
		name    string
		params  []any
		message string
	}{
		{"nothing", nil, "missing value for required argument 0"},
		{"no entry point", []any{op}, "missing value for required argument 1"},
		{"other entry point", []any{op, common.Address{7}}, "EntryPoint 0x0700000000000000000000000000000000000000 is not supported"},
		{"simulation type", []any{op, entryPoint, map[string]string{"simulation_type": "validation"}}, "too many arguments"},
		{"shape", []any{map[string]string{"sender": user.address.Hex()}, entryPoint}, "missing nonce"},
		{"number", []any{map[string]any{"sender": user.address, "nonce": "1.5"}, entryPoint}, "not an exact non-negative integer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := s.toBundler.Call(nil, "eth_sendUserOperation", c.params...)
			requireRPCError(t, err, jsonrpctest.CodeInvalidInput, c.message)
		})
	}
}

func TestAlreadyKnownAndReplacement(t *testing.T) {
	s := newStage(t, bundlertest.Biconomy)
	user := s.account("owner")
	s.deploy(user)
	s.bundler.Pause()
	sign := ownedBy(user.key)

	first := s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 1))
	require.NoError(t, s.sponsor(first, sign))
	firstHash, err := s.signAndSend(first, sign)
	require.NoError(t, err)
	require.Equal(t, "BUNDLER_MEMPOOL", s.biconomyState(firstHash))
	_, err = s.send(first)
	requireRPCError(t, err, jsonrpctest.CodeInvalidInput, "already known")

	second := first.Clone()
	second.CallData = s.target(0, "function store(uint256 n)", 2)
	require.NoError(t, s.paymaster.seal(t.Context(), second))
	_, err = s.signAndSend(second, sign)
	requireRPCError(t, err, jsonrpctest.CodeInvalidInput, "replacement underpriced")

	raise := func(v *uint256.Int) { v.Div(v.Mul(v, uint256.NewInt(11)), uint256.NewInt(10)).AddUint64(v, 1) }
	raise(&second.MaxFeePerGas)
	raise(&second.MaxPriorityFeePerGas)
	require.NoError(t, s.paymaster.seal(t.Context(), second))
	secondHash, err := s.signAndSend(second, sign)
	require.NoError(t, err)
	require.Equal(t, "DROPPED_FROM_BUNDLER_MEMPOOL", s.biconomyState(firstHash))
	s.bundler.Resume()
	require.True(t, s.wait(secondHash).Success)
	require.Eventually(t, func() bool { return s.biconomyState(secondHash) == "CONFIRMED" }, 5*time.Second, time.Millisecond)

	_, err = s.send(second)
	requireRPCError(t, err, codeRejected, "AA25 invalid account nonce")
}

func (s *stage) biconomyState(hash common.Hash) string {
	s.t.Helper()
	var answer struct{ State string }
	require.NoError(s.t, s.toBundler.Call(&answer, "biconomy_getUserOperationStatus", hash))
	return answer.State
}

// Two operations that are fine alone, of which one makes the bundle fail once the other is in it.
func TestBundleDropsWhatFailsInIt(t *testing.T) {
	s := newStage(t, bundlertest.Pimlico)
	s.bundler.Pause()
	user := s.account("owner")
	var hashes [2]common.Hash
	for i := range hashes {
		op := s.draft(user.address, uint64(i), s.target(0, "function store(uint256 n)", i))
		op.InitCode = user.initCode
		require.NoError(t, s.sponsor(op, ownedBy(user.key)))
		var err error
		hashes[i], err = s.signAndSend(op, ownedBy(user.key))
		require.NoError(t, err)
	}
	s.bundler.Resume()
	require.True(t, s.wait(hashes[0]).Success)
	status := func(hash common.Hash) (answer pimlicoStatus) {
		require.NoError(t, s.toBundler.Call(&answer, "pimlico_getUserOperationStatus", hash))
		return answer
	}
	require.Eventually(t, func() bool { return status(hashes[0]).Status == "included" }, 5*time.Second, time.Millisecond)
	require.NotNil(t, status(hashes[0]).TransactionHash)
	require.Equal(t, "rejected", status(hashes[1]).Status)
	require.Equal(t, "not_found", status(common.Hash{1}).Status)
	dropped, ok := s.bundler.pool.get(hashes[1])
	require.True(t, ok)
	require.Equal(t, "AA10 sender already constructed", dropped.reason)

	var raw json.RawMessage
	require.NoError(t, s.toBundler.Call(&raw, "eth_getUserOperationByHash", hashes[1]))
	require.Equal(t, "null", string(raw))
}

func TestGetUserOperationByHash(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	s.bundler.Pause()
	op := s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 1))
	require.NoError(t, s.sponsor(op, ownedBy(user.key)))
	hash, err := s.signAndSend(op, ownedBy(user.key))
	require.NoError(t, err)

	lookUp := func() (answer knownOp) {
		require.NoError(t, s.toBundler.Call(&answer, "eth_getUserOperationByHash", hash))
		return answer
	}
	waiting := lookUp()
	require.Equal(t, hash, s.hash(waiting.UserOperation))
	require.Equal(t, op.Signature, waiting.UserOperation.Signature)
	require.Nil(t, waiting.TransactionHash)
	s.bundler.Resume()
	receipt := s.wait(hash)
	included := lookUp()
	require.Equal(t, receipt.TransactionHash, *included.TransactionHash)
	require.Equal(t, receipt.BlockNumber, included.BlockNumber.ToInt().Uint64())
}

func TestVendorMethods(t *testing.T) {
	t.Run("bundlertest.Biconomy", func(t *testing.T) {
		s := newStage(t, bundlertest.Biconomy)
		user := s.account("owner")
		s.deploy(user)
		var fees feeQuote
		require.NoError(t, s.toBundler.Call(&fees, "biconomy_getGasFeeValues"))
		require.Positive(t, fees.MaxFeePerGas.ToInt().Cmp(fees.MaxPriorityFeePerGas.ToInt()))

		op := s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 1))
		require.NoError(t, s.sponsor(op, ownedBy(user.key)))
		op.CallData = s.target(0, "function failRequire(string reason)", "no luck")
		require.NoError(t, s.paymaster.seal(t.Context(), op))
		op.Signature = ownedBy(user.key)(s.hash(op))
		send := func(simulation string) error {
			return s.toBundler.Call(nil, "eth_sendUserOperation", op, s.chain.Contracts.EntryPoint, map[string]string{"simulation_type": simulation})
		}
		requireRPCError(t, send("none"), jsonrpctest.CodeInvalidInput, "simulation_type \"none\"")
		requireRPCError(t, send("validation_and_execution"), codeReverted, "execution reverted: no luck")
		require.NoError(t, send("validation"))
		requireRPCError(t, s.toBundler.Call(nil, "biconomy_getUserOperationStatus", common.Hash{1}), jsonrpctest.CodeInvalidInput, "is not known")
	})
	t.Run("bundlertest.Pimlico", func(t *testing.T) {
		s := newStage(t, bundlertest.Pimlico)
		var price pimlicoPrice
		require.NoError(t, s.toBundler.Call(&price, "pimlico_getUserOperationGasPrice"))
		require.Positive(t, price.Fast.MaxFeePerGas.ToInt().Cmp(price.Slow.MaxFeePerGas.ToInt()))
	})
}

func TestBundlerCloses(t *testing.T) {
	chain := NewChain(t, ChainConfig{})
	bundler, err := StartBundler(BundlerConfig{Chain: chain})
	require.NoError(t, err)
	require.NoError(t, bundler.Close())
	_, err = StartBundler(BundlerConfig{})
	require.EqualError(t, err, "start bundler: it needs a chain")
}
