package userop_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

func feesOf(fee, tip uint64) userop.Fees {
	return userop.Fees{MaxFeePerGas: *uint256.NewInt(fee), MaxPriorityFeePerGas: *uint256.NewInt(tip)}
}

// stuckOf is a signed operation that pays that.
func stuckOf(fees userop.Fees) *userop.Operation {
	return &userop.Operation{
		Sender: sender, Nonce: *uint256.NewInt(7), CallData: []byte{1, 2, 3, 4}, Signature: []byte("signed"),
		MaxFeePerGas: fees.MaxFeePerGas, MaxPriorityFeePerGas: fees.MaxPriorityFeePerGas,
	}
}

func TestFeesOfAReplacement(t *testing.T) {
	for name, test := range map[string]struct{ stuck, proposed, given, want userop.Fees }{
		"a tenth more":           {stuck: feesOf(1000, 100), proposed: feesOf(1000, 100), want: feesOf(1100, 110)},
		"rounded up":             {stuck: feesOf(1001, 101), proposed: feesOf(1, 1), want: feesOf(1102, 112)},
		"what is proposed now":   {stuck: feesOf(1000, 100), proposed: feesOf(9000, 900), want: feesOf(9000, 900)},
		"each by itself":         {stuck: feesOf(1000, 900), proposed: feesOf(9000, 100), want: feesOf(9000, 990)},
		"a tip of nothing rises": {stuck: feesOf(1000, 0), proposed: feesOf(1000, 0), want: feesOf(1100, 1)},
		"a wei rises":            {stuck: feesOf(1, 1), proposed: feesOf(1, 1), want: feesOf(2, 2)},
		"the caller's word":      {stuck: feesOf(1000, 100), proposed: feesOf(9000, 900), given: feesOf(1001, 1), want: feesOf(1001, 1)},
	} {
		for _, cancels := range []bool{false, true} {
			s := newServices()
			s.fees = test.proposed
			made := newSender(t, s)
			draft := newDraft(new(int))
			draft.Nonce, draft.Fees = nil, test.given
			draft.Replaces, draft.Cancels = made.WatchOperation(stuckOf(test.stuck)), cancels
			tx, err := made.Send(t.Context(), draft)
			require.NoError(t, err, name)
			require.Equal(t, test.want, tx.Operation().Fees(), name)
			require.Equal(t, "7", tx.Operation().Nonce.Dec(), name)
			if cancels {
				require.Len(t, tx.Operations(), 1, "another purpose")
			} else {
				require.Len(t, tx.Operations(), 2)
			}
		}
	}
}

func TestWhatCannotBeReplaced(t *testing.T) {
	made := newSender(t, newServices())
	foreign := stuckOf(feesOf(1, 1))
	foreign.Sender = sponsor
	for text, change := range map[string]func(*userop.Draft){
		"nothing to cancel":                                func(d *userop.Draft) { d.Cancels = true },
		"is known by its hash alone":                       func(d *userop.Draft) { d.Replaces = made.Watch(common.Hash{1}) },
		"cannot take the place of one of " + sponsor.Hex(): func(d *userop.Draft) { d.Replaces = made.WatchOperation(foreign) },
	} {
		draft := newDraft(new(int))
		change(&draft)
		_, err := made.Send(t.Context(), draft)
		require.ErrorContains(t, err, text)
	}
}

// lander is a bundler that knows the receipt of one operation, from whichever time it was told.
type lander struct {
	*services
	mu     sync.Mutex
	landed common.Hash
}

func (l *lander) UserOperationReceipt(_ context.Context, hash common.Hash) (*userop.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if hash != l.landed {
		return nil, userop.ErrNotFound
	}
	return &userop.Receipt{UserOpHash: hash, Success: true}, nil
}

func (l *lander) land(hash common.Hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.landed = hash
}

// Each of a chain of siblings may land, and the wait for any of them tells of it, also without a node.
func TestAWaitForAnyOfAFamily(t *testing.T) {
	t.Parallel()
	const siblings = 4
	for lands := range siblings {
		for waits := range siblings {
			l := &lander{services: newServices()}
			made, err := userop.NewSender(userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: l, Paymaster: l.services})
			require.NoError(t, err)
			family := []*userop.Pending{made.WatchOperation(stuckOf(feesOf(1000, 100)))}
			for len(family) < siblings {
				draft := newDraft(new(int))
				draft.Replaces = family[len(family)/2]
				tx, err := made.Send(t.Context(), draft)
				require.NoError(t, err)
				require.Len(t, tx.Operations(), len(family)+1)
				family = append(family, tx)
			}
			l.land(family[lands].Hash())
			var settled []userop.Outcome
			tx := family[waits].Settling(func(_ context.Context, is userop.Outcome) (userop.Outcome, error) {
				settled = append(settled, is)
				return is, nil
			})
			receipt, err := tx.Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, family[lands].Hash(), receipt.UserOpHash)
			require.Len(t, settled, 1)

			// As after a restart, from what was stored.
			again, err := userop.NewSender(userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: l})
			require.NoError(t, err)
			stored := family[waits].Operations()
			receipt, err = again.WatchOperation(stored[0], stored[1:]...).Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, family[lands].Hash(), receipt.UserOpHash)
		}
	}
}

