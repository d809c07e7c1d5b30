package account_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

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

// stuckMint is a world with an owner's operation that waits in a mempool, without an outbox.
func stuckMint(t *testing.T, opts ...account.Option) (*world, *gate, *userop.Pending) {
	t.Helper()
	w, door := onceWorld(t, nil)
	w.config.Outbox = nil
	w.restart(t)
	w.fund(t, 1)
	w.bundler.Pause()
	tx, err := w.owner.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, opts...)
	require.NoError(t, err)
	return w, door, tx
}

// A chain of siblings: any may land, and each wait tells of it.
func TestReplaceAgainAndAgain(t *testing.T) {
	t.Parallel()
	for name, lands := range map[string]int{"the first lands": 0, "the second lands": 1, "the last lands": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, door, deployed := stuckMint(t)
			w.bundler.Resume()
			_, err := deployed.Wait(t.Context())
			require.NoError(t, err)
			w.bundler.Pause()
			var mine []*userop.Pending
			door.set(func(_ context.Context, op *userop.Operation, handOver func() (common.Hash, error)) (common.Hash, error) {
				if len(mine) == lands {
					return handOver()
				}
				return op.Hash(w.client.Contracts().EntryPoint, w.chain.ChainID()), nil // and loses it
			})
			tx, err := w.owner.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, account.WithLane(uint256.NewInt(10)))
			require.NoError(t, err)
			for mine = append(mine, tx); len(mine) < 3; mine = append(mine, tx) {
				tx, err = w.owner.Replace(t.Context(), tx)
				require.NoError(t, err)
				requireOutbids(t, tx.Operation(), mine[len(mine)-1].Operation())
				require.Empty(t, tx.Operation().PaymasterAndData, "who paid pays again")
			}
			require.Len(t, tx.Operations(), 3)
			require.Equal(t, tx.Operation(), tx.Operations()[0])
			stored := tx.Operations()
			w.bundler.Resume()
			for _, tx := range mine {
				receipt, err := tx.Wait(t.Context())
				require.NoError(t, err)
				require.Equal(t, mine[lands].Hash(), receipt.UserOpHash)
				is, err := tx.Look(t.Context())
				require.NoError(t, err)
				require.Equal(t, mine[lands].Hash(), is.Receipt.UserOpHash)
			}
			w.restart(t)
			receipt, err := w.client.Sender().WatchOperation(stored[0], stored[1:]...).Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, mine[lands].Hash(), receipt.UserOpHash)
			require.Equal(t, uint64(2), w.nfts(t), "and the one before")
		})
	}
}

// What is replaced lands while that is made: that is the outcome.
func TestReplaceWhatLandsMeanwhile(t *testing.T) {
	t.Parallel()
	w, door, stuck := stuckMint(t)
	handed := len(door.handed())
	land := account.BeforeSend(func(context.Context, *userop.Operation, common.Hash) error {
		w.bundler.Resume()
		_, err := stuck.Wait(t.Context())
		return err
	})
	tx, err := w.owner.Replace(t.Context(), stuck, land)
	require.NoError(t, err)
	receipt, err := tx.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, stuck.Hash(), receipt.UserOpHash)
	require.Greater(t, len(door.handed()), handed, "it was too late")
	require.Equal(t, uint64(1), w.nfts(t))
}

func TestCancelWhatLandsMeanwhile(t *testing.T) {
	t.Parallel()
	w, _, stuck := stuckMint(t)
	land := account.BeforeSend(func(context.Context, *userop.Operation, common.Hash) error {
		w.bundler.Resume()
		_, err := stuck.Wait(t.Context())
		return err
	})
	_, err := w.owner.Cancel(t.Context(), stuck, land)
	require.ErrorIs(t, err, account.ErrLanded)
	require.ErrorContains(t, err, stuck.Hash().Hex())
	require.Equal(t, uint64(1), w.nfts(t))

	// One that lands after the cancellation was given away, to a bundler that loses that.
	w, door, stuck := stuckMint(t)
	door.set(func(_ context.Context, op *userop.Operation, _ func() (common.Hash, error)) (common.Hash, error) {
		return op.Hash(w.client.Contracts().EntryPoint, w.chain.ChainID()), nil
	})
	tx, err := w.owner.Cancel(t.Context(), stuck)
	require.NoError(t, err)
	w.bundler.Resume()
	_, err = tx.Wait(t.Context())
	require.ErrorIs(t, err, userop.ErrReplaced)
	require.ErrorContains(t, err, "was used by operation "+stuck.Hash().Hex())
	_, err = stuck.Wait(t.Context())
	require.NoError(t, err)
}

