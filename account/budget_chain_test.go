package account_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// budgetWorld is a world whose client has budgets.
func budgetWorld(t *testing.T, budgets account.Budgets) (*world, *gate) {
	t.Helper()
	return onceWorld(t, func(cfg *account.Config) { cfg.Budgets = &budgets })
}

// allowances are what is left, by count.
func (w *world) allowances(t *testing.T) map[outbox.Counter]account.Allowance {
	t.Helper()
	list, err := w.user.Allowances(t.Context(), w.key)
	require.NoError(t, err)
	have := make(map[outbox.Counter]account.Allowance)
	for _, a := range list {
		require.Equal(t, outbox.Day(a.Resets), a.Resets)
		have[a.Counter] = a
	}
	return have
}

// unsentError is the failure of a service that got nothing.
type unsentError struct{ error }

func (e unsentError) Unwrap() error { return e.error }

func (unsentError) Unsent() bool { return true }

// usage requires what a count says.
func (w *world) usage(t *testing.T, c outbox.Counter, spent, open *uint256.Int) {
	t.Helper()
	a := w.allowances(t)[c]
	require.Equal(t, spent.Dec(), a.Spent.Dec(), "spent %s", c)
	require.Equal(t, open.Dec(), a.Open.Dec(), "open %s", c)
}

func n(n uint64) *uint256.Int { return uint256.NewInt(n) }

// TestBudgetsCountWhatTheChainShows has each send be counted at its worst while it may land, and at its true
// cost after that: sponsored or not, with a key of the caller's or without.
func TestBudgetsCountWhatTheChainShows(t *testing.T) {
	t.Parallel()
	w, door := budgetWorld(t, account.Budgets{
		Key:     account.Budget{Operations: 3, Gas: n(1e18)},
		Account: account.Budget{Gas: n(2e18)},
	})
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	gasOfKey, gasOfAll := outbox.Counter{Key: w.key, Unit: outbox.Gas}, outbox.Counter{Unit: outbox.Gas}
	opsOfKey := outbox.Counter{Key: w.key, Unit: outbox.Operations}
	granted := w.allowances(t)[gasOfAll].Spent
	require.False(t, granted.IsZero(), "a grant is the account's, and not a key's")
	w.usage(t, gasOfKey, n(0), n(0))

	w.fund(t, 1)
	spent := new(uint256.Int)
	for i, opts := range [][]account.Option{{account.Sponsored()}, {}, {account.Sponsored(), account.Once("third")}} {
		tx, err := w.user.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, append(opts, account.WithLeafOf(sess))...)
		require.NoError(t, err)
		worst, ok := tx.Operation().Prefund()
		require.True(t, ok)
		w.usage(t, gasOfKey, spent, worst)
		receipt, err := tx.Wait(t.Context())
		require.NoError(t, err)
		spent.Add(spent, &receipt.ActualGasCost)
		w.usage(t, gasOfKey, spent, n(0))
		w.usage(t, opsOfKey, n(uint64(i)+1), n(0))
	}
	w.usage(t, gasOfAll, new(uint256.Int).Add(spent, &granted), n(0))
	require.Equal(t, uint64(3), w.nfts(t))

	before := len(door.handed())
	_, err := w.user.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, account.WithLeafOf(sess), account.Sponsored())
	require.ErrorIs(t, err, outbox.ErrOverBudget)
	var over *outbox.OverBudgetError
	require.ErrorAs(t, err, &over)
	require.Equal(t, opsOfKey, over.Charge.Counter)
	require.Equal(t, w.allowances(t)[opsOfKey].Resets, over.FreesUp())
	require.False(t, userop.MayBeAccepted(err))
	require.Len(t, door.handed(), before)
	w.usage(t, gasOfKey, spent, n(0))

	// What takes rights away is counted, and not refused.
	tx, err := w.owner.Revoke(t.Context(), sess, sess.Leaves()[0].ID, account.Sponsored())
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess, tx))
}

