package account_test

import (
	"context"
	"math/big"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// nodeElsewhere is a node of another chain.
type nodeElsewhere struct{ account.Chain }

func (o nodeElsewhere) Unwrap() account.Chain { return o.Chain }

func (nodeElsewhere) ChainID(context.Context) (*big.Int, error) { return big.NewInt(137), nil }

// TestANodeElsewhereSettlesNothing has the node of a configuration be that of another chain, where
// neither the account nor its sessions are: the error says that, and a grant that waits is neither settled
// nor sent again.
func TestANodeElsewhereSettlesNothing(t *testing.T) {
	ctx := t.Context()
	model, elsewhere := accounttest.NewModel(accounttest.ModelConfig{}), accounttest.NewModel(accounttest.ModelConfig{})
	cfg := model.Config()
	cfg.Chain = nodeElsewhere{elsewhere.Chain}
	lost, err := account.NewClient(cfg)
	require.NoError(t, err)
	store, owner := memstore.New(), must(t, model.NewOwner)
	grant := func() *session.Sessions {
		key, err := store.NewKey(ctx, owner.Ref())
		require.NoError(t, err)
		sess, _, err := owner.Grant(ctx, store, []policy.Policy{policy.ABI{
			Key: key, Contract: model.Contracts.NFT, Function: "safeMint(address to)", Window: policy.Until(time.Now().Add(time.Hour)),
		}}, account.Sponsored())
		require.NoError(t, err)
		return sess
	}
	model.Bundler.Pause()
	sess := grant()
	sent := len(model.Bundler.Requests())
	require.ErrorIs(t, lost.Account(owner.Address()).Reconcile(ctx, store), userop.ErrWrongChain)
	require.ErrorIs(t, lost.ReconcileAll(ctx, store), userop.ErrWrongChain)
	onLost, err := session.Open(ctx, store, owner.Ref())
	require.NoError(t, err)
	require.ErrorIs(t, onLost.On(lost).Reconcile(ctx), userop.ErrWrongChain)
	again := lost.OwnedAccount(owner.Owner())
	_, _, err = again.Grant(ctx, store, []policy.Policy{policy.ABI{
		Key: sess.Leaves()[0].Key, Contract: model.Contracts.NFT, Function: "safeMint(address to)", Window: policy.Until(time.Now().Add(time.Hour)),
	}}, account.Sponsored())
	require.ErrorIs(t, err, userop.ErrWrongChain)
	require.Len(t, model.Bundler.Requests(), sent, "nothing is sent again")
	model.Bundler.Resume()
	require.NoError(t, owner.Reconcile(ctx, store))
	require.NoError(t, sess.Refresh(ctx))
	require.Equal(t, session.StatusActive, sess.Leaves()[0].Status)

	_, err = lost.Account(owner.Address()).Send(ctx, []account.Call{{To: model.Contracts.NFT}}, account.WithSession(sess.Leaf(0)), account.Unchecked(), account.Sponsored())
	require.ErrorIs(t, err, userop.ErrWrongChain)
	require.NotErrorIs(t, err, session.ErrRootMismatch)
	require.ErrorContains(t, err, "the node serves chain 137, this client is for chain 80002; use the URL of that chain's node, or mend Config.ChainID")

	_, err = again.RevokeAll(ctx, sess, account.Sponsored()) // which stops them in the store, on no chain
	require.ErrorIs(t, err, userop.ErrWrongChain)
	require.NoError(t, sess.Refresh(ctx))
	require.Equal(t, session.StatusRevoked, sess.Leaves()[0].Status)
	require.Nil(t, sess.Pending(), "no revocation was begun")
}

// TestANodeElsewhereSettlesNoRevocation has all sessions of an account be revoked, which leaves it no root,
// and the node of another chain, where it never had one, be compared with, by itself and as a send does.
func TestANodeElsewhereSettlesNoRevocation(t *testing.T) {
	ctx := t.Context()
	model, elsewhere := accounttest.NewModel(accounttest.ModelConfig{}), accounttest.NewModel(accounttest.ModelConfig{})
	cfg := model.Config()
	cfg.Chain = nodeElsewhere{elsewhere.Chain}
	store, owner := memstore.New(), must(t, model.NewOwner)
	key, err := store.NewKey(ctx, owner.Ref())
	require.NoError(t, err)
	var sess *session.Sessions
	for range 2 { // after the first one, the root of none would be the one that the chain went back to
		sess, _, err = owner.Grant(ctx, store, []policy.Policy{policy.ABI{
			Key: key, Contract: model.Contracts.NFT, Function: "safeMint(address to)", Window: policy.Until(time.Now().Add(time.Hour)),
		}}, account.Sponsored())
		require.NoError(t, err)
		require.NoError(t, owner.Reconcile(ctx, store))
	}
	require.NoError(t, sess.Refresh(ctx))
	model.Bundler.Pause()
	_, err = owner.RevokeAll(ctx, sess, account.Sponsored())
	require.NoError(t, err)
	lost, err := account.NewClient(cfg)
	require.NoError(t, err)
	require.ErrorIs(t, sess.Confirm(ctx, lost, 0), userop.ErrWrongChain)
	require.NoError(t, sess.Confirm(ctx, account.Identified(lost), 0), "that is asked beside it")
	require.NoError(t, sess.Refresh(ctx))
	require.NotNil(t, sess.Pending(), "it has not landed")
	model.Bundler.Resume()
	require.NoError(t, sess.Confirm(ctx, account.Identified(model.Client()), 0))
	require.NoError(t, sess.Refresh(ctx))
	require.Nil(t, sess.Pending(), "it has now")
}

// TestANodeElsewhereTellsNothingOfAnAccount has what is shown to people, and who is let in, not be read from
// another chain.
func TestANodeElsewhereTellsNothingOfAnAccount(t *testing.T) {
	ctx := t.Context()
	model := accounttest.NewModel(accounttest.ModelConfig{})
	cfg := model.Config()
	cfg.Chain = nodeElsewhere{cfg.Chain}
	lost, err := account.NewClient(cfg)
	require.NoError(t, err)
	owner := must(t, model.NewOwner)
	signature, err := owner.SignMessage(ctx, []byte("log in"))
	require.NoError(t, err)
	require.NoError(t, owner.VerifyMessage(ctx, []byte("log in"), signature))

	user := lost.Account(owner.Address())
	_, err = user.State(ctx)
	require.ErrorIs(t, err, userop.ErrWrongChain)
	require.ErrorContains(t, err, "state of account "+owner.Address().Hex())
	_, err = user.Balances(ctx)
	require.ErrorIs(t, err, userop.ErrWrongChain)
	require.ErrorContains(t, err, "balances of account "+owner.Address().Hex())
	for name, read := range map[string]func() error{
		"Deployed":        func() error { _, err := user.Deployed(ctx); return err },
		"Nonce":           func() error { _, err := user.Nonce(ctx, nil); return err },
		"SessionRoot":     func() error { _, err := lost.SessionRoot(ctx, owner.Address()); return err },
		"Simulate":        func() error { return lost.Simulate(ctx, &userop.Operation{Sender: owner.Address()}) },
		"Modules":         func() error { _, err := user.Modules(ctx); return err },
		"NonceUsed":       func() error { _, err := user.NonceUsed(ctx, new(uint256.Int)); return err },
		"CheckAddress":    func() error { return lost.OwnedAccount(owner.Owner()).CheckAddress(ctx) },
		"ResolveAccounts": func() error { _, err := lost.ResolveAccounts(ctx, owner.Owner().Address(), 0); return err },
		"SessionRootAndNonce": func() error {
			_, err := lost.SessionRootAndNonce(ctx, owner.Address(), new(uint256.Int))
			return err
		},
	} {
		require.ErrorIs(t, read(), userop.ErrWrongChain, name)
	}
	err = user.VerifyMessage(ctx, []byte("log in"), signature)
	require.ErrorIs(t, err, userop.ErrWrongChain)
	require.NotErrorIs(t, err, account.ErrBadSignature)
}

func must[T any](t *testing.T, get func(context.Context) (T, error)) T {
	t.Helper()
	got, err := get(t.Context())
	require.NoError(t, err)
	return got
}