// A cancellation that is stuck is outbid by the next.
func TestCancelAgain(t *testing.T) {
	t.Parallel()
	w, _, stuck := stuckMint(t)
	first, err := w.owner.Cancel(t.Context(), stuck)
	require.NoError(t, err)
	second, err := w.owner.Cancel(t.Context(), stuck)
	require.NoError(t, err)
	requireOutbids(t, second.Operation(), first.Operation())
	third, err := w.owner.Replace(t.Context(), second)
	require.NoError(t, err)
	requireOutbids(t, third.Operation(), second.Operation())
	require.Empty(t, third.Operation().CallData)
	w.bundler.Resume()
	_, err = second.Wait(t.Context())
	require.NoError(t, err)
	_, err = stuck.Wait(t.Context())
	require.ErrorIs(t, err, userop.ErrReplaced)
	require.Zero(t, w.nfts(t))
}

func TestReplaceWithinTheCaps(t *testing.T) {
	t.Parallel()
	w, door, stuck := stuckMint(t)
	handed := len(door.handed())
	paid := stuck.Operation().MaxFeePerGas
	for name, opts := range map[string][]account.Option{
		"the fee": {account.WithCaps(userop.Caps{MaxFeePerGas: &paid})},
		"the sum": {account.WithCaps(userop.Caps{MaxCost: uint256.NewInt(1)})},
	} {
		_, err := w.owner.Replace(t.Context(), stuck, opts...)
		require.ErrorIs(t, err, userop.ErrCap, name)
		require.False(t, userop.MayBeAccepted(err), name)
		_, err = w.owner.Cancel(t.Context(), stuck, opts...)
		require.ErrorIs(t, err, userop.ErrCap, name)
	}
	require.Len(t, door.handed(), handed, "nothing was sent")

	own := userop.Fees{MaxFeePerGas: *uint256.NewInt(9e9), MaxPriorityFeePerGas: *uint256.NewInt(8e9)}
	tx, err := w.owner.Replace(t.Context(), stuck, account.WithFees(own))
	require.NoError(t, err)
	require.Equal(t, own, tx.Operation().Fees())
}