// TestBudgetsOfTokensAndValue decodes what calls move.
func TestBudgetsOfTokensAndValue(t *testing.T) {
	t.Parallel()
	w, _ := budgetWorld(t, account.Budgets{Account: account.Budget{Gas: n(1e18)}})
	token, pair := w.chain.Contracts.Token, common.HexToAddress("0x9a12")
	w.config.Budgets = &account.Budgets{
		Account: account.Budget{Value: n(50), Tokens: map[common.Address]*uint256.Int{token: n(100)}},
		Moves: []account.Move{
			{Contract: token, Function: "mint(address to, uint256 amount)"},
			{Contract: w.chain.Contracts.NFT, Function: "safeMint(address to)", Token: token},
			{Contract: pair, Function: "add(uint256 a, uint256 b)", Token: common.HexToAddress("0x70ce"), Amount: "a"},
			{Contract: pair, Function: "add(uint256 a, uint256 b)", Token: token, Amount: "b"},
		},
	}
	w.restart(t)
	to := common.HexToAddress("0xb0b0000000000000000000000000000000000001")
	call := func(function string, args ...any) account.Call {
		return account.Call{To: token, Data: pack(t, "function "+function, args...)}
	}
	tokens, value := outbox.Counter{Unit: outbox.TokenUnit(token)}, outbox.Counter{Unit: outbox.Value}
	send := func(calls ...account.Call) error {
		tx, err := w.owner.Send(t.Context(), calls, account.Sponsored())
		if err == nil {
			_, err = tx.Wait(t.Context())
		}
		return err
	}
	w.fund(t, 1)
	require.NoError(t, send(call("mint(address to, uint256 amount)", w.owner.Address(), 1000)))
	w.usage(t, tokens, n(0), n(0))
	require.NoError(t, send(call("transfer(address to, uint256 amount)", to, 30), account.Call{To: to, Value: *n(7)}))
	w.usage(t, tokens, n(30), n(0))
	w.usage(t, value, n(7), n(0))
	require.NoError(t, send(call("approve(address spender, uint256 amount)", to, 60)))
	w.usage(t, tokens, n(90), n(0))

	require.ErrorIs(t, send(call("transfer(address to, uint256 amount)", to, 11)), outbox.ErrOverBudget)
	require.ErrorIs(t, send(call("approve(address spender, uint256 amount)", to, new(uint256.Int).SetAllOne())), outbox.ErrOverBudget)
	require.ErrorIs(t, send(account.Call{To: to, Value: *n(44)}), outbox.ErrOverBudget)
	require.ErrorIs(t, send(account.Call{To: pair, Data: pack(t, "function add(uint256 a, uint256 b)", 1, 11)}), outbox.ErrOverBudget)
	require.ErrorContains(t, send(call("decimals()")), "name it in Budgets.Moves")

	// What reverts moves nothing.
	gas := userop.Gas{CallGasLimit: *n(200_000), VerificationGasLimit: *n(200_000), PreVerificationGas: *n(100_000)}
	tx, err := w.owner.Send(t.Context(), []account.Call{call("transferFrom(address from, address to, uint256 amount)", to, to, 9)}, account.WithGas(gas))
	require.NoError(t, err)
	w.usage(t, tokens, n(90), n(9))
	_, err = tx.Wait(t.Context())
	var reverted *userop.RevertError
	require.ErrorAs(t, err, &reverted)
	w.usage(t, tokens, n(90), n(0))
}

// TestBudgetsGiveBack has sends end in each way in which they do not land.
func TestBudgetsGiveBack(t *testing.T) {
	t.Parallel()
	w, door := budgetWorld(t, account.Budgets{Key: account.Budget{Operations: 1}})
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	ops := outbox.Counter{Key: w.key, Unit: outbox.Operations}
	send := func(opts ...account.Option) (*userop.Pending, error) {
		return w.user.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, append(opts, account.WithLeafOf(sess), account.Sponsored())...)
	}

	// Given to no service: not even the signature was made.
	failure := errors.New("no")
	_, err := send(account.BeforeSend(func(context.Context, *userop.Operation, common.Hash) error { return failure }))
	require.ErrorIs(t, err, failure)
	w.usage(t, ops, n(0), n(0))
	door.set(func(context.Context, *userop.Operation, func() (common.Hash, error)) (common.Hash, error) {
		return common.Hash{}, unsentError{failure}
	})
	_, err = send()
	require.ErrorIs(t, err, failure)
	w.usage(t, ops, n(0), n(0))

	// Given away, it is kept, and nothing else takes its place in the budget. Cancelled, it is given back.
	door.set(func(_ context.Context, op *userop.Operation, _ func() (common.Hash, error)) (common.Hash, error) {
		return op.Hash(w.client.Contracts().EntryPoint, w.chain.ChainID()), nil // and lost
	})
	tx, err := send()
	require.NoError(t, err)
	w.usage(t, ops, n(0), n(1))
	_, err = send()
	require.ErrorIs(t, err, outbox.ErrOverBudget)
	require.ErrorContains(t, err, "it frees up once sends that are under way have ended, which hold 1")
	door.set(nil)
	canceled, err := w.owner.Cancel(t.Context(), tx, account.Sponsored())
	require.NoError(t, err)
	_, err = canceled.Wait(t.Context())
	require.NoError(t, err)
	w.usage(t, ops, n(0), n(0))
	tx, err = send()
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	w.usage(t, ops, n(1), n(0))
}

