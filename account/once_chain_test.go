package account_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// gate is a bundler at whose door somebody stands: send decides what becomes of what is handed over.
type gate struct {
	userop.Bundler
	mu   sync.Mutex
	send func(ctx context.Context, op *userop.Operation, handOver func() (common.Hash, error)) (common.Hash, error)
	seen []*userop.Operation
}

func (g *gate) Unwrap() userop.Bundler { return g.Bundler }

func (g *gate) SendUserOperation(ctx context.Context, op *userop.Operation, entryPoint common.Address) (common.Hash, error) {
	g.mu.Lock()
	g.seen = append(g.seen, op.Clone())
	send := g.send
	g.mu.Unlock()
	handOver := func() (common.Hash, error) { return g.Bundler.SendUserOperation(ctx, op, entryPoint) }
	if send == nil {
		return handOver()
	}
	return send(ctx, op, handOver)
}

func (g *gate) set(send func(context.Context, *userop.Operation, func() (common.Hash, error)) (common.Hash, error)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.send = send
}

func (g *gate) handed() []*userop.Operation {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.seen)
}

// onceWorld is a world whose client writes sends down, with a gate before its bundler.
func onceWorld(t *testing.T, change func(*account.Config)) (*world, *gate) {
	t.Helper()
	w := newWorld(t)
	door := &gate{Bundler: w.config.Bundler}
	w.config.Bundler, w.config.Outbox = door, w.store
	if change != nil {
		change(&w.config)
	}
	w.restart(t)
	return w, door
}

// restart makes the client anew, as another process with the same stores has it.
func (w *world) restart(t *testing.T) {
	t.Helper()
	w.client = w.clientWith(t, account.Contracts{})
	w.owner = w.client.OwnedAccount(account.KeyOwner(w.ownerKey))
	w.user = w.client.Account(w.owner.Address())
}

func (w *world) sendOnce(t *testing.T, sess *session.Sessions, key string) (*userop.Pending, error) {
	t.Helper()
	return w.user.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())},
		account.WithLeafOf(sess), account.Sponsored(), account.Once(key))
}

func (w *world) entry(t *testing.T, key string) *outbox.Entry {
	t.Helper()
	found, err := w.store.Outbox().Find(t.Context(), w.chain.ChainID(), w.owner.Address(), key)
	if errors.Is(err, outbox.ErrNotFound) {
		return nil
	}
	require.NoError(t, err)
	return found.Entry
}

func TestOnceIsOneSend(t *testing.T) {
	t.Parallel()
	w, door := onceWorld(t, nil)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})

	first, err := w.sendOnce(t, sess, "order 1")
	require.NoError(t, err)
	require.Equal(t, outbox.StateOpen, w.entry(t, "order 1").State)
	again, err := w.sendOnce(t, sess, "order 1")
	require.NoError(t, err)
	require.Equal(t, first.Hash(), again.Hash())
	receipt, err := again.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, outbox.StateLanded, w.entry(t, "order 1").State)

	w.restart(t)
	before := len(door.handed())
	elsewhere, err := w.sendOnce(t, sess, "order 1")
	require.NoError(t, err)
	known, err := elsewhere.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, receipt.TransactionHash, known.TransactionHash)
	require.True(t, known.Confirmed)
	require.Len(t, door.handed(), before, "it had ended")
	require.Equal(t, uint64(1), w.nfts(t))

	tx, err := w.sendOnce(t, sess, "order 2")
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(2), w.nfts(t))

	_, err = w.user.Send(t.Context(), []account.Call{w.mint(t, common.Address{1})}, account.WithLeafOf(sess), account.Sponsored(), account.Once("order 2"))
	require.ErrorIs(t, err, account.ErrKeyReused)
	require.ErrorContains(t, err, `under "order 2" of account `+w.owner.Address().Hex())
	require.ErrorContains(t, err, "is a send with call 0 to "+w.chain.Contracts.NFT.Hex())
	_, err = w.owner.Deploy(t.Context(), account.Sponsored(), account.Once("order 2"))
	require.ErrorIs(t, err, account.ErrKeyReused)
	require.ErrorContains(t, err, "is a send, not a deploy")
}

func TestOnceWhereItDoesNotApply(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	calls := []account.Call{w.mint(t, w.owner.Address())}
	_, err := w.owner.Send(t.Context(), calls, account.Once("k"))
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "Config.Outbox")

	w.config.Outbox = memstore.New()
	w.restart(t)
	_, err = w.owner.Build(t.Context(), calls, account.Once("k"))
	require.ErrorIs(t, err, account.ErrConfig)
	_, err = w.owner.Send(t.Context(), calls, account.Once(""))
	require.ErrorIs(t, err, account.ErrConfig)
	_, err = w.owner.Send(t.Context(), calls, account.Once("a"), account.Once("b"))
	require.ErrorIs(t, err, account.ErrConfig)
	_, _, err = w.owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, account.Once("k"), account.Sponsored())
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "another store")

	config := w.config
	config.Outbox, config.Report = nil, func(context.Context, account.Report) error { return nil }
	_, err = account.NewClient(config)
	require.ErrorIs(t, err, account.ErrConfig)
	client := w.clientWith(t, account.Contracts{})
	done, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, client.Run(done), context.Canceled)
}