// A bundler that says what would do is given that, once and within the caps.
func TestReplaceWithWhatTheBundlerDemands(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		opts     []account.Option
		always   bool
		capped   bool
		attempts int
		err      error
	}{
		"once":                 {attempts: 2},
		"not twice":            {always: true, attempts: 2, err: bundler.ErrInvalidParams},
		"not above a cap":      {capped: true, attempts: 1, err: userop.ErrCap},
		"not with fees given":  {opts: []account.Option{account.WithFees(userop.Fees{MaxFeePerGas: *uint256.NewInt(9e9), MaxPriorityFeePerGas: *uint256.NewInt(4e9)})}, attempts: 1, err: bundler.ErrInvalidParams},
		"by cancelling, alike": {attempts: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, door, stuck := stuckMint(t)
			w.config.Caps.MaxFeePerGas = uint256.NewInt(1e12)
			w.restart(t) // which bounds the tip, too
			handed := len(door.handed())
			tries := 0
			inTheWay := new(uint256.Int).Mul(&stuck.Operation().MaxFeePerGas, uint256.NewInt(2))
			inTheWay.Div(inTheWay, uint256.NewInt(10)).Mul(inTheWay, uint256.NewInt(10)) // so that a tenth is whole
			least := new(uint256.Int).Add(inTheWay, new(uint256.Int).Div(inTheWay, uint256.NewInt(10)))
			refusal := &bundler.Error{
				Code: -32602, Message: "replacement underpriced. Current fee: " + inTheWay.Dec(),
				Data: json.RawMessage(`{"currentPriority":"` + inTheWay.Hex() + `","currentFee":"` + inTheWay.Hex() + `"}`),
			}
			if test.capped {
				test.opts = append(test.opts, account.WithCaps(userop.Caps{MaxFeePerGas: new(uint256.Int).SubUint64(least, 1)}))
			}
			door.set(func(_ context.Context, _ *userop.Operation, handOver func() (common.Hash, error)) (common.Hash, error) {
				if tries++; tries == 1 || test.always {
					return common.Hash{}, refusal
				}
				return handOver()
			})
			send := w.owner.Replace
			if name == "by cancelling, alike" {
				send = w.owner.Cancel
			}
			tx, err := send(t.Context(), stuck, test.opts...)
			hashes := map[common.Hash]bool{}
			for _, op := range door.handed()[handed:] {
				hashes[op.Hash(w.client.Contracts().EntryPoint, w.chain.ChainID())] = true
			}
			require.Len(t, hashes, test.attempts)
			w.bundler.Resume()
			if test.err != nil {
				require.ErrorIs(t, err, test.err)
				door.set(nil)
				receipt, err := stuck.Wait(t.Context())
				require.NoError(t, err)
				require.Equal(t, stuck.Hash(), receipt.UserOpHash)
				return
			}
			require.NoError(t, err)
			require.Equal(t, *least, tx.Operation().MaxFeePerGas)
			require.Equal(t, *least, tx.Operation().MaxPriorityFeePerGas)
			_, err = tx.Wait(t.Context())
			require.NoError(t, err)
		})
	}
}

// A lane is free again once what replaced its operation landed.
func TestReplaceInALane(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(*world) func(context.Context, *userop.Pending, ...account.Option) (*userop.Pending, error){
		"replaced": func(w *world) func(context.Context, *userop.Pending, ...account.Option) (*userop.Pending, error) {
			return w.owner.Replace
		},
		"cancelled": func(w *world) func(context.Context, *userop.Pending, ...account.Option) (*userop.Pending, error) {
			return w.owner.Cancel
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _, other := stuckMint(t)
			w.bundler.Resume()
			_, err := other.Wait(t.Context())
			require.NoError(t, err)
			w.bundler.Pause()
			lanes := w.client.NewLanes(account.LanesConfig{Size: 1})
			t.Cleanup(func() { require.NoError(t, lanes.Close(context.Background())) })
			calls := []account.Call{w.mint(t, w.owner.Address())}
			stuck, err := w.owner.Send(t.Context(), calls, account.InLane(lanes))
			require.NoError(t, err)
			tx, err := do(w)(t.Context(), stuck)
			require.NoError(t, err)
			w.bundler.Resume()
			_, err = tx.Wait(t.Context())
			require.NoError(t, err)
			next, err := w.owner.Send(t.Context(), calls, account.InLane(lanes))
			require.NoError(t, err)
			require.Equal(t, new(uint256.Int).AddUint64(&stuck.Operation().Nonce, 1), &next.Operation().Nonce)
			_, err = next.Wait(t.Context())
			require.NoError(t, err)
		})
	}
}