// TestBudgetsHaveRunSettle has nobody wait for a send: Run settles it, and tells nobody of a key that nobody
// gave. A second operation of it is counted as one.
func TestBudgetsHaveRunSettle(t *testing.T) {
	t.Parallel()
	var told []account.Report
	w, _ := onceWorld(t, func(cfg *account.Config) {
		cfg.Budgets = &account.Budgets{Key: account.Budget{Operations: 1}}
		cfg.Lease = time.Second
		cfg.Report = func(_ context.Context, report account.Report) error {
			told = append(told, report)
			return nil
		}
	})
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	ops := outbox.Counter{Key: w.key, Unit: outbox.Operations}
	w.bundler.Pause()
	tx, err := w.user.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, account.WithLeafOf(sess), account.Sponsored())
	require.NoError(t, err)
	_, err = w.user.Replace(t.Context(), tx, account.WithLeafOf(sess))
	require.NoError(t, err, "one of both lands, which the budget has room for")
	w.bundler.Resume()
	w.restart(t)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- w.client.Run(ctx) }()
	require.Eventually(t, func() bool { spent := w.allowances(t)[ops].Spent; return spent.Eq(n(1)) }, 20*time.Second, 10*time.Millisecond)
	stop()
	require.ErrorIs(t, <-ran, context.Canceled)
	require.Empty(t, told)
	w.usage(t, ops, n(1), n(0))
}

// TestASubmissionUnderBudgetsIsOne has a prepared operation come twice.
func TestASubmissionUnderBudgetsIsOne(t *testing.T) {
	t.Parallel()
	w, _ := budgetWorld(t, account.Budgets{Account: account.Budget{Operations: 1}})
	owner := w.client.OwnedAccount(account.OwnerAddress(account.KeyOwner(w.ownerKey).Address()))
	prepared, err := owner.PrepareSend(t.Context(), []account.Call{w.mint(t, owner.Address())}, account.Sponsored())
	require.NoError(t, err)
	signature := w.sign(t, prepared)
	for range 2 {
		submitted, err := w.client.Submit(t.Context(), w.store, prepared, signature)
		require.NoError(t, err)
		_, err = submitted.Wait(t.Context())
		require.NoError(t, err)
	}
	w.usage(t, outbox.Counter{Unit: outbox.Operations}, n(1), n(0))
	require.Equal(t, uint64(1), w.nfts(t))
}

// TestWhatBudgetsCannotWriteDown is refused.
func TestWhatBudgetsCannotWriteDown(t *testing.T) {
	t.Parallel()
	w, _ := budgetWorld(t, account.Budgets{Account: account.Budget{Operations: 1}})
	call := []account.Call{w.mint(t, w.owner.Address())}
	_, err := w.owner.Build(t.Context(), call, account.Sponsored())
	require.ErrorIs(t, err, account.ErrConfig)
	_, err = w.user.SendSigned(t.Context(), nil, new(userop.Operation))
	require.ErrorIs(t, err, account.ErrConfig)
	for name, change := range map[string]func(*account.Config){
		"no outbox":   func(c *account.Config) { c.Outbox = nil },
		"no limit":    func(c *account.Config) { c.Budgets = new(account.Budgets) },
		"no function": func(c *account.Config) { c.Budgets.Moves = []account.Move{{Function: "x"}} },
		"no argument": func(c *account.Config) {
			c.Budgets.Moves = []account.Move{{Function: "f(uint256 a)", Token: w.chain.Contracts.Token, Amount: "b"}}
		},
		"an amount of none": func(c *account.Config) { c.Budgets.Moves = []account.Move{{Function: "f(uint256 a)", Amount: "a"}} },
		"no number": func(c *account.Config) {
			c.Budgets.Moves = []account.Move{{Function: "f(address a)", Token: w.chain.Contracts.Token, Amount: "a"}}
		},
		"an outbox of sends": func(c *account.Config) { c.Outbox = uncounted{w.store} },
	} {
		config := w.config
		budgets := *w.config.Budgets
		config.Budgets = &budgets
		change(&config)
		_, err := account.NewClient(config)
		require.ErrorIs(t, err, account.ErrConfig, name)
	}
	w.config.Budgets = nil
	w.restart(t)
	_, err = w.user.Allowances(t.Context(), w.key)
	require.ErrorIs(t, err, account.ErrConfig)
}

