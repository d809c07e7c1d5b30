package account_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// before runs what is to happen before services are asked the next time, by the step that asks.
type before struct {
	mu    sync.Mutex
	steps map[string]func()
}

func (b *before) run(step string) {
	b.mu.Lock()
	do := b.steps[step]
	delete(b.steps, step)
	b.mu.Unlock()
	if do != nil {
		do()
	}
}

// beforeBundler and beforePaymaster are services that something happens before.
type beforeBundler struct {
	userop.Bundler
	*before
}

func (b beforeBundler) Unwrap() userop.Bundler { return b.Bundler }

func (b beforeBundler) EstimateUserOperationGas(ctx context.Context, op *userop.Operation, entryPoint common.Address, overrides userop.StateOverride) (userop.Gas, error) {
	b.run("estimate")
	return b.Bundler.EstimateUserOperationGas(ctx, op, entryPoint, overrides)
}

func (b beforeBundler) SendUserOperation(ctx context.Context, op *userop.Operation, entryPoint common.Address) (common.Hash, error) {
	b.run("send")
	return b.Bundler.SendUserOperation(ctx, op, entryPoint)
}

type beforePaymaster struct {
	userop.Paymaster
	*before
}

func (p beforePaymaster) Unwrap() userop.Paymaster { return p.Paymaster }

func (p beforePaymaster) SponsorUserOperation(ctx context.Context, op *userop.Operation, req userop.SponsorRequest) (userop.Sponsorship, error) {
	p.run("sponsor")
	return p.Paymaster.SponsorUserOperation(ctx, op, req)
}

// clientBefore is a client of the world, in a process of its own, that things happen before.
func (w *world) clientBefore(t *testing.T) (*account.Client, *before) {
	t.Helper()
	config, b := w.config, &before{steps: map[string]func(){}}
	config.Bundler, config.Paymaster = beforeBundler{config.Bundler, b}, beforePaymaster{config.Paymaster, b}
	client, err := account.NewClient(config)
	require.NoError(t, err)
	return client, b
}

// longer is the world's policy with another end, so that its leaf is another one each time.
func (w *world) longer(n int) policy.ABI {
	p := w.nftPolicy()
	p.Window = policy.Until(w.now().Add(time.Duration(n) * 24 * time.Hour))
	return p
}

// TestARootThatChangesUnderASend has another process grant while an operation is made, at each point at which
// a service judges it: the proof is made anew, and the operation sent with the nonce it had.
func TestARootThatChangesUnderASend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grant(t, []policy.Policy{session.Named("first", w.nftPolicy())}, account.ForBatches())
	w.fund(t, 1)
	client, before := w.clientBefore(t)
	user := client.Account(w.user.Address())
	sess, err := session.Open(t.Context(), w.store, w.user.Ref())
	require.NoError(t, err)
	mint, n, minted := []account.Call{w.mint(t, w.user.Address())}, 1, uint64(0)
	lanes := client.NewLanes(account.LanesConfig{Size: 1})
	t.Cleanup(func() { require.NoError(t, lanes.Close(context.Background())) })
	for name, test := range map[string]struct {
		at   string
		opts []account.Option
	}{
		"sponsored, before its price":  {"sponsor", []account.Option{account.Sponsored()}},
		"sponsored, before it is sent": {"send", []account.Option{account.Sponsored()}},
		"self-paid, before its price":  {"estimate", nil},
		"self-paid, before it is sent": {"send", nil},
		"in a lane":                    {"send", []account.Option{account.Sponsored(), account.InLane(lanes)}},
		"through the router":           {"send", []account.Option{account.Sponsored(), account.AsBatch()}},
	} {
		for how, granted := range map[string]func(*session.Sessions, *userop.Pending) error{
			"settled": func(sess *session.Sessions, tx *userop.Pending) error { return activate(t.Context(), sess, tx) },
			"landed":  func(_ *session.Sessions, tx *userop.Pending) error { _, err := tx.Wait(t.Context()); return err },
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				n++
				before.steps[test.at] = func() {
					sess, tx, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{w.longer(n)}, account.Sponsored(), account.RouterDespiteFunds(), account.ForBatches())
					require.NoError(t, err)
					require.NoError(t, granted(sess, tx))
				}
				tx, err := user.Send(t.Context(), mint, append(test.opts, account.WithSession(sess.ByID("first")))...)
				require.NoError(t, err)
				_, err = tx.Wait(t.Context())
				require.NoError(t, err)
				require.Empty(t, before.steps)
				minted++
				require.Equal(t, minted, w.nfts(t), "once")
				state, err := w.store.Load(t.Context(), w.user.Ref())
				require.NoError(t, err)
				require.Nil(t, state.Pending, "the send settled what its granter left")
			})
		}
	}

	t.Run("and again", func(t *testing.T) {
		grant := func() {
			n++
			sess, tx, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{w.longer(n)}, account.Sponsored(), account.RouterDespiteFunds(), account.ForBatches())
			require.NoError(t, err)
			require.NoError(t, activate(t.Context(), sess, tx))
		}
		before.steps["sponsor"] = grant
		before.steps["send"] = grant
		_, err := user.Send(t.Context(), mint, account.WithSession(sess.ByID("first")), account.Sponsored())
		require.ErrorContains(t, err, "the account's session root changed while the operation was made, and again while it was made anew; send it once more")
		require.True(t, userop.SafeToRetry(err))
		tx, err := user.Send(t.Context(), mint, account.WithSession(sess.ByID("first")), account.Sponsored())
		require.NoError(t, err)
		_, err = tx.Wait(t.Context())
		require.NoError(t, err)
	})
	t.Run("revoked", func(t *testing.T) {
		before.steps["sponsor"] = func() {
			owners, err := session.Open(t.Context(), w.store, w.user.Ref())
			require.NoError(t, err)
			tx, err := w.owner.Revoke(t.Context(), owners, "first", account.Sponsored())
			require.NoError(t, err)
			require.NoError(t, activate(t.Context(), owners.On(w.client), tx))
		}
		_, err := user.Send(t.Context(), mint, account.WithSession(sess.ByID("first")), account.Sponsored())
		require.ErrorIs(t, err, session.ErrRevoked)
		require.ErrorContains(t, err, "SessionNotApproved")
		require.False(t, userop.MayBeAccepted(err))
	})
	t.Run("by another backend", func(t *testing.T) {
		w.grant(t, []policy.Policy{session.Named("last", w.longer(100))}, account.ForBatches(), account.RouterDespiteFunds())
		before.steps["send"] = func() {
			tx, err := w.owner.Send(t.Context(), []account.Call{{
				To: w.client.Contracts().Session.Manager, Data: pack(t, "setMerkleRoot(bytes32)", common.Hash{1}),
			}}, account.Sponsored())
			require.NoError(t, err)
			_, err = tx.Wait(t.Context())
			require.NoError(t, err)
		}
		_, err := user.Send(t.Context(), mint, account.WithLeafOf(sess), account.Sponsored(), account.InLane(lanes))
		require.ErrorIs(t, err, session.ErrRootMismatch)
		require.ErrorContains(t, err, "SessionNotApproved")
	})
}

