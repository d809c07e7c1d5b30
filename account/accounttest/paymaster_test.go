package accounttest

import (
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/userop"
)

func TestPaymasterHashIsTheContracts(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	op := &userop.Operation{Sender: common.Address{1}, InitCode: []byte{2}, CallData: []byte{3, 4}, PaymasterAndData: []byte{5}, Signature: []byte{6}}
	op.Nonce.SetUint64(7)
	op.CallGasLimit.SetUint64(8)
	op.VerificationGasLimit.SetUint64(9)
	op.PreVerificationGas.SetUint64(10)
	op.MaxFeePerGas.SetUint64(11)
	op.MaxPriorityFeePerGas.SetUint64(12)

	fn := abi.MustParseFunction(`function getHash((address sender, uint256 nonce, bytes initCode, bytes callData, uint256 callGasLimit,
		uint256 verificationGasLimit, uint256 preVerificationGas, uint256 maxFeePerGas, uint256 maxPriorityFeePerGas, bytes paymasterAndData,
		bytes signature) op, address paymasterId, uint48 validUntil, uint48 validAfter)`)
	call, err := fn.Pack(*op, s.paymaster.id, 100, 50)
	require.NoError(t, err)
	result, err := s.chain.Call(t.Context(), s.chain.Contracts.Paymaster, call)
	require.NoError(t, err)
	want, err := contracts.DecodeHash(result)
	require.NoError(t, err)
	data := contracts.VerifyingPaymasterData{Paymaster: s.paymaster.contract, PaymasterID: s.paymaster.id, ValidUntil: 100, ValidAfter: 50}
	require.Equal(t, want, kit.SponsorHash(op, &data, s.chain.ChainID()))
}

func TestPaymasterPays(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	before, err := s.paymaster.Balance(t.Context())
	require.NoError(t, err)
	require.Equal(t, ether(1_000), before)

	user := s.account("owner")
	op := s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 1))
	op.InitCode = user.initCode
	receipt := s.do(op, ownedBy(user.key))
	requireTight(t, op, receipt)

	after, err := s.paymaster.Balance(t.Context())
	require.NoError(t, err)
	paid := new(big.Int).Sub(before, after)
	require.Negative(t, receipt.ActualGasCost.ToBig().Cmp(paid.Mul(paid, big.NewInt(2))), "the operation's cost was taken from the balance")
}

func TestPaymasterKeepsLimitsItWasGiven(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	op := s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 1))
	op.Signature = ownedBy(user.key)(common.Hash{1})
	op.CallGasLimit.SetUint64(123_456)
	op.VerificationGasLimit.SetUint64(234_567)
	op.PreVerificationGas.SetUint64(60_000)
	var answer map[string]any
	require.NoError(t, s.toPayer.Call(&answer, "pm_sponsorUserOperation", op, map[string]any{"mode": "SPONSORED"}))
	require.Len(t, answer, 1, "no limits: %v", answer)
	op.PaymasterAndData = common.FromHex(answer["paymasterAndData"].(string))
	hash, err := s.signAndSend(op, ownedBy(user.key))
	require.NoError(t, err)
	require.True(t, s.wait(hash).Success)
}

func TestPaymasterRefuses(t *testing.T) {
	chain := NewChain(t, ChainConfig{})
	bundler := NewBundler(t, BundlerConfig{Chain: chain})
	start := func(cfg PaymasterConfig) *stage {
		cfg.Chain = chain
		s := &stage{t: t, chain: chain, bundler: bundler, paymaster: NewPaymaster(t, cfg)}
		s.toBundler, s.toPayer = dial(t, bundler.URL()), dial(t, s.paymaster.URL())
		return s
	}
	user := start(PaymasterConfig{}).account("owner")
	sponsor := func(s *stage) (*userop.Operation, error) {
		op := s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 1))
		op.InitCode = user.initCode
		return op, s.sponsor(op, ownedBy(user.key))
	}

	t.Run("policy", func(t *testing.T) {
		_, err := sponsor(start(PaymasterConfig{Policy: func(op *userop.Operation) error {
			require.Equal(t, user.address, op.Sender)
			return errors.New("the contract is not on the list")
		}}))
		requireRPCError(t, err, jsonrpctest.CodeServerError, "the contract is not on the list")
	})
	t.Run("empty balance", func(t *testing.T) {
		s := start(PaymasterConfig{PaymasterID: Address("poor"), Deposit: new(big.Int)})
		_, err := sponsor(s)
		requireRPCError(t, err, codePaymaster, "AA33 reverted (or OOG)")
		require.NoError(t, s.paymaster.Deposit(t.Context(), ether(1)))
		_, err = sponsor(s)
		require.NoError(t, err)
	})
	t.Run("foreign signer", func(t *testing.T) {
		s := start(PaymasterConfig{Signer: Key("thief")})
		op, err := sponsor(s)
		require.NoError(t, err, "the service does not know")
		_, err = s.signAndSend(op, ownedBy(user.key))
		requireRPCError(t, err, codeSignature, "AA34 signature error")
	})
	t.Run("expired", func(t *testing.T) {
		s := start(PaymasterConfig{Validity: time.Minute})
		op, err := sponsor(s)
		require.NoError(t, err)
		require.NoError(t, chain.AdjustTime(time.Hour))
		_, err = s.signAndSend(op, ownedBy(user.key))
		requireRPCError(t, err, codeTimeRange, "AA32 paymaster expired or not due")
	})
	t.Run("mode", func(t *testing.T) {
		s := start(PaymasterConfig{})
		err := s.toPayer.Call(nil, "pm_sponsorUserOperation", s.draft(user.address, 0, nil), map[string]any{"mode": "FREE"})
		requireRPCError(t, err, jsonrpctest.CodeInvalidInput, `mode "FREE" is neither SPONSORED nor ERC20`)
	})
	_, err := StartPaymaster(PaymasterConfig{})
	require.EqualError(t, err, "start paymaster: it needs a chain")
}

func TestERC7677(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	op := s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 1))
	entryPoint, chainID := s.chain.Contracts.EntryPoint, hexutil.Uint64(s.chain.ChainID())

	var stub struct {
		PaymasterAndData hexutil.Bytes
		IsFinal          bool
		Sponsor          struct{ Name string }
	}
	require.NoError(t, s.toPayer.Call(&stub, "pm_getPaymasterStubData", op, entryPoint, chainID, map[string]any{}))
	require.False(t, stub.IsFinal)
	require.NotEmpty(t, stub.Sponsor.Name)
	op.PaymasterAndData = stub.PaymasterAndData
	require.NoError(t, s.estimate(op, ownedBy(user.key)))

	var final struct{ PaymasterAndData hexutil.Bytes }
	require.NoError(t, s.toPayer.Call(&final, "pm_getPaymasterData", op, entryPoint, chainID))
	require.Len(t, final.PaymasterAndData, len(stub.PaymasterAndData))
	op.PaymasterAndData = final.PaymasterAndData
	hash, err := s.signAndSend(op, ownedBy(user.key))
	require.NoError(t, err)
	require.True(t, s.wait(hash).Success)

	for _, method := range []string{"pm_getPaymasterStubData", "pm_getPaymasterData"} {
		requireRPCError(t, s.toPayer.Call(nil, method, op, common.Address{1}, chainID), jsonrpctest.CodeInvalidInput, "is not supported")
		requireRPCError(t, s.toPayer.Call(nil, method, op, entryPoint, "0x1"), jsonrpctest.CodeInvalidInput, "chain 0x1 is not served, only 80002 is")
	}
}
