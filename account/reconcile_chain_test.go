package account_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/userop"
)

const (
	crashStage  = "SESAME_CRASH_STAGE"
	crashed     = 12 // accounts with something open at the crash; every third one with a revocation
	revokesEach = 3
)

// crashWorld is what the processes of a crash share, as JSON.
type crashWorld struct {
	Dir, Node, Bundler, Paymaster string
	ChainID                       uint64
	NFT                           common.Address
}

// grave is a bundler that is given operations, and kills the process when it has all of them: none was sent.
type grave struct {
	userop.Bundler
	given *atomic.Int32
}

func (g grave) Unwrap() userop.Bundler { return g.Bundler }

func (g grave) SendUserOperation(ctx context.Context, _ *userop.Operation, _ common.Address) (common.Hash, error) {
	if g.given.Add(1) == crashed {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		panic(err)
	}
	<-ctx.Done()
	return common.Hash{}, ctx.Err()
}

// client is a client of the world's services, with a change to its configuration.
func (w *crashWorld) client(t *testing.T, change func(*account.Config)) *account.Client {
	t.Helper()
	node, err := ethclient.Dial(w.Node)
	require.NoError(t, err)
	t.Cleanup(node.Close)
	config := account.Config{ChainID: w.ChainID, Chain: node, Bundler: bundler.New(w.Bundler), Paymaster: paymaster.New(w.Paymaster), Freshness: -1}
	change(&config)
	client, err := account.NewClient(config)
	require.NoError(t, err)
	return client
}

func (w *crashWorld) open(t *testing.T) *filestore.Store {
	t.Helper()
	sealer, err := seal.NewKeyAEAD(bytes.Repeat([]byte{1}, 32))
	require.NoError(t, err)
	store, err := filestore.Open(w.Dir, filestore.Config{Sealer: sealer})
	require.NoError(t, err)
	return store
}

// owner is the owner of the n-th account.
func (w *crashWorld) owner(t *testing.T, client *account.Client, n int) *account.OwnedAccount {
	t.Helper()
	key, err := crypto.ToECDSA(crypto.Keccak256(fmt.Appendf(nil, "owner %d", n)))
	require.NoError(t, err)
	return client.OwnedAccount(account.KeyOwner(key))
}

// grant grants minting on the account, with the session ID "mint".
func (w *crashWorld) grant(t *testing.T, store *filestore.Store, owner *account.OwnedAccount) (*session.Sessions, *userop.Pending, error) {
	t.Helper()
	key, err := store.NewKey(t.Context(), owner.Ref())
	require.NoError(t, err)
	return owner.Grant(t.Context(), store, []policy.Policy{session.Named("mint", policy.ABI{
		Key: key, Contract: w.NFT, Function: "safeMint(address to)", Window: policy.Forever(),
		Rules: []policy.Rule{policy.Arg("to", policy.Equal, owner.Address())},
	})}, account.Sponsored())
}

// crash is the process that is killed.
func (w *crashWorld) crash(t *testing.T) {
	client, store := w.client(t, func(c *account.Config) { c.Bundler = grave{c.Bundler, new(atomic.Int32)} }), w.open(t)
	var group errgroup.Group
	for n := range crashed {
		group.Go(func() error {
			owner := w.owner(t, client, n)
			if n%revokesEach != 0 {
				_, _, err := w.grant(t, store, owner)
				return err
			}
			sess, err := session.Open(t.Context(), store, owner.Ref())
			if err == nil {
				_, err = owner.Revoke(t.Context(), sess, "mint", account.Sponsored())
			}
			return err
		})
	}
	t.Fatal("it lives: ", group.Wait())
}

