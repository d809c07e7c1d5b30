//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// patience is how long a story waits for what is to come.
const patience = time.Minute

// actor is an owner's account, and the backend that acts for it.
type actor struct {
	world  *World
	client *account.Client
	owner  *account.OwnedAccount
	user   *account.Account // the same account, known by its address alone
	store  session.FullStore
	key    common.Address // a session key in the store
}

// client returns a client that is closed after the test.
func (w *World) client(t *testing.T, change func(*account.Config)) *account.Client {
	t.Helper()
	client, hangUp, err := w.Client(change)
	require.NoError(t, err)
	t.Cleanup(hangUp)
	return client
}

// actor returns the account of a new owner, which is not deployed.
func (w *World) actor(t *testing.T, client *account.Client) *actor {
	t.Helper()
	return w.actorIn(t, client, memstore.New())
}

// actorIn is [World.actor] with a store.
func (w *World) actorIn(t *testing.T, client *account.Client, store session.FullStore) *actor {
	t.Helper()
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	a := &actor{world: w, client: client, owner: client.OwnedAccount(account.KeyOwner(key)), store: store}
	a.user = client.Account(a.owner.Address())
	a.key, err = a.store.NewKey(t.Context(), a.owner.Ref())
	require.NoError(t, err)
	return a
}

func (a *actor) fund(t *testing.T, wei *big.Int) {
	t.Helper()
	require.NoError(t, a.world.Anvil.SetBalance(t.Context(), a.user.Address(), wei))
}

// mayMint lets the session key mint to the account, for an hour.
func (a *actor) mayMint() policy.Policy { return a.mayMintUntil(time.Hour) }

func (a *actor) mayMintUntil(end time.Duration) policy.Policy {
	return policy.ABI{
		Key:      a.key,
		Contract: accounttest.WellKnownContracts().NFT,
		Function: "safeMint(address to)",
		Rules:    []policy.Rule{policy.Arg("to", policy.Equal, a.user.Address())},
		Window:   policy.Until(time.Now().Add(end)),
	}
}

// mint is what the key may do.
func (a *actor) mint(t *testing.T) account.Call {
	t.Helper()
	data, err := abi.Pack("function safeMint(address to)", a.user.Address())
	require.NoError(t, err)
	return account.Call{To: accounttest.WellKnownContracts().NFT, Data: data}
}

// grant grants a session and waits until it is active.
func (a *actor) grant(t *testing.T, opts ...account.Option) *session.Sessions {
	t.Helper()
	sess, tx, err := a.owner.Grant(t.Context(), a.store, []policy.Policy{a.mayMint()}, opts...)
	require.NoError(t, err)
	receipt, err := sess.Activate(soon(t), tx)
	require.NoError(t, err)
	require.True(t, receipt.Confirmed)
	a.requireRoot(t, sess.Root())
	return sess
}

// send sends a mint by the session.
func (a *actor) send(t *testing.T, sess *session.Sessions, opts ...account.Option) *userop.Pending {
	t.Helper()
	opts = append([]account.Option{account.WithSession(sess.Leaf(0)), account.Sponsored()}, opts...)
	tx, err := a.user.Send(soon(t), []account.Call{a.mint(t)}, opts...)
	require.NoError(t, err)
	return tx
}

// requireMinted wants so many tokens to be the account's on chain.
func (a *actor) requireMinted(t *testing.T, n uint64) {
	t.Helper()
	require.Equal(t, n, a.minted(t), "tokens of %s", a.user.Address())
}

func (a *actor) minted(t *testing.T) uint64 {
	t.Helper()
	nft := accounttest.WellKnownContracts().NFT
	result, err := a.world.Anvil.Node.CallContract(t.Context(), ethereum.CallMsg{To: &nft, Data: contracts.BalanceOf(a.user.Address())}, nil)
	require.NoError(t, err)
	n, err := contracts.DecodeUint256(result)
	require.NoError(t, err)
	return n.Uint64()
}

// requireRoot wants this root to be the account's on chain.
func (a *actor) requireRoot(t *testing.T, want common.Hash) {
	t.Helper()
	root, err := a.client.SessionRoot(t.Context(), a.user.Address())
	require.NoError(t, err)
	require.Equal(t, want, root)
}

// requireDone waits for an operation and wants the chain to have it.
func requireDone(t *testing.T, tx *userop.Pending) *userop.Receipt {
	t.Helper()
	receipt, err := tx.Wait(soon(t))
	require.NoError(t, err)
	require.True(t, receipt.Success)
	require.True(t, receipt.Confirmed)
	require.Equal(t, tx.Hash(), receipt.UserOpHash)
	return receipt
}

// soon is a context that ends when a story has waited long enough.
func soon(t *testing.T) context.Context { return within(t, patience) }

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// stored is an operation as a process that takes over finds it: read from the bytes that another one wrote.
func stored(t *testing.T, op *userop.Operation) *userop.Operation {
	t.Helper()
	data, err := json.Marshal(op)
	require.NoError(t, err)
	read := new(userop.Operation)
	require.NoError(t, json.Unmarshal(data, read))
	return read
}
