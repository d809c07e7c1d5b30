package accounttest

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/userop"
)

func TestTokenHashIsTheContracts(t *testing.T) {
	chain := NewChain(t, ChainConfig{})
	op := &userop.Operation{Sender: common.Address{1}, InitCode: []byte{2}, CallData: []byte{3, 4}, PaymasterAndData: []byte{5}, Signature: []byte{6}}
	op.Nonce.SetUint64(7)
	op.CallGasLimit.SetUint64(8)
	op.VerificationGasLimit.SetUint64(9)
	op.PreVerificationGas.SetUint64(10)
	op.MaxFeePerGas.SetUint64(11)
	op.MaxPriorityFeePerGas.SetUint64(12)
	data := contracts.TokenPaymasterData{
		Paymaster: chain.Contracts.TokenPaymaster, Source: 1, ValidUntil: 13, ValidAfter: 14,
		Token: common.Address{15}, Oracle: common.Address{16}, Rate: *uint256.NewInt(17), Markup: 18,
	}
	fn := abi.MustParseFunction(`function getHash((address sender, uint256 nonce, bytes initCode, bytes callData, uint256 callGasLimit,
		uint256 verificationGasLimit, uint256 preVerificationGas, uint256 maxFeePerGas, uint256 maxPriorityFeePerGas, bytes paymasterAndData,
		bytes signature) op, uint8 source, (uint48 validUntil, uint48 validAfter, address token, address oracle, uint256 rate, uint32 markup) price)`)
	call, err := fn.Pack(*op, data.Source, []any{data.ValidUntil, data.ValidAfter, data.Token, data.Oracle, data.Rate, data.Markup})
	require.NoError(t, err)
	result, err := chain.Call(t.Context(), chain.Contracts.TokenPaymaster, call)
	require.NoError(t, err)
	want, err := contracts.DecodeHash(result)
	require.NoError(t, err)
	require.Equal(t, want, kit.TokenHash(op, &data, chain.ChainID()))
}

// tokenBalance reads an ERC-20 balance.
func (s *stage) tokenBalance(token, of common.Address) *big.Int {
	s.t.Helper()
	result, err := s.chain.Call(s.t.Context(), token, contracts.BalanceOf(of))
	require.NoError(s.t, err)
	balance, err := contracts.DecodeUint256(result)
	require.NoError(s.t, err)
	return balance.ToBig()
}

func (s *stage) mintTokens(token, to common.Address, amount uint64) {
	s.t.Helper()
	call, err := abi.Pack("function mint(address to, uint256 amount)", to, amount)
	require.NoError(s.t, err)
	_, err = s.chain.SendTx(s.t.Context(), token, nil, call)
	require.NoError(s.t, err)
}

// approving is a batch that allows the token paymaster an amount before it stores a number.
func (s *stage) approving(token common.Address, amount uint64) []byte {
	s.t.Helper()
	at := s.chain.Contracts
	store, err := abi.Pack("function store(uint256 n)", 1)
	require.NoError(s.t, err)
	return contracts.ExecuteBatch([]abi.Call{
		{To: token, Data: contracts.Approve(at.TokenPaymaster, *uint256.NewInt(amount))},
		{To: at.Target, Data: store},
	})
}

func TestTokenPaymasterIsPaid(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	for _, token := range []common.Address{s.chain.Contracts.Token6, s.chain.Contracts.ResetToken, s.chain.Contracts.Token} {
		const funds = 1e18 // 1 of a token of 18 decimals, and plenty of the others
		s.mintTokens(token, user.address, funds)
		op := s.draft(user.address, 0, s.approving(token, funds))
		require.NoError(t, s.sponsorIn(token, op, ownedBy(user.key)))
		data, err := contracts.DecodeTokenPaymasterData(op.PaymasterAndData)
		require.NoError(t, err)
		require.Equal(t, s.chain.Contracts.TokenPaymaster, data.Paymaster)
		require.Equal(t, token, data.Token)

		hash, err := s.signAndSend(op, ownedBy(user.key))
		require.NoError(t, err)
		receipt := s.wait(hash)
		require.True(t, receipt.Success, receipt.Reason)
		require.Equal(t, s.chain.Contracts.TokenPaymaster, receipt.Paymaster)

		var charged contracts.TokenPaymasterOperation
		for _, log := range receipt.Logs {
			if got, err := contracts.DecodeTokenPaymasterOperation(log); err == nil {
				charged = got
			}
		}
		require.Equal(t, contracts.TokenPaymasterOperation{Sender: user.address, Token: token, Charge: charged.Charge, UserOpHash: hash}, charged)
		require.Equal(t, charged.Charge.ToBig(), s.tokenBalance(token, s.chain.Contracts.TokenPaymaster))
		require.Equal(t, big.NewInt(funds).Sub(big.NewInt(funds), charged.Charge.ToBig()), s.tokenBalance(token, user.address))
		least, err := data.Fee(&receipt.ActualGasCost)
		require.NoError(t, err)
		require.True(t, charged.Charge.Gt(new(uint256.Int).Div(new(uint256.Int).Mul(&least, uint256.NewInt(9)), uint256.NewInt(10))),
			"took %s for what costs %s", charged.Charge.Dec(), least.Dec())
	}
}