// What nobody got is as if it had not been.
func TestOnceFreesWhatNobodyGot(t *testing.T) {
	t.Parallel()
	w, _ := onceWorld(t, nil)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	healthy := w.config.Bundler
	closed := bundler.New("http://127.0.0.1:1/")
	t.Cleanup(closed.Close)
	w.config.Bundler = deaf{healthy, closed}
	w.restart(t)
	_, err := w.sendOnce(t, sess, "order")
	require.Error(t, err)
	require.False(t, userop.MayBeAccepted(err), "%v", err)
	require.ErrorContains(t, err, `nothing was given to a service, and key "order" is free again`)
	require.Nil(t, w.entry(t, "order"))

	_, tx, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{session.Named("more", w.nftPolicy())}, account.Sponsored(), account.Once("grant"))
	require.Error(t, err)
	require.Nil(t, tx)
	require.Nil(t, w.entry(t, "grant"))
	require.NoError(t, sess.Refresh(t.Context()))
	require.Nil(t, sess.Pending())
	require.Len(t, sess.Leaves(), 1)

	w.config.Bundler = healthy
	w.restart(t)
	tx, err = w.sendOnce(t, sess, "order")
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(1), w.nfts(t))
}

// deaf is a bundler whose door for operations is closed.
type deaf struct {
	userop.Bundler
	closed userop.Bundler
}

func (d deaf) Unwrap() userop.Bundler { return d.Bundler }

func (d deaf) SendUserOperation(ctx context.Context, op *userop.Operation, entryPoint common.Address) (common.Hash, error) {
	return d.closed.SendUserOperation(ctx, op, entryPoint)
}

var errFeeTooLow = &bundler.Error{Code: -32602, Message: "maxFeePerGas must be at least 1000000007"}

// A refusal is the service's word. What is signed anew has the same nonce, so that one of them lands at most,
// whichever that is.
func TestOnceAfterARefusalThatWasALie(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]bool{"a lie": true, "the truth": false} {
		t.Run(name, func(t *testing.T) {
			w, door := onceWorld(t, nil)
			sess := w.grant(t, []policy.Policy{w.nftPolicy()})
			w.bundler.Pause()
			door.set(func(_ context.Context, _ *userop.Operation, handOver func() (common.Hash, error)) (common.Hash, error) {
				if lie {
					_, err := handOver()
					require.NoError(t, err)
				}
				return common.Hash{}, errFeeTooLow
			})
			_, err := w.sendOnce(t, sess, "order")
			require.ErrorIs(t, err, error(errFeeTooLow))
			require.True(t, userop.MayBeAccepted(err), "%v", err)
			require.False(t, userop.SafeToRetry(err), "%v", err)
			require.ErrorContains(t, err, `key "order" keeps nonce`)
			first := w.entry(t, "order")
			require.Len(t, first.Attempts, 1)

			// The next try: the same bytes are refused again, and others are signed for the same nonce.
			var tries int
			door.set(func(_ context.Context, op *userop.Operation, handOver func() (common.Hash, error)) (common.Hash, error) {
				if tries++; tries == 1 || lie {
					return common.Hash{}, errFeeTooLow
				}
				return handOver()
			})
			tx, err := w.user.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, account.WithLeafOf(sess),
				account.Sponsored(), account.Once("order"), account.WithMargins(userop.Margins{MaxFeePerGas: 30, MaxPriorityFeePerGas: 30}))
			second := w.entry(t, "order")
			require.Len(t, second.Attempts, 2)
			require.Equal(t, first.Nonce, second.Attempts[1].Operation.Nonce)
			require.NotEqual(t, first.Attempts[0].Hash, second.Attempts[1].Hash)
			w.bundler.Resume()
			door.set(nil)
			if lie {
				require.True(t, userop.MayBeAccepted(err), "%v", err)
				require.Eventually(t, func() bool { return w.nfts(t) == 1 }, 10*time.Second, 10*time.Millisecond)
				w.restart(t)
				tx, err = w.sendOnce(t, sess, "order")
			}
			require.NoError(t, err)
			receipt, err := tx.Wait(t.Context())
			require.NoError(t, err)
			landed := second.Attempts[1].Hash
			if lie {
				landed = first.Attempts[0].Hash
			}
			require.Equal(t, landed, receipt.UserOpHash)
			require.Equal(t, uint64(1), w.nfts(t))
			require.Equal(t, outbox.StateLanded, w.entry(t, "order").State)
			require.Equal(t, landed, w.entry(t, "order").Outcome.Hash)
		})
	}
}

