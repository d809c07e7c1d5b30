package account_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// liar stands before a bundler that does its work, and tells something else. It has waits ask at once.
type liar struct {
	*bundler.Client
	dropped bool
	receipt func(*userop.Receipt) (*userop.Receipt, error)
}

func (l liar) Settled(common.Hash) <-chan struct{} {
	settled := make(chan struct{})
	close(settled)
	return settled
}

func (l liar) UserOperationDropped(context.Context, common.Hash) (bool, error) { return l.dropped, nil }

func (l liar) UserOperationReceipt(ctx context.Context, hash common.Hash) (*userop.Receipt, error) {
	receipt, err := l.Client.UserOperationReceipt(ctx, hash)
	if err == nil && l.receipt != nil {
		return l.receipt(receipt)
	}
	return receipt, err
}

// forgets is the answer of a bundler that knows nothing of what it included.
func forgets(*userop.Receipt) (*userop.Receipt, error) { return nil, userop.ErrNotFound }

// lied returns the world's client with a bundler that lies.
func (w *world) lied(t *testing.T, l liar) *account.Client {
	t.Helper()
	config := w.config
	l.Client = w.config.Bundler.(*bundler.Client)
	config.Bundler = l
	client, err := account.NewClient(config)
	require.NoError(t, err)
	return client
}

// mined waits until the world's own bundler has included an operation.
func (w *world) mined(t *testing.T, hash common.Hash) {
	t.Helper()
	_, err := w.client.Sender().Watch(hash).Wait(t.Context())
	require.NoError(t, err)
}

func TestABundlersWordAboutAnOperation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 1)
	calls := []account.Call{w.mint(t, w.owner.Address())}
	for name, l := range map[string]liar{
		"rejected, then it lands":  {dropped: true, receipt: forgets},
		"another transaction":      {receipt: func(r *userop.Receipt) (*userop.Receipt, error) { r.TransactionHash = common.Hash{1}; return r, nil }},
		"another block":            {receipt: func(r *userop.Receipt) (*userop.Receipt, error) { r.BlockNumber--; return r, nil }},
		"a failure that was none":  {receipt: func(r *userop.Receipt) (*userop.Receipt, error) { r.Success = false; return r, nil }},
		"a price that was another": {receipt: func(r *userop.Receipt) (*userop.Receipt, error) { r.ActualGasCost.Clear(); return r, nil }},
	} {
		t.Run(name, func(t *testing.T) {
			tx, err := w.lied(t, l).OwnedAccount(account.KeyOwner(w.ownerKey)).Send(t.Context(), calls, account.Sponsored())
			require.NoError(t, err)
			w.mined(t, tx.Hash())
			receipt, err := tx.Wait(t.Context())
			require.NoError(t, err)
			require.True(t, receipt.Confirmed)
			honest, err := w.client.Sender().Watch(tx.Hash()).Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, honest.TransactionHash, receipt.TransactionHash)
			require.Equal(t, honest.BlockHash, receipt.BlockHash)
			require.Equal(t, honest.ActualGasCost, receipt.ActualGasCost)
			require.Equal(t, honest.Paymaster, receipt.Paymaster)
			require.Equal(t, len(honest.Logs), len(receipt.Logs), "all that the operation logged")
		})
	}
	t.Run("a success that was none", func(t *testing.T) {
		l := liar{receipt: func(r *userop.Receipt) (*userop.Receipt, error) {
			r.Success, r.RevertData = true, nil
			return r, nil
		}}
		failing := account.Call{To: w.chain.Contracts.Token, Data: pack(t, "transfer(address,uint256)", stranger, 1)}
		tx, err := w.lied(t, l).OwnedAccount(account.KeyOwner(w.ownerKey)).Send(t.Context(), []account.Call{failing},
			account.WithGas(userop.Gas{CallGasLimit: *uint256.NewInt(200_000), VerificationGasLimit: *uint256.NewInt(500_000), PreVerificationGas: *uint256.NewInt(100_000)}))
		require.NoError(t, err)
		_, err = tx.Wait(t.Context())
		var reverted *userop.RevertError
		require.ErrorAs(t, err, &reverted)
		require.NotEmpty(t, reverted.Receipt.RevertData)
	})
	for name, lie := range map[string]func(*userop.Receipt){
		"sender":     func(r *userop.Receipt) { r.Sender = stranger },
		"EntryPoint": func(r *userop.Receipt) { r.EntryPoint = stranger },
		"nonce":      func(r *userop.Receipt) { r.Nonce.AddUint64(&r.Nonce, 5) },
	} {
		t.Run("a made-up receipt with another "+name, func(t *testing.T) {
			w.bundler.Pause()
			defer w.bundler.Resume()
			var made *userop.Receipt
			l := liar{}
			l.Client = w.config.Bundler.(*bundler.Client)
			config := w.config
			config.Bundler = madeUp{l, &made}
			client, err := account.NewClient(config)
			require.NoError(t, err)
			lane := uint256.NewInt(uint64(len(name)))
			tx, err := client.OwnedAccount(account.KeyOwner(w.ownerKey)).Send(t.Context(), calls, account.Sponsored(), account.WithLane(lane))
			require.NoError(t, err)
			op := tx.Operation()
			made = &userop.Receipt{UserOpHash: tx.Hash(), Sender: op.Sender, Nonce: op.Nonce, Success: true, TransactionHash: common.Hash{1}, BlockNumber: 1}
			for _, change := range []func(*userop.Receipt){func(*userop.Receipt) {}, lie} {
				change(made)
				err := testutil.Patiently(t, 400*time.Millisecond, userop.ErrUnconfirmed, theEndOf(tx))
				require.True(t, userop.MayBeAccepted(err))
			}
		})
	}
}

