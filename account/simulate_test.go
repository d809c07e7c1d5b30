package account_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// enough are limits with which nothing has to be estimated, and so nothing is tried before.
var enough = account.WithGas(userop.Gas{
	CallGasLimit: *uint256.NewInt(200_000), VerificationGasLimit: *uint256.NewInt(900_000), PreVerificationGas: *uint256.NewInt(100_000),
})

// requireSimulation checks what the simulation says, that nothing was sent, and what the EntryPoint says.
func requireSimulation(t *testing.T, err error, aa, want string) *account.SimulationError {
	t.Helper()
	var failure *account.SimulationError
	require.ErrorAs(t, err, &failure)
	require.ErrorContains(t, err, want)
	var refusal *userop.AAError
	if aa == "" {
		require.Nil(t, failure.AA)
		require.False(t, errors.As(err, &refusal))
	} else {
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, aa, refusal.Code)
	}
	return failure
}

func TestSimulateWhatWouldSucceed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mint := []account.Call{w.mint(t, w.owner.Address())}
	require.NoError(t, w.owner.Simulate(t.Context(), mint, account.Sponsored()), "with the deployment")
	w.fund(t, 1)
	require.NoError(t, w.owner.Simulate(t.Context(), mint), "pays itself")
	state, err := w.user.State(t.Context())
	require.NoError(t, err)
	require.False(t, state.Deployed, "nothing was sent")

	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	require.NoError(t, w.user.Simulate(t.Context(), mint, account.WithSession(sess.Leaf(0)), account.Sponsored()))
	value := account.Call{To: stranger, Value: *uint256.NewInt(1)}
	require.NoError(t, w.owner.Simulate(t.Context(), []account.Call{value}))
	require.Zero(t, w.nfts(t))
	op, err := w.owner.Build(t.Context(), mint, account.Sponsored())
	require.NoError(t, err)
	require.NoError(t, w.client.Simulate(t.Context(), op))
}

func TestSimulateRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mint := []account.Call{w.mint(t, w.owner.Address())}
	t.Run("AA21, balance too small", func(t *testing.T) {
		err := w.owner.Simulate(t.Context(), mint, enough)
		requireSimulation(t, err, "AA21", "user operation of "+w.owner.Address().Hex()+" would be refused: AA21 didn't pay prefund: the account cannot pay for the gas")
	})
	t.Run("AA13 before the account is deployed", func(t *testing.T) {
		op, err := w.owner.Build(t.Context(), mint, enough, account.Sponsored())
		require.NoError(t, err)
		op.InitCode = append(w.client.Contracts().Factory.Bytes(), contracts.DeployCounterFactualAccount(w.client.Contracts().ECDSA, contracts.InitForSmartAccount(common.Address{}), uint256.Int{})...)
		requireSimulation(t, w.client.Simulate(t.Context(), op), "AA13", "would be refused: AA13 initCode failed or OOG: ZeroAddressNotAllowedAsOwner()")
	})
	t.Run("AA14, the address of someone else", func(t *testing.T) {
		op, err := w.owner.Build(t.Context(), mint, enough, account.Sponsored())
		require.NoError(t, err)
		op.InitCode = w.client.OwnedAccount(newOwner(t)).InitCode()
		requireSimulation(t, w.client.Simulate(t.Context(), op), "AA14", "AA14 initCode must return sender")
	})
	t.Run("AA23 hidden, before the account is deployed", func(t *testing.T) {
		op, err := w.owner.Build(t.Context(), mint, enough, account.Sponsored())
		require.NoError(t, err)
		op.Signature = contracts.WrapSignature([]byte{1}, w.owner.Module().Address)
		requireSimulation(t, w.client.Simulate(t.Context(), op), "AA23", "would be refused: AA23 reverted (or OOG): WrongSignatureLength()")
	})

	minting := w.nftPolicy()
	sess := w.grant(t, []policy.Policy{minting})
	t.Run("AA23 hidden", func(t *testing.T) {
		acting := w.client.OwnedAccount(w.owner.Owner(), account.ActiveModule(w.client.MultichainModule(w.owner.Owner())))
		err := acting.Simulate(t.Context(), mint, enough, account.Sponsored(), account.Unchecked())
		failure := requireSimulation(t, err, "AA23", "AA23 reverted (or OOG): WrongValidationModule(0x000000824dc138db84FD9109fc154bdad332Aa8E)")
		require.Equal(t, "WrongValidationModule", failure.Revert.Name)
		var revert *abi.Revert
		require.ErrorAs(t, err, &revert)
	})
	t.Run("AA23 told", func(t *testing.T) {
		err := w.user.Simulate(t.Context(), []account.Call{w.mint(t, stranger)}, account.WithSession(sess.Leaf(0)), enough, account.Sponsored(), account.Unchecked())
		requireSimulation(t, err, "AA23", "AA23 reverted: ABISV Arg Rule Violated")
	})
	t.Run("AA23 out of gas", func(t *testing.T) {
		op, err := w.owner.Build(t.Context(), mint, enough, account.Sponsored())
		require.NoError(t, err)
		op.VerificationGasLimit.SetUint64(10_000)
		requireSimulation(t, w.client.Simulate(t.Context(), op), "AA23", "AA23 reverted (or OOG): out of gas: a limit of 10000 is too low")
	})
	t.Run("AA24", func(t *testing.T) {
		thief := w.client.OwnedAccount(newOwner(t), account.AtAddress(w.owner.Address()))
		err := thief.Simulate(t.Context(), mint, enough, account.Sponsored(), account.Unchecked())
		requireSimulation(t, err, "AA24", "AA24 signature error")
	})
	t.Run("AA25", func(t *testing.T) {
		err := w.owner.Simulate(t.Context(), mint, enough, account.Sponsored(), account.WithNonce(uint256.NewInt(0)))
		requireSimulation(t, err, "AA25", "AA25 invalid account nonce")
	})
	t.Run("AA33 hidden", func(t *testing.T) {
		op, err := w.owner.Build(t.Context(), mint, enough)
		require.NoError(t, err)
		op.PaymasterAndData = append(w.chain.Contracts.Paymaster.Bytes(), 1, 2, 3)
		requireSimulation(t, w.client.Simulate(t.Context(), op), "AA33", "AA33 reverted (or OOG)")
	})
	t.Run("AA33 hidden, with a reason", func(t *testing.T) {
		op, err := w.owner.Build(t.Context(), mint, enough)
		require.NoError(t, err)
		data := abiword.AppendAddress(w.chain.Contracts.Paymaster.Bytes(), stranger)
		data = abiword.AppendUint64(abiword.AppendUint64(abiword.AppendUint64(data, 0), 0), 4*abi.WordSize)
		op.PaymasterAndData = abiword.AppendBytes(data, []byte{1, 2, 3})
		requireSimulation(t, w.client.Simulate(t.Context(), op), "AA33", "would be refused: AA33 reverted (or OOG): InvalidPaymasterSignatureLength(3)")
	})
	require.Zero(t, w.nfts(t), "nothing was sent")
}

func TestSimulateCallsThatFail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target := w.chain.Contracts.Target
	fresh := w.client.OwnedAccount(w.owner.Owner(), account.Index(1))
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	for _, tt := range []struct {
		name, want string
		data       []byte
	}{
		{"reason", "its call would fail: because", pack(t, "failRequire(string)", "because")},
		{"custom error", "its call would fail: 0x", pack(t, "failCustom(uint256)", 7)},
		{"panic", "its call would fail: panic 0x12: division or modulo by zero", pack(t, "failPanic(uint256)", 0)},
		{"nothing said", "its call would fail: no reason", pack(t, "failSilently()")},
	} {
		for state, owner := range map[string]*account.OwnedAccount{"deployed": w.owner, "to be deployed": fresh} {
			t.Run(tt.name+", "+state, func(t *testing.T) {
				err := owner.Simulate(t.Context(), []account.Call{{To: target, Data: tt.data}}, enough, account.Sponsored())
				requireSimulation(t, err, "", "user operation of "+owner.Address().Hex()+" would be included, but "+tt.want)
			})
		}
	}
	t.Run("out of gas", func(t *testing.T) {
		burn := []account.Call{{To: target, Data: pack(t, "burn(uint256)", 100)}} // 2.2 million gas
		err := w.owner.Simulate(t.Context(), burn, enough, account.Sponsored())
		requireSimulation(t, err, "", "would be included, but its call would fail: out of gas: a limit of 200000 is too low")
	})
}