func TestTokenPaymasterRefuses(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	token := s.chain.Contracts.Token6
	sign := ownedBy(user.key)

	op := s.draft(user.address, 0, s.approving(token, 1e6))
	requireRPCError(t, s.sponsorIn(token, op, sign), codePaymaster, "AA33 reverted: BTPM: account does not have enough token balance")
	s.mintTokens(token, user.address, 10e6)
	op = s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 1))
	requireRPCError(t, s.sponsorIn(common.Address{1}, op, sign), jsonrpctest.CodeInvalidInput, "token 0x0100000000000000000000000000000000000000 is not supported")

	op = s.draft(user.address, 0, s.approving(token, 10e6))
	require.NoError(t, s.sponsorIn(token, op, sign))
	data, err := contracts.DecodeTokenPaymasterData(op.PaymasterAndData)
	require.NoError(t, err)
	data.Rate.SubUint64(&data.Rate, 1) // cheaper than was signed
	op.PaymasterAndData = data.Pack()
	_, err = s.signAndSend(op, sign)
	requireRPCError(t, err, codeSignature, "AA34 signature error")
}

// An account that does not let the paymaster take its tokens is asked twice and has its calls undone; nobody
// tells why, but for the event.
func TestTokenPaymentIsDue(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	token := s.chain.Contracts.Token6
	s.mintTokens(token, user.address, 10e6)
	op := s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 77))
	require.NoError(t, s.sponsorIn(token, op, ownedBy(user.key)))
	hash, err := s.signAndSend(op, ownedBy(user.key))
	require.NoError(t, err)
	receipt := s.wait(hash)
	require.False(t, receipt.Success)
	require.Empty(t, receipt.Reason)
	require.Empty(t, receipt.RevertData)
	require.Len(t, receipt.Logs, 2, "and the operation's own event")
	due := receipt.Logs[0]
	require.Equal(t, s.chain.Contracts.TokenPaymaster, due.Address)
	require.Equal(t, abi.MustParseEvent("event TokenPaymentDue(address indexed token, address indexed account, uint256 indexed charge)").Topic(), due.Topics[0])
	require.Equal(t, []common.Hash{common.BytesToHash(token[:]), common.BytesToHash(user.address[:])}, due.Topics[1:3])
	require.NotZero(t, due.Topics[3])
	require.Equal(t, big.NewInt(10e6), s.tokenBalance(token, user.address))
	call, err := abi.Pack("function number()")
	require.NoError(t, err)
	number, err := s.chain.Call(t.Context(), s.chain.Contracts.Target, call)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 32), number, "the call is undone")
}

// An oracle that the price names has the last word: not the rate that was signed.
func TestTokenPaymasterAsksItsOracle(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	token, at := s.chain.Contracts.Token6, s.chain.Contracts
	s.mintTokens(token, user.address, 1_000e6)
	charge := func(oracle common.Address) *uint256.Int {
		t.Helper()
		s.paymaster.SetOracle(oracle)
		before := s.tokenBalance(token, user.address)
		op := s.draft(user.address, 0, s.approving(token, 1_000e6))
		require.NoError(t, s.sponsorIn(token, op, ownedBy(user.key)))
		data, err := contracts.DecodeTokenPaymasterData(op.PaymasterAndData)
		require.NoError(t, err)
		require.Equal(t, oracle, data.Oracle)
		require.Equal(t, oracle != common.Address{}, data.Source == 1)
		hash, err := s.signAndSend(op, ownedBy(user.key))
		require.NoError(t, err)
		receipt := s.wait(hash)
		require.True(t, receipt.Success, receipt.Reason)
		taken := uint256.MustFromBig(before.Sub(before, s.tokenBalance(token, user.address)))
		return taken.Div(taken.Mul(taken, uint256.NewInt(1e18)), &receipt.ActualGasCost) // in the end, the rate
	}
	charge(common.Address{}) // the first one makes the paymaster's balance
	signed := charge(common.Address{})
	require.True(t, signed.Gt(uint256.NewInt(2_000e6)), "a rate of %s", signed.Dec())
	require.True(t, charge(at.Oracle).Lt(uint256.NewInt(5_000e6)), "it knows no rate, the signed one holds")
	call, err := abi.Pack("function setRate(address token, uint256 perEther)", token, uint64(200_000e6))
	require.NoError(t, err)
	_, err = s.chain.SendTx(t.Context(), at.Oracle, nil, call)
	require.NoError(t, err)
	dear := charge(at.Oracle)
	require.True(t, dear.Gt(uint256.NewInt(200_000e6)), "a rate of %s", dear.Dec())
	require.True(t, charge(common.Address{}).Lt(uint256.NewInt(5_000e6)))
}