// Several processes that send under one key at once send one operation.
func TestOnceByManyAtOnce(t *testing.T) {
	t.Parallel()
	w, _ := onceWorld(t, nil)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	const processes, keys = 4, 3
	var group sync.WaitGroup
	hashes := make([][keys]common.Hash, processes)
	for p := range processes {
		client := w.clientWith(t, account.Contracts{})
		for k := range keys {
			group.Go(func() {
				tx, err := client.Account(w.owner.Address()).Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())},
					account.WithLeafOf(sess), account.Sponsored(), account.Once(string(rune('a'+k))))
				if err != nil {
					t.Errorf("process %d, key %d: %v", p, k, err)
					return
				}
				receipt, err := tx.Wait(t.Context())
				if err != nil {
					t.Errorf("process %d, key %d: %v", p, k, err)
					return
				}
				hashes[p][k] = receipt.UserOpHash
			})
		}
	}
	group.Wait()
	for p := range processes {
		require.Equal(t, hashes[0], hashes[p])
	}
	require.Equal(t, uint64(keys), w.nfts(t))
}

// A nonce, or a deployment, that lands while a send is made is another one's, and the send takes the next.
func TestOnceBesideAnotherSend(t *testing.T) {
	for _, deployed := range []bool{false, true} {
		t.Run(fmt.Sprintf("deployed %t", deployed), func(t *testing.T) {
			t.Parallel()
			w, _ := onceWorld(t, nil)
			send := func(opts ...account.Option) (*userop.Pending, error) {
				return w.clientWith(t, account.Contracts{}).OwnedAccount(account.KeyOwner(w.ownerKey)).Send(t.Context(),
					[]account.Call{w.mint(t, w.owner.Address())}, append(opts, account.Sponsored())...)
			}
			if deployed {
				done(t)(send())
			}
			before := w.nfts(t)
			paymaster := w.config.Paymaster
			var first sync.Once
			w.config.Paymaster = beforeSponsor{paymaster, func() {
				first.Do(func() {
					w.config.Paymaster = paymaster
					done(t)(send())
				})
			}}
			done(t)(send(account.Once("order")))
			require.Equal(t, before+2, w.nfts(t))
			require.Equal(t, outbox.StateLanded, w.entry(t, "order").State)

			nonce, err := w.user.Nonce(t.Context(), nil)
			require.NoError(t, err)
			w.config.Paymaster = beforeSponsor{paymaster, func() {
				w.config.Paymaster = paymaster
				done(t)(send())
			}}
			_, err = send(account.Once("named"), account.WithNonce(&nonce))
			require.ErrorContains(t, err, "AA25", "the caller's own nonce")
			require.Nil(t, w.entry(t, "named"))
		})
	}
}

// beforeSponsor does something before each sponsorship.
type beforeSponsor struct {
	userop.Paymaster
	do func()
}

func (p beforeSponsor) SponsorUserOperation(ctx context.Context, op *userop.Operation, req userop.SponsorRequest) (userop.Sponsorship, error) {
	p.do()
	return p.Paymaster.SponsorUserOperation(ctx, op, req)
}