// Who pays is chosen anew; a fee in tokens takes a new quote, and its approval gives way to another.
func TestReplaceByAnotherPayer(t *testing.T) {
	t.Parallel()
	w, _, deployed := stuckMint(t)
	w.bundler.Resume()
	_, err := deployed.Wait(t.Context())
	require.NoError(t, err)
	calls := []account.Call{w.mint(t, w.owner.Address())}
	token := w.chain.Contracts.Token6
	w.giveTokens(t, token, 1e12)
	lane := uint64(100)
	stuckPaying := func(opts ...account.Option) *userop.Pending {
		lane++
		tx, err := w.owner.Send(t.Context(), calls, append(opts, account.WithLane(uint256.NewInt(lane)))...)
		require.NoError(t, err)
		return tx
	}
	w.bundler.Pause()

	inTokens := func() []account.Option {
		return []account.Option{account.PayWith(quote(t, w.owner, token, calls, account.ApproveExact(), account.WithMargins(userop.Margins{MaxFeePerGas: 100}))), account.ApproveExact()}
	}
	paid := stuckPaying(inTokens()...)
	_, err = w.owner.Replace(t.Context(), paid)
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "ask FeeQuotes for a new quote and give it to PayWith")
	again, err := w.owner.Replace(t.Context(), paid, inTokens()...)
	require.NoError(t, err)
	made, err := w.owner.Decode(again.Operation().CallData)
	require.NoError(t, err)
	require.Len(t, made, 2, "one approval, and the call")
	require.Equal(t, w.chain.Contracts.TokenPaymaster, common.BytesToAddress(again.Operation().PaymasterAndData[:20]))

	var all []*userop.Pending
	for _, change := range []struct{ from, to []account.Option }{
		{nil, []account.Option{account.Sponsored()}},
		{[]account.Option{account.Sponsored()}, nil},
		{[]account.Option{account.Sponsored()}, []account.Option{account.SponsoredOrSelf()}},
		{[]account.Option{account.SponsoredOrSelf()}, inTokens()},
	} {
		stuck := stuckPaying(change.from...)
		tx, err := w.owner.Replace(t.Context(), stuck, change.to...)
		require.NoError(t, err)
		require.NotEmpty(t, tx.Operation().PaymasterAndData)
		all = append(all, tx)
	}
	w.bundler.Resume()
	for _, tx := range append(all, again) {
		_, err := tx.Wait(t.Context())
		require.NoError(t, err)
	}
}

func TestReplaceAndCancelWhereTheyDoNotApply(t *testing.T) {
	t.Parallel()
	w, door := onceWorld(t, nil)
	w.config.Outbox = nil
	w.restart(t)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	w.bundler.Pause()
	ctx, calls := t.Context(), []account.Call{w.mint(t, w.owner.Address())}
	byKey, err := w.user.Send(ctx, calls, account.WithLeafOf(sess), account.Sponsored())
	require.NoError(t, err)
	revocation, err := w.owner.RevokeAll(ctx, sess, account.Sponsored(), account.WithLane(uint256.NewInt(5)))
	require.NoError(t, err)
	handed := len(door.handed())
	foreign := byKey.Operation().Clone()
	foreign.Sender = common.Address{1}
	strange := byKey.Operation().Clone()
	strange.CallData = []byte{1, 2, 3, 4}
	sender := w.client.Sender()
	elsewhere, err := userop.NewSender(userop.SenderConfig{ChainID: 1, EntryPoint: w.client.Contracts().EntryPoint, Bundler: w.config.Bundler})
	require.NoError(t, err)
	otherStore, err := session.OpenOrNew(ctx, memstore.New(), session.Ref{ChainID: 1, Account: common.Address{7}})
	require.NoError(t, err)
	for name, test := range map[string]struct {
		do    func(context.Context, *userop.Pending, ...account.Option) (*userop.Pending, error)
		stuck *userop.Pending
		opts  []account.Option
		is    error
		text  string
	}{
		"nothing named":                {w.owner.Replace, nil, nil, account.ErrConfig, "no operation; give the pending one, Once with its key, or OfSessions"},
		"a hash alone":                 {w.owner.Replace, sender.Watch(byKey.Hash()), nil, account.ErrConfig, "is known by its hash alone; give its bytes to WatchOperation"},
		"another account's":            {w.owner.Cancel, sender.WatchOperation(foreign), nil, account.ErrConfig, "is one of account 0x01"},
		"another chain's":              {w.owner.Cancel, elsewhere.WatchOperation(byKey.Operation()), nil, userop.ErrWrongChain, "is one of another chain or EntryPoint"},
		"no calls of the account":      {w.owner.Replace, sender.WatchOperation(strange), nil, account.ErrNotExecute, ""},
		"a key without an outbox":      {w.owner.Replace, nil, []account.Option{account.Once("k")}, account.ErrConfig, "Once without Config.Outbox"},
		"a session's by the owner":     {w.owner.Replace, byKey, nil, account.ErrConfig, "a session signed operation"},
		"a session's by nobody":        {w.user.Replace, byKey, nil, account.ErrConfig, "choose it with WithSession or WithLeafOf"},
		"a session's that was revoked": {w.user.Replace, byKey, []account.Option{account.WithSession(sess.Leaf(0))}, session.ErrRevoked, ""},
		"cancelled by a session":       {w.owner.Cancel, byKey, []account.Option{account.WithLeafOf(sess)}, account.ErrConfig, "Without the owner Replace sends the same calls with higher fees, or the operation is waited out"},
		"another nonce":                {w.owner.Cancel, byKey, []account.Option{account.WithNonce(uint256.NewInt(1))}, account.ErrConfig, "the nonce is that of what is replaced"},
		"a change of nobody's":         {w.owner.Replace, revocation, nil, account.ErrConfig, "give them with OfSessions"},
		"sessions of another account":  {w.owner.Replace, revocation, []account.Option{account.OfSessions(otherStore)}, account.ErrConfig, "OfSessions with sessions of"},
		"sessions of no change":        {w.owner.Cancel, byKey, []account.Option{account.OfSessions(sess)}, account.ErrConfig, "sets no session root"},
	} {
		_, err := test.do(ctx, test.stuck, test.opts...)
		require.ErrorIs(t, err, test.is, name)
		require.ErrorContains(t, err, test.text, name)
	}
	require.Len(t, door.handed(), handed, "nothing was sent")

	// The owner takes the nonce of what a revoked session sent, and the change goes on from the store alone.
	cancelled, err := w.owner.Cancel(ctx, byKey)
	require.NoError(t, err)
	tx, err := w.owner.Replace(ctx, nil, account.OfSessions(sess))
	require.NoError(t, err)
	require.Equal(t, revocation.Operation().Nonce, tx.Operation().Nonce)
	w.bundler.Resume()
	_, err = cancelled.Wait(ctx)
	require.NoError(t, err)
	_, err = sess.Activate(ctx, revocation) // by the one that was sent first
	require.NoError(t, err)
	require.Nil(t, sess.Pending())
	require.Zero(t, w.nfts(t))
	require.Zero(t, w.standing(t))
	_, err = w.owner.Cancel(ctx, nil, account.OfSessions(sess))
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "no change of the session root")
}