func TestSimulateCountsWhatTheOperationItselfCosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	w.fund(t, 1)
	all := account.Call{To: stranger, Value: *uint256.MustFromDecimal("1000000000000000000")}
	err := w.owner.Simulate(t.Context(), []account.Call{all}, enough)
	requireSimulation(t, err, "", "its call would fail: insufficient funds: of 1000000000000000000 wei, ")
	require.ErrorIs(t, err, account.ErrFunds)
	require.NoError(t, w.owner.Simulate(t.Context(), []account.Call{all}, enough, account.Sponsored()), "when others pay")
	more := all
	more.Value.AddUint64(&more.Value, 1)
	err = w.owner.Simulate(t.Context(), []account.Call{more}, enough, account.Sponsored())
	requireSimulation(t, err, "", "its call would fail: no reason")
}

func TestSimulateLeavesCallsTheMoneyThatCallsBeforeThemBring(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	w.fund(t, 1)
	entryPoint := w.chain.Contracts.EntryPoint
	_, err := w.chain.SendTx(t.Context(), entryPoint, big.NewInt(2e18), contracts.DepositTo(w.owner.Address()))
	require.NoError(t, err)
	send := account.Call{To: stranger, Value: *uint256.NewInt(15e17)} // of 1 ether, until the deposit adds another
	withdraw := account.Call{To: entryPoint, Data: pack(t, "withdrawTo(address,uint256)", w.owner.Address(), big.NewInt(1e18))}
	require.NoError(t, w.owner.Simulate(t.Context(), []account.Call{withdraw, send}, enough))
	done(t)(w.owner.Send(t.Context(), []account.Call{withdraw, send}, enough))
}

// brokenChain fails calls to one contract.
type brokenChain struct {
	account.Chain
	at  common.Address
	err error
}

func (c brokenChain) CallContract(ctx context.Context, msg ethereum.CallMsg, block *big.Int) ([]byte, error) {
	if msg.To != nil && *msg.To == c.at {
		return nil, c.err
	}
	return c.Chain.CallContract(ctx, msg, block)
}

func TestSimulateWithoutANodeIsNoVerdict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	op, err := w.owner.Build(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, account.Sponsored())
	require.NoError(t, err)
	down := errors.New("node is down")
	for name, chain := range map[string]account.Chain{
		"validation": brokenChain{w.chain.Client(), w.client.Contracts().EntryPoint, down},
		"all":        brokenChain{deadChain{}, w.client.Contracts().EntryPoint, down},
	} {
		t.Run(name, func(t *testing.T) {
			err := clientOf(t, chain).Simulate(t.Context(), op)
			require.ErrorIs(t, err, down)
			var failure *account.SimulationError
			require.False(t, errors.As(err, &failure))
			require.ErrorContains(t, err, "simulate user operation of "+op.Sender.Hex())
		})
	}
}

func ExampleOwnedAccount_Simulate() {
	w := exampleWorld()
	divide, err := abi.Pack("failPanic(uint256 divisor)", 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	limits := account.WithGas(userop.Gas{ // or the estimation would find it out
		CallGasLimit: *uint256.NewInt(100_000), VerificationGasLimit: *uint256.NewInt(900_000), PreVerificationGas: *uint256.NewInt(100_000),
	})
	err = w.owner.Simulate(w.ctx, []account.Call{{To: w.chain.Contracts.Target, Data: divide}}, limits, account.Sponsored())
	var failure *account.SimulationError
	if errors.As(err, &failure) {
		fmt.Println(failure.Revert)
	}
	// Output:
	// panic 0x12: division or modulo by zero
}