// A process that is gone is followed by one that goes on.
func TestRunGoesOn(t *testing.T) {
	t.Parallel()
	reports := make(chan account.Report, 16)
	var refuse sync.Once
	w, door := onceWorld(t, func(c *account.Config) {
		c.Lease = 500 * time.Millisecond
		c.Report = func(_ context.Context, report account.Report) (err error) {
			refuse.Do(func() { err = errors.New("the table is locked") })
			if err == nil {
				reports <- report
			}
			return err
		}
	})
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	gone := func(ctx context.Context, _ *userop.Operation, _ func() (common.Hash, error)) (common.Hash, error) {
		return common.Hash{}, errors.New("the process is gone by now")
	}
	door.set(gone)
	_, err := w.sendOnce(t, sess, "use")
	require.True(t, userop.MayBeAccepted(err))
	_, _, err = w.owner.Grant(t.Context(), w.store, []policy.Policy{session.Named("more", w.nftPolicy())}, account.Sponsored(), account.Once("grant"))
	require.True(t, userop.MayBeAccepted(err), "%v", err)
	require.NotNil(t, w.entry(t, "grant"))
	revert := account.Call{To: w.chain.Contracts.NFT, Data: pack(t, "function transferFrom(address from, address to, uint256 id)", w.owner.Address(), common.Address{1}, 77)}
	w.fund(t, 1)
	_, err = w.owner.Send(t.Context(), []account.Call{revert}, account.Once("revert"), account.WithGas(userop.Gas{
		CallGasLimit: *uint256.NewInt(200_000), VerificationGasLimit: *uint256.NewInt(200_000), PreVerificationGas: *uint256.NewInt(60_000),
	}))
	require.True(t, userop.MayBeAccepted(err), "%v", err)

	door.set(nil)
	w.restart(t)
	running, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.client.Run(running) }()
	told := make(map[string]account.Report)
	for range 3 {
		select {
		case report := <-reports:
			require.NotContains(t, told, report.Key)
			told[report.Key] = report
		case <-time.After(60 * time.Second):
			t.Fatalf("told of %v alone", told)
		}
	}
	require.Eventually(t, func() bool {
		return w.entry(t, "use").Reported && w.entry(t, "grant").Reported && w.entry(t, "revert").Reported
	}, 10*time.Second, 10*time.Millisecond)
	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Empty(t, reports)

	require.NoError(t, told["use"].Err)
	require.NotZero(t, told["use"].Receipt.TransactionHash)
	require.NoError(t, told["grant"].Err)
	var reverted *userop.RevertError
	require.ErrorAs(t, told["revert"].Err, &reverted)
	require.Equal(t, uint64(1), w.nfts(t))
	require.NoError(t, sess.Refresh(t.Context()))
	require.Nil(t, sess.Pending())
	require.Len(t, sess.Leaves(), 2)
	require.Equal(t, session.StatusActive, sess.Leaves()[1].Status)

	again, tx, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{session.Named("more", w.nftPolicy())}, account.Sponsored(), account.Once("grant"))
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), again, tx))
	require.Len(t, again.Leaves(), 2)
}

// A table of the caller's own: the bytes are there before any service has them, or nothing is sent.
func TestBeforeSend(t *testing.T) {
	t.Parallel()
	w, door := onceWorld(t, nil)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	handed := len(door.handed())
	calls := []account.Call{w.mint(t, w.owner.Address())}
	full := errors.New("the table is full")
	var kept *userop.Operation
	var keptHash common.Hash
	send := func(failure error, opts ...account.Option) (*userop.Pending, error) {
		return w.user.Send(t.Context(), calls, append(opts, account.WithLeafOf(sess), account.Sponsored(),
			account.BeforeSend(func(_ context.Context, op *userop.Operation, hash common.Hash) error {
				require.Len(t, door.handed(), handed)
				kept, keptHash = op.Clone(), hash
				return failure
			}))...)
	}
	for _, opts := range [][]account.Option{nil, {account.Once("k")}} {
		_, err := send(full, opts...)
		require.ErrorIs(t, err, full)
		require.False(t, userop.MayBeAccepted(err))
		require.Nil(t, w.entry(t, "k"))
	}
	require.Len(t, door.handed(), handed)
	tx, err := send(nil)
	require.NoError(t, err)
	require.Equal(t, tx.Hash(), keptHash)
	require.Equal(t, tx.Operation().Signature, kept.Signature)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)

	_, err = w.user.Build(t.Context(), calls, account.WithLeafOf(sess), account.Sponsored(),
		account.BeforeSend(func(context.Context, *userop.Operation, common.Hash) error { return nil }))
	require.ErrorIs(t, err, account.ErrConfig)
}

// What was built and is sent for the first time is not told as what may be known already.
func TestSendSigned(t *testing.T) {
	t.Parallel()
	w, door := onceWorld(t, nil)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	op, err := w.user.Build(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, account.WithLeafOf(sess), account.Sponsored())
	require.NoError(t, err)
	door.set(func(context.Context, *userop.Operation, func() (common.Hash, error)) (common.Hash, error) {
		return common.Hash{}, errFeeTooLow
	})
	_, err = w.user.SendSigned(t.Context(), sess, op)
	require.ErrorIs(t, err, error(errFeeTooLow))
	require.True(t, userop.MayBeAccepted(err), "a refusal that the chain does not bear out is a claim: %v", err)
	require.NotContains(t, err.Error(), "earlier try")
	_, err = w.user.Resend(t.Context(), sess, op)
	require.True(t, userop.MayBeAccepted(err), "%v", err)

	_, err = w.user.SendSigned(t.Context(), nil, op)
	require.ErrorIs(t, err, account.ErrConfig, "its sessions are to be asked")
	door.set(nil)
	tx, err := w.user.SendSigned(t.Context(), sess, op)
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(1), w.nfts(t))

	require.NoError(t, sess.Suspend(t.Context(), sess.Leaves()[0].ID))
	_, err = w.user.SendSigned(t.Context(), sess, op)
	require.ErrorIs(t, err, session.ErrRevoked)
}