// uncounted is a store whose outbox counts nothing.
type uncounted struct{ *memstore.Store }

func (u uncounted) Outbox() outbox.Outbox { return struct{ outbox.Outbox }{u.Store.Outbox()} }

// TestTheSwitchStopsAllWhoSign has it thrown for an account: its sessions and its owner sign nothing, but
// what takes rights away.
func TestTheSwitchStopsAllWhoSign(t *testing.T) {
	t.Parallel()
	w, door := onceWorld(t, nil)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	call := []account.Call{w.mint(t, w.owner.Address())}
	bySession := func() error {
		_, err := w.user.Send(t.Context(), call, account.WithLeafOf(sess), account.Sponsored())
		return err
	}
	byOwner := func() error {
		_, err := w.owner.Send(t.Context(), call, account.Sponsored())
		return err
	}
	before := len(door.handed())
	for name, stop := range map[string]session.Stop{
		"everything": {},
		"account":    {Ref: w.user.Ref()},
		"key":        {Key: w.key},
	} {
		stop.Name, stop.Who, stop.Why = name, "alice", "a test"
		_, err := w.store.Stop(t.Context(), stop)
		require.NoError(t, err)
		require.ErrorIs(t, bySession(), session.ErrStopped, name)
		if name != "key" {
			require.ErrorIs(t, byOwner(), session.ErrStopped, name)
			require.Len(t, door.handed(), before)
			tx, err := w.owner.Revoke(t.Context(), sess, "none")
			require.ErrorIs(t, err, session.ErrNoLeaf)
			require.Nil(t, tx)
		}
		require.NoError(t, w.store.Lift(t.Context(), name))
	}
	_, err := w.store.Stop(t.Context(), session.Stop{Name: "all", Who: "alice", Why: "a test"})
	require.NoError(t, err)
	tx, err := w.owner.RevokeAll(t.Context(), sess, account.Sponsored())
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess, tx))
}

// TestTheSwitchStopsAnOwner has it thrown for the owner's key: it signs no operation and no message, and what
// was signed elsewhere before is not sent.
func TestTheSwitchStopsAnOwner(t *testing.T) {
	t.Parallel()
	w, door := onceWorld(t, nil)
	call := []account.Call{w.mint(t, w.owner.Address())}
	elsewhere := w.client.OwnedAccount(account.OwnerAddress(account.KeyOwner(w.ownerKey).Address()))
	prepared, err := elsewhere.PrepareSend(t.Context(), call, account.Sponsored())
	require.NoError(t, err)
	signature := w.sign(t, prepared)
	key := account.KeyOwner(w.ownerKey).Address()
	handedOver := w.client.OwnedAccount(account.KeyOwner(w.ownerKey), account.ActiveModule(w.client.MultichainModule(account.KeyOwner(w.ownerKey))))
	before := len(door.handed())
	for name, stop := range map[string]session.Stop{
		"everything": {},
		"account":    {Ref: w.owner.Ref()},
		"key":        {Key: key},
	} {
		stop.Name, stop.Who, stop.Why = name, "alice", "a test"
		_, err := w.store.Stop(t.Context(), stop)
		require.NoError(t, err)
		_, err = w.owner.Send(t.Context(), call, account.Sponsored())
		require.ErrorIs(t, err, session.ErrStopped, name)
		_, err = handedOver.Send(t.Context(), call, account.Sponsored())
		require.ErrorIs(t, err, session.ErrStopped, name)
		_, err = w.client.Submit(t.Context(), w.store, prepared, signature)
		require.ErrorIs(t, err, session.ErrStopped, name)
		_, err = w.owner.SignMessage(t.Context(), []byte("a permit"))
		require.ErrorIs(t, err, session.ErrStopped, name)
		_, err = w.owner.SignPossibleOperation(t.Context(), common.Hash{1})
		require.ErrorIs(t, err, session.ErrStopped, name)
		require.Len(t, door.handed(), before)
		require.NoError(t, w.store.Lift(t.Context(), name))
	}
	_, err = w.owner.SignMessage(t.Context(), []byte("a permit"))
	require.NoError(t, err)
	submitted, err := w.client.Submit(t.Context(), w.store, prepared, signature)
	require.NoError(t, err)
	_, err = submitted.Wait(t.Context())
	require.NoError(t, err)
}