// denying is a bundler that takes an operation and says that its session is not approved.
type denying struct {
	userop.Bundler
	denies bool
}

func (d *denying) Unwrap() userop.Bundler { return d.Bundler }

func (d *denying) SendUserOperation(ctx context.Context, op *userop.Operation, entryPoint common.Address) (common.Hash, error) {
	hash, err := d.Bundler.SendUserOperation(ctx, op, entryPoint)
	if err == nil && d.denies {
		return common.Hash{}, refusal("AA23 reverted: SessionNotApproved")
	}
	return hash, err
}

// TestARefusalThatTheRootDoesNotBearOut has the node show the root that the operation fits: once it was given
// away it may land, whatever the service says.
func TestARefusalThatTheRootDoesNotBearOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grant(t, []policy.Policy{w.nftPolicy()})
	config, lying := w.config, &denying{Bundler: w.config.Bundler}
	config.Bundler = lying
	client, err := account.NewClient(config)
	require.NoError(t, err)
	user := client.Account(w.user.Address())
	sess, err := session.Open(t.Context(), w.store, w.user.Ref())
	require.NoError(t, err)
	mint := []account.Call{w.mint(t, w.user.Address())}
	w.bundler.Pause()
	lying.denies = true
	_, err = user.Send(t.Context(), mint, account.WithLeafOf(sess), account.Sponsored())
	require.ErrorContains(t, err, "SessionNotApproved")
	require.ErrorContains(t, err, "the bundler's word alone, the node finds nothing wrong with it")
	require.True(t, userop.MayBeAccepted(err))
	require.False(t, userop.SafeToRetry(err))
	var failed *userop.Error
	require.ErrorAs(t, err, &failed)
	w.bundler.Resume()
	lying.denies = false
	tx, err := user.Resend(t.Context(), sess, failed.Operation)
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(1), w.nfts(t))
}

// TestAChangeThatLandedIsSettledByWhoComesNext has the process of a grant or a revocation end before it saw
// its operation land.
func TestAChangeThatLandedIsSettledByWhoComesNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	leave := func(tx *userop.Pending, err error) {
		t.Helper()
		require.NoError(t, err)
		_, err = tx.Wait(t.Context())
		require.NoError(t, err)
		state, err := w.store.Load(t.Context(), w.user.Ref())
		require.NoError(t, err)
		require.NotNil(t, state.Pending)
	}
	settled := func() {
		t.Helper()
		state, err := w.store.Load(t.Context(), w.user.Ref())
		require.NoError(t, err)
		require.Nil(t, state.Pending)
	}
	grant := func(id string, n int) (*session.Sessions, *userop.Pending, error) {
		return w.owner.Grant(t.Context(), w.store, []policy.Policy{session.Named(id, w.longer(n))}, account.Sponsored())
	}
	sess, tx, err := grant("a", 1)
	leave(tx, err)
	_, tx, err = grant("b", 2)
	leave(tx, err)
	tx, err = w.owner.Revoke(t.Context(), sess, "a", account.Sponsored())
	leave(tx, err)
	tx, err = w.owner.Revoke(t.Context(), sess, "b", account.Sponsored())
	leave(tx, err)
	sess, tx, err = grant("c", 3)
	leave(tx, err)
	opened, err := session.Open(t.Context(), w.store, w.user.Ref())
	require.NoError(t, err)
	_, err = w.send(t, []account.Call{w.mint(t, w.user.Address())}, account.WithLeafOf(opened))
	require.NoError(t, err)
	settled()
	leaf, err := opened.ByID("c").Leaf()
	require.NoError(t, err)
	require.Equal(t, session.StatusActive, leaf.Status)
	for _, id := range []string{"a", "b"} {
		leaf, err := sess.ByID(id).Leaf()
		require.NoError(t, err)
		require.False(t, leaf.InTree)
	}
	require.Equal(t, uint64(1), w.nfts(t))
}
