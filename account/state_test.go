package account_test

import (
	"context"
	"fmt"
	"math/big"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session/policy"
)

// countedChain counts the requests for code and for calls.
type countedChain struct {
	*ethclient.Client
	codes, calls atomic.Int32
}

func (c *countedChain) CodeAt(ctx context.Context, a common.Address, block *big.Int) ([]byte, error) {
	c.codes.Add(1)
	return c.Client.CodeAt(ctx, a, block)
}

func (c *countedChain) CallContract(ctx context.Context, msg ethereum.CallMsg, block *big.Int) ([]byte, error) {
	c.calls.Add(1)
	return c.Client.CallContract(ctx, msg, block)
}

// counted returns a client whose node counts.
func (w *world) counted(t *testing.T) (*account.Client, *countedChain) {
	t.Helper()
	chain := &countedChain{Client: w.chain.Client()}
	config := w.config
	config.Chain = chain
	client, err := account.NewClient(config)
	require.NoError(t, err)
	return client, chain
}

func TestStateIsReadInOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, chain := w.counted(t)
	w.fund(t, 2)
	state, err := client.Account(w.owner.Address()).State(t.Context())
	require.NoError(t, err)
	require.Equal(t, int32(1), chain.calls.Load()+chain.codes.Load())
	wei, _ := new(big.Int).SetString("2000000000000000000", 10)
	require.Equal(t, wei, state.Balance.ToBig())
	require.False(t, state.Deployed)
	require.Empty(t, state.Modules)
	require.Empty(t, state.Owners)
	require.Zero(t, state.SessionRoot)
	require.True(t, state.Nonce.IsZero())
	require.True(t, state.Deposit.IsZero())

	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	tx, err := w.owner.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())}) // pays itself
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)

	chain.calls.Store(0)
	state, err = client.Account(w.owner.Address()).State(t.Context())
	require.NoError(t, err)
	require.Equal(t, int32(1), chain.calls.Load()+chain.codes.Load())
	at := w.client.Contracts()
	require.True(t, state.Deployed)
	require.Equal(t, "2", state.Nonce.Dec())
	require.Equal(t, []common.Address{at.Session.Manager, at.ECDSA}, state.Modules)
	require.Equal(t, []account.Ownership{{Module: at.ECDSA, Owner: w.owner.Owner().Address()}}, state.Owners)
	require.Equal(t, sess.Root(), state.SessionRoot)
	require.False(t, state.Deposit.IsZero(), "what the prefund left over")
	require.True(t, state.Enabled(at.ECDSA))
	owner, ok := state.OwnerAt(at.ECDSA)
	require.True(t, ok)
	require.Equal(t, w.owner.Owner().Address(), owner)
	_, ok = state.OwnerAt(at.Multichain)
	require.False(t, ok)

	chain.calls.Store(0)
	for nonce, want := range []bool{true, true, false} {
		seen, err := client.SessionRootAndNonce(t.Context(), w.owner.Address(), uint256.NewInt(uint64(nonce)))
		require.NoError(t, err)
		require.Equal(t, sess.Root(), seen.Root)
		require.Equal(t, want, seen.NonceUsed, nonce)
		head, err := w.chain.Client().HeaderByNumber(t.Context(), nil)
		require.NoError(t, err)
		require.GreaterOrEqual(t, seen.BlockTime, head.Time, "of the newest block, or of the one that is being made")
	}
	require.Equal(t, int32(3), chain.calls.Load(), "one request each")

	deployed, err := client.Account(w.owner.Address()).Deployed(t.Context())
	require.NoError(t, err)
	require.True(t, deployed)
	require.Zero(t, chain.codes.Load(), "what cannot change is not asked again")
}

func TestStateFromContractsThatAreNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for field, contracts := range map[string]account.Contracts{
		"getNonce of the EntryPoint":                {EntryPoint: stranger},
		"getSessionKeys of the session key manager": {Session: policy.Modules{Manager: stranger}},
	} {
		_, err := w.clientWith(t, contracts).Account(stranger).State(t.Context())
		require.ErrorIs(t, err, account.ErrBadAnswer)
		require.ErrorContains(t, err, "state of account "+stranger.Hex()+": unexpected answer of a contract: "+field+": no data")
		_, err = w.clientWith(t, contracts).SessionRootAndNonce(t.Context(), stranger, new(uint256.Int))
		require.ErrorIs(t, err, account.ErrBadAnswer)
		require.ErrorContains(t, err, "session root and nonce of "+stranger.Hex()+": unexpected answer of a contract: "+field+": no data")
	}
	_, err := offlineClient(t).Account(stranger).State(t.Context())
	require.ErrorIs(t, err, errOffline)
}

func ExampleAccount_State() {
	w := exampleWorld()
	state, err := w.client.Account(w.owner.Address()).State(w.ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("deployed:", state.Deployed)
	fmt.Println("nonce:", state.Nonce.Dec())
	fmt.Println("session root:", state.SessionRoot)
	// Output:
	// deployed: false
	// nonce: 0
	// session root: 0x0000000000000000000000000000000000000000000000000000000000000000
}