// A session that was revoked while its grant waits is not granted by another operation.
func TestReplaceNoGrantOfWhatWasRevoked(t *testing.T) {
	t.Parallel()
	w, door := onceWorld(t, nil)
	w.bundler.Pause()
	sess, tx, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, account.Sponsored())
	require.NoError(t, err)
	require.NoError(t, sess.SuspendAll(t.Context()))
	handed := len(door.handed())
	_, err = w.owner.Replace(t.Context(), tx, account.OfSessions(sess))
	require.ErrorIs(t, err, session.ErrRevoked)
	require.ErrorContains(t, err, "Cancel takes its place by nothing")
	require.Len(t, door.handed(), handed)
	cancelled, err := w.owner.Cancel(t.Context(), tx) // by the sessions of the outbox
	require.NoError(t, err)
	w.bundler.Resume()
	_, err = cancelled.Wait(t.Context())
	require.NoError(t, err)
	require.NoError(t, sess.Refresh(t.Context()))
	require.Nil(t, sess.Pending())
	require.Zero(t, w.standing(t))
}

// Of two processes that replace one send at once, one does.
func TestReplaceByTwoProcessesAtOnce(t *testing.T) {
	t.Parallel()
	w, _, sess, stuck := newStuckWorld(t, stuckKinds()["session call"], stuckInMempool, account.Once("k"))
	other := *w
	other.restart(t)
	var tx *userop.Pending
	var err error
	meanwhile := account.BeforeSend(func(context.Context, *userop.Operation, common.Hash) error {
		if tx == nil {
			tx, err = other.user.Replace(t.Context(), nil, account.Once("k"), account.WithLeafOf(sess))
		}
		return err
	})
	slower, failed := w.user.Replace(t.Context(), stuck, account.WithLeafOf(sess), meanwhile)
	require.NoError(t, failed)
	require.Equal(t, tx.Hash(), slower.Hash())
	require.Len(t, w.entry(t, "k").Attempts, 2)
	w.bundler.Resume()
	receipt, err := slower.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, tx.Hash(), receipt.UserOpHash)
	require.Equal(t, outbox.StateLanded, w.entry(t, "k").State)

	again, err := w.user.Replace(t.Context(), stuck, account.WithLeafOf(sess))
	require.NoError(t, err)
	receipt, err = again.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, tx.Hash(), receipt.UserOpHash)
	_, err = w.owner.Cancel(t.Context(), nil, account.Once("k"))
	require.ErrorIs(t, err, account.ErrLanded)
	_, err = w.owner.Cancel(t.Context(), stuck, account.Once("l"))
	require.ErrorIs(t, err, outbox.ErrNotFound)
}