type quotesAnswer struct {
	Mode             string
	PaymasterAddress common.Address
	PaymasterAndData hexutil.Bytes
	FeeQuotes        []struct {
		Symbol       string
		TokenAddress common.Address
		Decimal      uint8
		MaxGasFee    float64
		ValidUntil   int64
	}
}

func TestFeeQuotes(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner") // without tokens, and not deployed
	op := s.draft(user.address, 0, s.approving(s.chain.Contracts.Token6, 1e6))
	op.InitCode, op.Signature = user.initCode, ownedBy(user.key)(common.Hash{1})
	ask := func(info map[string]any) (answer quotesAnswer) {
		t.Helper()
		params := map[string]any{"mode": "ERC20", "calculateGasLimits": true, "tokenInfo": info}
		require.NoError(t, s.toPayer.Call(&answer, "pm_getFeeQuoteOrData", op, params))
		require.Equal(t, "ERC20", answer.Mode)
		require.Equal(t, s.chain.Contracts.TokenPaymaster, answer.PaymasterAddress)
		return answer
	}
	all := ask(map[string]any{"tokenList": []string{}})
	require.Len(t, all.FeeQuotes, 3)
	now, err := s.chain.Now(t.Context())
	require.NoError(t, err)
	for _, quote := range all.FeeQuotes {
		require.InDelta(t, all.FeeQuotes[0].MaxGasFee, quote.MaxGasFee, 1e-5, "all at the same rate")
		require.Greater(t, quote.ValidUntil, now.Unix())
	}
	require.Equal(t, "DEMO", all.FeeQuotes[0].Symbol)
	require.EqualValues(t, 18, all.FeeQuotes[0].Decimal)

	s.paymaster.SetRate(s.chain.Contracts.Token6, big.NewInt(4_000_000_000))
	s.paymaster.SetRate(s.chain.Contracts.ResetToken, nil)
	some := ask(map[string]any{"tokenList": []common.Address{s.chain.Contracts.Token6, s.chain.Contracts.ResetToken}})
	require.Len(t, some.FeeQuotes, 1, "one is not taken any more")
	require.Equal(t, s.chain.Contracts.Token6, some.FeeQuotes[0].TokenAddress)
	require.InDelta(t, 2*all.FeeQuotes[0].MaxGasFee, some.FeeQuotes[0].MaxGasFee, 1e-5)
	preferred := ask(map[string]any{"tokenList": []string{}, "preferredToken": s.chain.Contracts.Token})
	require.Len(t, preferred.FeeQuotes, 1)

	var sponsored quotesAnswer
	require.NoError(t, s.toPayer.Call(&sponsored, "pm_getFeeQuoteOrData", op, map[string]any{"mode": "SPONSORED", "calculateGasLimits": true}))
	require.Equal(t, "SPONSORED", sponsored.Mode)
	require.Equal(t, s.chain.Contracts.Paymaster[:], []byte(sponsored.PaymasterAndData[:20]))
}

func TestUnsponsoredIsEmptyData(t *testing.T) {
	chain := NewChain(t, ChainConfig{})
	p := NewPaymaster(t, PaymasterConfig{Chain: chain, Policy: func(*userop.Operation) error { return ErrUnsponsored }})
	var answer map[string]any
	require.NoError(t, dial(t, p.URL()).Call(&answer, "pm_sponsorUserOperation", new(userop.Operation), map[string]any{"mode": "SPONSORED"}))
	require.Equal(t, map[string]any{"paymasterAndData": "0x"}, answer)
}

func TestFraction(t *testing.T) {
	for _, c := range []struct {
		units    uint64
		decimals uint8
		want     string
	}{{0, 6, "0.000000"}, {1, 6, "0.000001"}, {1_500_000, 6, "1.500000"}, {7, 0, "7"}} {
		require.Equal(t, c.want, fraction(uint256.NewInt(c.units), c.decimals))
	}
}
