package userop_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

// busy is a service that asks to be left alone for a while.
type busy struct{ after time.Duration }

func (busy) Error() string { return "429 too many requests" }

func (busy) Temporary() bool { return true }

func (busy) MayBeDelivered() bool { return false }

func (b busy) RetryDelay() time.Duration { return b.after }

func TestABundlerThatAsksToStayAwayIsLeftAlone(t *testing.T) {
	inTime(t, "by a wait", func(t *testing.T) {
		s := newServices()
		s.receipts = []any{busy{20 * time.Second}, &userop.Receipt{UserOpHash: common.Hash{1}, Success: true}}
		start := time.Now()
		_, err := newSender(t, s).Watch(common.Hash{1}).Wait(t.Context())
		require.NoError(t, err)
		require.InDelta(t, 21, time.Since(start).Seconds(), 2)
		require.Equal(t, 2, s.count("receipt"))
	})
	inTime(t, "by a wait, which asks the chain meanwhile", func(t *testing.T) {
		s, n := newServices(), new(node)
		s.receipts = []any{busy{time.Hour}}
		pending, hash := watched(confirmed(t, s, n))
		time.AfterFunc(5*time.Second, func() { n.include(hash, 7, true) })
		_, err := pending.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, s.count("receipt"))
	})
	inTime(t, "by a send", func(t *testing.T) {
		s := newServices()
		s.sendErrs = []error{busy{5 * time.Second}}
		start := time.Now()
		_, err := newSender(t, s).Send(t.Context(), newDraft(new(int)))
		require.NoError(t, err)
		require.Equal(t, 5*time.Second, time.Since(start))
	})
	inTime(t, "by a send that has not so much time", func(t *testing.T) {
		for _, left := range []time.Duration{2 * time.Second, 0} {
			s, ctx := newServices(), t.Context()
			if left > 0 {
				within, cancel := context.WithTimeout(ctx, left)
				defer cancel()
				ctx = within
			}
			s.sendErrs = []error{busy{time.Minute}}
			start := time.Now()
			_, err := newSender(t, s).Send(ctx, newDraft(new(int)))
			require.ErrorIs(t, err, busy{time.Minute})
			require.True(t, userop.SafeToRetry(err))
			require.Zero(t, time.Since(start), "it says so at once")
		}
	})
}

// dead leaves the first questions without an answer.
type dead struct {
	*services
	sends, receipts int
}

func (d *dead) SendUserOperation(ctx context.Context, op *userop.Operation, at common.Address) (common.Hash, error) {
	hash, err := d.services.SendUserOperation(ctx, op, at)
	if d.count("send") <= d.sends {
		<-ctx.Done()
		return common.Hash{}, ctx.Err()
	}
	return hash, err
}

func (d *dead) UserOperationReceipt(ctx context.Context, hash common.Hash) (*userop.Receipt, error) {
	receipt, err := d.services.UserOperationReceipt(ctx, hash)
	if d.count("receipt") <= d.receipts {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return receipt, err
}

// Each try ends by itself and leaves time for the next.
func TestATryThatIsNeverAnswered(t *testing.T) {
	inTime(t, "sending", func(t *testing.T) {
		for _, left := range []time.Duration{10 * time.Second, 0} {
			d, ctx := &dead{services: newServices(), sends: 1}, t.Context()
			if left > 0 {
				within, cancel := context.WithTimeout(ctx, left)
				defer cancel()
				ctx = within
			}
			_, err := asking(t, d, new(node)).Send(ctx, unsponsored())
			require.NoError(t, err)
			require.Equal(t, 2, d.count("send"))
		}
	})
	inTime(t, "sending, at all", func(t *testing.T) {
		d := &dead{services: newServices(), sends: 100, receipts: 100}
		start := time.Now()
		_, err := asking(t, d, new(node)).Send(t.Context(), unsponsored())
		require.True(t, userop.MayBeAccepted(err))
		require.Less(t, time.Since(start), 90*time.Second)
	})
	inTime(t, "waiting", func(t *testing.T) {
		d := &dead{services: newServices(), receipts: 1}
		d.services.receipts = []any{&userop.Receipt{UserOpHash: common.Hash{1}, Success: true}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := newSender(t, d.services).Watch(common.Hash{1}).Wait(ctx)
		require.NoError(t, err)
		sending, err := userop.NewSender(userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: d})
		require.NoError(t, err)
		d.log = nil
		_, err = sending.Watch(common.Hash{1}).Wait(ctx)
		require.NoError(t, err)
	})
}

func unsponsored() userop.Draft {
	draft := newDraft(new(int))
	draft.Sponsored = false
	return draft
}

// An answer that cannot be used is followed by the same bytes, the question for the receipt, and the chain.
func TestAfterAnAnswerThatCannotBeUsed(t *testing.T) {
	html := errors.New("invalid character '<' looking for beginning of value")
	wrong := common.Hash{0xbb}
	for name, answer := range map[string]func(*services){
		"no JSON":      func(s *services) { s.sendErrs = []error{html, html, html} },
		"a wrong hash": func(s *services) { s.sendHash = &wrong },
	} {
		inTime(t, name, func(t *testing.T) {
			s := newServices()
			answer(s)
			s.receipts = []any{&userop.Receipt{UserOpHash: hashOfDraft(t), Success: true}}
			_, err := newSender(t, s).Send(t.Context(), newDraft(new(int)))
			require.NoError(t, err, "it is known by its receipt")
			require.Len(t, s.sends(), 3)

			s, n := newServices(), new(node)
			answer(s)
			n.include(hashOfDraft(t), 7, true)
			_, err = confirmed(t, s, n).Send(t.Context(), newDraft(new(int)))
			require.NoError(t, err, "it is on chain")

			s, n = newServices(), new(node)
			answer(s)
			n.include(common.Hash{6}, 7, true)
			_, err = confirmed(t, s, n).Send(t.Context(), newDraft(new(int)))
			require.ErrorIs(t, err, userop.ErrReplaced)
			require.False(t, userop.MayBeAccepted(err))

			s = newServices()
			answer(s)
			_, err = confirmed(t, s, new(node)).Send(t.Context(), newDraft(new(int)))
			require.True(t, userop.MayBeAccepted(err))
		})
	}
	inTime(t, "once", func(t *testing.T) {
		s := newServices()
		s.sendErrs = []error{html}
		_, err := newSender(t, s).Send(t.Context(), newDraft(new(int)))
		require.NoError(t, err)
	})
}