// One of several operations under one signature is replaced for itself.
func TestReplaceOneOfSeveralLegs(t *testing.T) {
	t.Parallel()
	worlds, owned, _ := newWorlds(t)
	store := memstore.New()
	for _, w := range worlds {
		w.bundler.Pause()
	}
	legs := mintLegs(t, worlds, store)
	granted, err := account.GrantTogether(t.Context(), store, legs...)
	require.NoError(t, err)
	tx, err := owned[1].Replace(t.Context(), granted[1].Tx, account.OfSessions(granted[1].Sessions))
	require.NoError(t, err)
	cancelled, err := owned[2].Cancel(t.Context(), granted[2].Tx, account.OfSessions(granted[2].Sessions))
	require.NoError(t, err)
	for _, w := range worlds {
		w.bundler.Resume()
	}
	_, err = granted[0].Sessions.Activate(t.Context(), granted[0].Tx)
	require.NoError(t, err)
	_, err = granted[1].Sessions.Activate(t.Context(), tx)
	require.NoError(t, err)
	_, err = cancelled.Wait(t.Context())
	require.NoError(t, err)
	_, err = granted[2].Sessions.Activate(t.Context(), granted[2].Tx)
	require.True(t, err == nil || errors.Is(err, userop.ErrReplaced), "%v", err)
	require.NoError(t, granted[2].Sessions.Refresh(t.Context()))
	require.Nil(t, granted[2].Sessions.Pending())
	require.Zero(t, granted[2].Sessions.Len())
}

// The EntryPoint calls nothing for an operation without callData: there is no cheaper one, and none that can
// fail.
func TestACancellationIsTheCheapestNoOp(t *testing.T) {
	t.Parallel()
	w, _, deployed := stuckMint(t)
	w.bundler.Resume()
	_, err := deployed.Wait(t.Context())
	require.NoError(t, err)
	took := func(of func(context.Context, *userop.Pending) (*userop.Pending, error)) uint64 {
		w.bundler.Pause()
		stuck, err := w.owner.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())})
		require.NoError(t, err)
		tx, err := of(t.Context(), stuck)
		require.NoError(t, err)
		w.bundler.Resume()
		receipt, err := tx.Wait(t.Context())
		require.NoError(t, err)
		return receipt.ActualGasUsed.Uint64() - tx.Operation().PreVerificationGas.Uint64()
	}
	calling := func(call account.Call) func(context.Context, *userop.Pending) (*userop.Pending, error) {
		return func(ctx context.Context, stuck *userop.Pending) (*userop.Pending, error) {
			nonce := stuck.Operation().Nonce
			return w.owner.Send(ctx, []account.Call{call}, account.WithNonce(&nonce), account.WithMargins(userop.Margins{MaxFeePerGas: 20, MaxPriorityFeePerGas: 20}))
		}
	}
	nothing := took(func(ctx context.Context, stuck *userop.Pending) (*userop.Pending, error) {
		return w.owner.Cancel(ctx, stuck)
	})
	others := map[string]uint64{
		"itself":       took(calling(account.Call{To: w.owner.Address()})),
		"a precompile": took(calling(account.Call{To: common.Address{19: 4}})),
		"nobody":       took(calling(account.Call{To: common.Address{1: 4}})),
	}
	t.Logf("without callData %d gas, by a call to %v", nothing, others)
	for name, gas := range others {
		require.Less(t, nothing, gas, name)
	}
	require.Equal(t, uint64(1), w.nfts(t))
}