// madeUp is a bundler whose receipts are made up.
type madeUp struct {
	liar
	receipt **userop.Receipt
}

func (m madeUp) UserOperationReceipt(context.Context, common.Hash) (*userop.Receipt, error) {
	clone := **m.receipt
	return &clone, nil
}

// The chain ends what its bundler gave up: by another operation with the nonce, and by its own time.
func TestTheChainEndsAnOperation(t *testing.T) {
	t.Parallel()
	worlds, owned, _ := newWorlds(t)
	w := worlds[0]
	client := w.lied(t, liar{dropped: true})
	owner := client.OwnedAccount(owned[0].Owner(), account.Multichain())
	calls := []account.Call{w.mint(t, owner.Address())}
	w.fund(t, 1)

	t.Run("replaced", func(t *testing.T) {
		w.bundler.Pause()
		first, err := owner.Send(t.Context(), calls, account.Sponsored())
		require.NoError(t, err)
		err = testutil.Patiently(t, 300*time.Millisecond, userop.ErrDropped, theEndOf(first))
		require.True(t, userop.MayBeAccepted(err))

		other, err := accounttest.StartBundler(accounttest.BundlerConfig{Chain: w.chain})
		require.NoError(t, err)
		defer other.Close()
		config := w.config
		config.Bundler = bundler.New(other.URL())
		beside, err := account.NewClient(config)
		require.NoError(t, err)
		second, err := beside.OwnedAccount(owned[0].Owner(), account.Multichain()).Send(t.Context(), []account.Call{{To: stranger}}, account.Sponsored())
		require.NoError(t, err)
		_, err = second.Wait(t.Context())
		require.NoError(t, err)
		_, err = first.Wait(t.Context())
		require.ErrorIs(t, err, userop.ErrReplaced)
		require.False(t, userop.MayBeAccepted(err))
		var ended *userop.EndedError
		require.ErrorAs(t, err, &ended)
		require.Equal(t, second.Hash(), ended.By)
		w.bundler.Resume()

		// The same bytes again are refused, and it is said why.
		for err = nil; err == nil; { // it is known until the next bundle
			_, err = client.Sender().Resend(t.Context(), first.Operation())
		}
		require.ErrorIs(t, err, userop.ErrReplaced)
		require.ErrorContains(t, err, "AA10 sender already constructed")
		require.False(t, userop.MayBeAccepted(err))
		require.Zero(t, w.nfts(t))
	})
	over := func(t *testing.T, send func() (*userop.Pending, error)) {
		w.bundler.Pause()
		defer w.bundler.Resume()
		tx, err := send()
		require.NoError(t, err)
		require.NoError(t, w.chain.AdjustTime(2*time.Hour))
		_, err = tx.Wait(t.Context())
		require.ErrorIs(t, err, userop.ErrExpired)
		require.False(t, userop.MayBeAccepted(err))
	}
	t.Run("its sponsorship is over", func(t *testing.T) {
		over(t, func() (*userop.Pending, error) { return owner.Send(t.Context(), calls, account.Sponsored()) })
	})
	t.Run("its signature is over", func(t *testing.T) {
		over(t, func() (*userop.Pending, error) {
			sent, err := account.SendTogether(t.Context(), account.Leg{Account: owner, Calls: calls, Window: policy.Until(w.now().Add(time.Hour)),
				Options: []account.Option{account.WithLane(uint256.NewInt(5))}})
			if err != nil {
				return nil, err
			}
			return sent[0], nil
		})
	})
}

// twice sends each operation two times, the second time when the first has landed, and gives the second
// answer: what a client or a proxy that retries by itself makes of one request.
type twice struct{ landed func(context.Context) }

func (d twice) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	again := func() (*http.Response, error) {
		r.Body = io.NopCloser(bytes.NewReader(body))
		return http.DefaultTransport.RoundTrip(r)
	}
	if strings.Contains(string(body), "eth_sendUserOperation") {
		first, err := again()
		if err != nil {
			return nil, err
		}
		_ = first.Body.Close()
		d.landed(r.Context())
	}
	return again()
}

func TestARequestThatIsMadeTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bundles := w.bundler.Bundles()
	config := w.config
	config.Bundler = bundler.New(w.bundler.URL(), bundler.WithHTTPClient(&http.Client{Transport: twice{func(ctx context.Context) {
		for w.bundler.Bundles() == bundles && ctx.Err() == nil {
			time.Sleep(2 * time.Millisecond)
		}
		bundles = w.bundler.Bundles()
	}}}))
	client, err := account.NewClient(config)
	require.NoError(t, err)
	owner := client.OwnedAccount(account.KeyOwner(w.ownerKey))

	sess, tx, err := owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, account.Sponsored())
	require.NoError(t, err, "the second copy's AA10 is about the grant itself")
	require.NotNil(t, sess.Pending(), "the store was not rolled back")
	require.NoError(t, activate(t.Context(), sess, tx))

	tx, err = client.Account(owner.Address()).Send(t.Context(), []account.Call{w.mint(t, owner.Address())}, account.WithSession(sess.Leaf(0)), account.Sponsored())
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, w.nfts(t))
}

// lostOnce is a way to the bundler on which the first operation gets lost, while something else happens.
type lostOnce struct{ meanwhile func() }

func (l *lostOnce) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if strings.Contains(string(body), "eth_sendUserOperation") && l.meanwhile != nil {
		l.meanwhile()
		l.meanwhile = nil
		return nil, io.ErrUnexpectedEOF
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(r)
}

// revoke stores a tombstone, as another process may; the chain has the leaf still.
func (w *world) revoke(t *testing.T) {
	t.Helper()
	state, err := w.store.Load(t.Context(), w.owner.Ref())
	require.NoError(t, err)
	leaf := state.Leaves[0]
	leaf.Status = session.StatusRevoked
	_, err = w.store.Apply(t.Context(), w.owner.Ref(), state.Version, &session.Change{Header: state.Header, Put: []session.Leaf{leaf}})
	require.NoError(t, err)
}

func TestARevokedSessionsOperationIsNotSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	for name, option := range map[string]func() account.Option{
		"a leaf": func() account.Option { return account.WithSession(sess.Leaf(0)) },
		"a signer": func() account.Option {
			signer, err := session.NewSigner(w.client.Contracts().Session, sess.Leaf(0))
			require.NoError(t, err)
			return account.WithSigner(signer)
		},
	} {
		state, err := w.store.Load(t.Context(), w.owner.Ref())
		require.NoError(t, err)
		config := w.config
		config.Bundler = bundler.New(w.bundler.URL(), bundler.WithHTTPClient(&http.Client{Transport: &lostOnce{func() { w.revoke(t) }}}))
		client, err := account.NewClient(config)
		require.NoError(t, err)
		_, err = client.Account(w.owner.Address()).Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, option(), account.Sponsored())
		require.ErrorIs(t, err, session.ErrRevoked, name)
		require.True(t, userop.MayBeAccepted(err), "the first try may have been accepted: %v", err)
		require.Zero(t, w.nfts(t))

		// For the next way of signing the session is as it was.
		now, err := w.store.Load(t.Context(), w.owner.Ref())
		require.NoError(t, err)
		_, err = w.store.Apply(t.Context(), w.owner.Ref(), now.Version, &session.Change{Header: state.Header, Put: state.Leaves})
		require.NoError(t, err)
		require.NoError(t, sess.Refresh(t.Context()))
	}
}

// What a session signed is handed out again only after its store was asked.
func TestResendAsksTheStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()}, account.ForBatches())
	mint := w.mint(t, w.owner.Address())
	single, err := w.user.Build(t.Context(), []account.Call{mint}, account.WithSession(sess.Leaf(0)), account.Sponsored())
	require.NoError(t, err)
	batch, err := w.user.Build(t.Context(), []account.Call{mint, mint}, account.WithSession(sess.Leaf(0), sess.Leaf(0)), account.Sponsored(), account.WithLane(uint256.NewInt(1)))
	require.NoError(t, err)
	for _, op := range []*userop.Operation{single, batch} {
		_, err = w.client.Sender().Resend(t.Context(), op)
		require.ErrorIs(t, err, account.ErrConfig)
		require.ErrorContains(t, err, "send it again with Account.Resend")
	}
	done(t)(w.user.Resend(t.Context(), sess, single))
	_, err = w.client.Account(stranger).Resend(t.Context(), sess, batch)
	require.ErrorIs(t, err, account.ErrConfig)
	_, err = w.user.Resend(t.Context(), nil, batch)
	require.ErrorIs(t, err, account.ErrConfig)
	owned, err := w.owner.Build(t.Context(), []account.Call{mint}, account.Sponsored())
	require.NoError(t, err)
	_, err = w.user.Resend(t.Context(), sess, owned)
	require.ErrorIs(t, err, policy.ErrInvalid)
	done(t)(w.client.Sender().Resend(t.Context(), owned))

	w.revoke(t)
	_, err = w.user.Resend(t.Context(), sess, batch)
	require.ErrorIs(t, err, session.ErrRevoked)
	require.ErrorContains(t, err, "not sent again: ")
	require.True(t, userop.MayBeAccepted(err), "it may have been sent before")
	require.EqualValues(t, 2, w.nfts(t))

	empty, err := session.OpenOrNew(t.Context(), w.store, session.Ref{ChainID: w.owner.Ref().ChainID, Account: w.owner.Address()})
	require.NoError(t, err)
	require.ErrorIs(t, empty.CheckSigned(t.Context(), w.client.Contracts().Session, batch), session.ErrRevoked)
}