// The reservation of what is replaced is that of both: it ends when one has landed, and not before.
func TestTheReservationOfAFamily(t *testing.T) {
	t.Parallel()
	l := &lander{services: newServices()}
	r := &reserved{services: l.services}
	made, err := userop.NewSender(userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: l, Paymaster: l.services})
	require.NoError(t, err)
	draft := newDraft(new(int))
	draft.Nonce = nil
	draft.Reserve = func(context.Context) (userop.Reservation, error) { return r, nil }
	stuck, err := made.Send(t.Context(), draft)
	require.NoError(t, err)

	replacing := newDraft(new(int))
	replacing.Nonce, replacing.Replaces = nil, stuck
	l.sendErrs = []error{nil, verdict{}}
	_, err = made.Send(t.Context(), replacing)
	require.ErrorContains(t, err, "AA24")
	replacing.BeforeSend = func(context.Context, *userop.Operation, common.Hash) error { return errNode }
	_, err = made.Send(t.Context(), replacing)
	require.ErrorIs(t, err, errNode)
	require.Zero(t, l.count("release used=false"), "what was sent first may land: %v", l.log)

	replacing.BeforeSend = nil
	tx, err := made.Send(t.Context(), replacing)
	require.NoError(t, err)
	require.Equal(t, 3, l.count("commit"), "%v", l.log)
	l.land(tx.Hash())
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, l.count("release used=true"), "%v", l.log)
	require.Zero(t, l.count("release used=false"))
}

// What is in doubt and was cancelled is not sent again by whoever comes after it.
func TestADoubtThatWasCancelled(t *testing.T) {
	s := newServices()
	made := newSender(t, s)
	stuck := stuckOf(feesOf(1000, 100))
	r := &reserved{services: s}
	var settled []error
	r.doubts = []userop.Doubt{{Operation: stuck, Settled: func(err error) { settled = append(settled, err) }}}
	next := newDraft(new(int))
	next.Nonce = nil
	next.Reserve = func(context.Context) (userop.Reservation, error) { return r, nil }
	_, err := made.Send(t.Context(), next)
	require.NoError(t, err)
	require.Len(t, s.sends(), 2, "it and the one in doubt")

	canceling := newDraft(new(int))
	canceling.Nonce, canceling.Replaces, canceling.Cancels = nil, made.WatchOperation(stuck), true
	_, err = made.Send(t.Context(), canceling)
	require.NoError(t, err)
	_, err = made.Send(t.Context(), next)
	require.NoError(t, err)
	require.Len(t, s.sends(), 4)
	require.ErrorContains(t, settled[1], "not sent again: it was cancelled")
	require.True(t, userop.MayBeAccepted(settled[1]))
}

// demanding is a refusal that says what would do.
type demanding struct {
	verdict
	demand userop.FeeDemand
}

func (demanding) Error() string { return "replacement underpriced" }

func (d demanding) FeeDemand() (userop.FeeDemand, bool) {
	return d.demand, d.demand != userop.FeeDemand{}
}

func TestWhatABundlerDemandsOfAReplacement(t *testing.T) {
	for name, test := range map[string]struct {
		demand userop.FeeDemand
		again  bool
		want   userop.Fees
	}{
		"fees":               {userop.FeeDemand{AtLeast: feesOf(5000, 4000)}, true, feesOf(5000, 4000)},
		"one fee":            {userop.FeeDemand{AtLeast: feesOf(5000, 0)}, true, feesOf(5000, 1100)},
		"a tip above both":   {userop.FeeDemand{AtLeast: feesOf(0, 9000)}, true, feesOf(9000, 9000)},
		"a percentage":       {userop.FeeDemand{Percent: 50}, true, feesOf(1650, 1650)},
		"one that is paid":   {userop.FeeDemand{Percent: 10}, false, userop.Fees{}},
		"one beyond reason":  {userop.FeeDemand{Percent: 200}, false, userop.Fees{}},
		"fees that are paid": {userop.FeeDemand{AtLeast: feesOf(100, 100)}, false, userop.Fees{}},
		"nothing":            {userop.FeeDemand{}, false, userop.Fees{}},
	} {
		s := newServices()
		s.fees, s.sendErrs = feesOf(1, 1), []error{demanding{demand: test.demand}}
		made := newSender(t, s)
		draft := newDraft(new(int))
		draft.Replaces = made.WatchOperation(stuckOf(feesOf(1000, 1000)))
		tx, err := made.Send(t.Context(), draft)
		if !test.again {
			require.ErrorContains(t, err, "underpriced", name)
			require.Len(t, s.sends(), 1, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, test.want, tx.Operation().Fees(), name)
		require.Len(t, tx.Operations(), 3, "the refused one may land all the same")
		require.Equal(t, 4, s.count("sponsor")+s.count("send"), "sponsored anew")
	}
}

// All that can land may be over, and then the wait ends with it.
func TestAFamilyThatWaitsInVain(t *testing.T) {
	t.Parallel()
	made := newSender(t, newServices())
	all := make([]*userop.Operation, 12) // more than are asked for at once
	for i := range all {
		all[i] = stuckOf(feesOf(uint64(1000+i), 1))
	}
	tx := made.WatchOperation(all[0], all[1:]...)
	require.Len(t, tx.Operations(), len(all))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := tx.Wait(ctx)
	var waited *userop.WaitError
	require.True(t, errors.As(err, &waited), "%v", err)
	require.Equal(t, tx.Hash(), waited.Hash)
	require.ErrorIs(t, err, context.Canceled)
	_, err = tx.Look(t.Context())
	require.Error(t, err, "there is no node to look at")
}