// TestManyAccountsAfterACrash kills a process that has written down what it sends for many accounts, and sent
// nothing: the next one finishes all of it by one call, without any owner.
func TestManyAccountsAfterACrash(t *testing.T) {
	t.Parallel()
	if stage := os.Getenv(crashStage); stage != "" {
		var w crashWorld
		require.NoError(t, json.Unmarshal([]byte(stage), &w))
		w.crash(t)
	}
	stage := newWorld(t)
	node, err := stage.chain.RPCURL()
	require.NoError(t, err)
	w := &crashWorld{Dir: t.TempDir(), Node: node, Bundler: stage.bundler.URL(), Paymaster: stage.paymaster.URL(), ChainID: stage.chain.ChainID(), NFT: stage.chain.Contracts.NFT}
	require.NoError(t, os.Chmod(w.Dir, 0o700))
	client := w.client(t, func(*account.Config) {})
	store := w.open(t)
	for n := 0; n < crashed; n += revokesEach {
		sess, tx, err := w.grant(t, store, w.owner(t, client, n))
		require.NoError(t, err)
		require.NoError(t, activate(t.Context(), sess, tx))
	}
	require.NoError(t, store.Close())

	given, err := json.Marshal(w)
	require.NoError(t, err)
	process := exec.Command(os.Args[0], "-test.run=^TestManyAccountsAfterACrash$")
	process.Env = append(os.Environ(), crashStage+"="+string(given))
	output, err := process.CombinedOutput()
	require.ErrorContains(t, err, "killed", string(output))

	store = w.open(t)
	defer func() { require.NoError(t, store.Close()) }()
	waiting := func() []session.Ref {
		refs, err := store.ListPending(t.Context(), session.Ref{}, 0)
		require.NoError(t, err)
		return refs
	}
	refs := waiting()
	require.Len(t, refs, crashed)
	page, err := store.List(t.Context(), session.Query{Standing: true})
	require.NoError(t, err)
	require.Len(t, page.Items, crashed/revokesEach, "revocations that did not land")

	err = w.client(t, func(c *account.Config) { c.Bundler = deadBundler{} }).ReconcileAll(t.Context(), store)
	require.ErrorIs(t, err, session.ErrPending)
	for _, ref := range refs {
		require.ErrorContains(t, err, "sessions of "+ref.String()+": session is pending: operation ")
	}
	require.ErrorContains(t, err, "is not settled, and no bundler is known to have taken it again")
	require.NotContains(t, err.Error(), "was sent again")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, client.ReconcileAll(ended, store), context.Canceled)
	require.Equal(t, refs, waiting())

	require.NoError(t, client.ReconcileAll(t.Context(), store))
	require.Empty(t, waiting())
	for n := range crashed {
		owner := w.owner(t, client, n)
		user := client.Account(owner.Address())
		sess, err := session.Open(t.Context(), store, user.Ref(), session.WithChain(client))
		require.NoError(t, err)
		root, err := client.SessionRoot(t.Context(), user.Address())
		require.NoError(t, err)
		nonce, err := user.Nonce(t.Context(), nil)
		require.NoError(t, err)
		tx, err := user.Send(t.Context(), []account.Call{stage.mint(t, user.Address())}, account.WithSession(sess.ByID("mint")), account.Sponsored())
		minted := uint64(0)
		if n%revokesEach == 0 {
			require.Zero(t, root)
			require.Equal(t, uint64(2), nonce.Uint64(), "granted once, revoked once")
			require.ErrorIs(t, err, session.ErrRevoked)
		} else {
			minted = 1
			require.Equal(t, uint64(1), nonce.Uint64(), "granted once")
			require.NoError(t, err)
			_, err = tx.Wait(t.Context())
			require.NoError(t, err)
		}
		require.Equal(t, minted, stage.balance(t, w.NFT, user.Address()))
	}
	require.NoError(t, client.ReconcileAll(t.Context(), store), "nothing is left to do")
}

// TestReconcileSendsAgainWhatMayLand has one account's grant in each state that a crash can leave.
func TestReconcileSendsAgainWhatMayLand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	unsent, err := account.NewClient(withBundler(w.config, deadBundler{}))
	require.NoError(t, err)
	lost := func(id string, n int) *session.PendingRoot {
		t.Helper()
		_, _, err := unsent.OwnedAccount(account.KeyOwner(w.ownerKey)).Grant(t.Context(), w.store, []policy.Policy{session.Named(id, w.longer(n))}, account.Sponsored())
		require.True(t, userop.MayBeAccepted(err), err)
		state, err := w.store.Load(t.Context(), w.user.Ref())
		require.NoError(t, err)
		require.NotNil(t, state.Pending)
		return state.Pending
	}
	left := func() []session.Leaf {
		t.Helper()
		state, err := w.store.Load(t.Context(), w.user.Ref())
		require.NoError(t, err)
		require.Nil(t, state.Pending)
		return state.Leaves
	}
	require.ErrorIs(t, w.user.Reconcile(t.Context(), w.store), session.ErrNotFound)

	lost("never sent", 1)
	require.NoError(t, w.user.Reconcile(t.Context(), w.store))
	require.Equal(t, session.StatusActive, left()[0].Status)

	landed := lost("landed", 2)
	tx, err := w.client.Sender().Resend(t.Context(), landed.Operation)
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.user.Reconcile(t.Context(), w.store))
	require.Len(t, left(), 2)

	replaced := lost("replaced", 3)
	tx, err = w.owner.Send(t.Context(), []account.Call{{To: stranger}}, account.Sponsored(), account.WithNonce(&replaced.Nonce))
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.user.Reconcile(t.Context(), w.store))
	require.Len(t, left(), 2, "undone")

	lost("not taken up", 4)
	w.bundler.Pause()
	err = testutil.Patiently(t, 300*time.Millisecond, session.ErrPending, func(ctx context.Context) error { return w.user.Reconcile(ctx, w.store) })
	require.ErrorContains(t, err, "was sent again, and is not settled")
	w.bundler.Resume()
	require.NoError(t, w.user.Reconcile(t.Context(), w.store))
	require.Len(t, left(), 3)

	lost("over", 5)
	require.NoError(t, w.chain.AdjustTime(2*time.Hour)) // a sponsorship is good for one
	w.chain.Commit()
	require.NoError(t, w.user.Reconcile(t.Context(), w.store))
	require.Len(t, left(), 3)

	changed := lost("changed in the store", 200)
	changed.Operation.CallData = append(contracts.SetMerkleRoot(common.Hash{1}), 1)
	state, err := w.store.Load(t.Context(), w.user.Ref())
	require.NoError(t, err)
	state.Pending = changed
	_, err = w.store.Apply(t.Context(), w.user.Ref(), state.Version, &session.Change{Header: state.Header})
	require.NoError(t, err)
	require.ErrorIs(t, w.user.Reconcile(t.Context(), w.store), policy.ErrInvalid)
}

func withBundler(config account.Config, b userop.Bundler) account.Config {
	config.Bundler, config.UnidentifiedBundler = b, true
	return config
}
