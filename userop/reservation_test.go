package userop_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

// reserved is a reservation of nonce 7 that notes what it is told.
type reserved struct {
	services  *services // whose log it is, to see the order
	refuse    error
	nonceErr  error
	committed common.Hash
	doubt     userop.Doubt
	doubts    []userop.Doubt
}

func (r *reserved) Nonce(context.Context) (uint256.Int, error) {
	r.services.note("nonce")
	return *uint256.NewInt(7), r.nonceErr
}

func (r *reserved) Commit(_ *userop.Operation, hash common.Hash) error {
	r.services.note("commit")
	r.committed = hash
	return r.refuse
}

func (r *reserved) Release(used bool) { r.services.note(fmt.Sprintf("release used=%t", used)) }

func TestReservation(t *testing.T) {
	errLost := errors.New("the lease is lost")
	send := func(s *userop.Sender, d userop.Draft) error { _, err := s.Send(t.Context(), d); return err }
	build := func(s *userop.Sender, d userop.Draft) error { _, err := s.Build(t.Context(), d); return err }
	unsigned := func(s *userop.Sender, d userop.Draft) error { _, err := s.BuildUnsigned(t.Context(), d); return err }
	wait := func(s *userop.Sender, d userop.Draft) error {
		pending, err := s.Send(t.Context(), d)
		if err == nil {
			_, err = pending.Wait(t.Context())
		}
		return err
	}
	included := func(s *services, success bool) {
		d := newDraft(new(int))
		op, err := newSender(t, newServices()).Build(t.Context(), d)
		require.NoError(t, err)
		s.receipts = []any{&userop.Receipt{UserOpHash: op.Hash(entryPoint, testChainID), Success: success}}
	}
	tests := []struct {
		name   string
		change func(*services, *reserved, *userop.Draft)
		do     func(*userop.Sender, userop.Draft) error
		want   []string // what the reservation and the bundler are told, in order
		err    string
	}{
		{name: "sent", do: send, want: []string{"reserve", "nonce", "commit", "send"}},
		{name: "included", do: wait, want: []string{"reserve", "nonce", "commit", "send", "receipt", "release used=true"},
			change: func(s *services, _ *reserved, _ *userop.Draft) { included(s, true) }},
		{name: "included and reverted", do: wait, want: []string{"reserve", "nonce", "commit", "send", "receipt", "release used=true"},
			change: func(s *services, _ *reserved, _ *userop.Draft) { included(s, false) }, err: "but its call reverted"},
		{name: "refused by the bundler", do: send, want: []string{"reserve", "nonce", "commit", "send", "release used=false"},
			change: func(s *services, _ *reserved, _ *userop.Draft) { s.sendErrs = []error{verdict{}} }, err: "send: AA24 signature error"},
		{name: "an answer got lost", do: send, want: []string{"reserve", "nonce", "commit", "send", "send", "send", "receipt", "doubt"},
			change: func(s *services, _ *reserved, _ *userop.Draft) { s.sendErrs = []error{errNode, errNode, errNode} }, err: "send: node says no"},
		{name: "lost before sending", do: send, want: []string{"reserve", "nonce", "commit", "release used=false"},
			change: func(_ *services, r *reserved, _ *userop.Draft) { r.refuse = errLost }, err: "sign: the lease is lost"},
		{name: "not stored before sending", do: send, want: []string{"reserve", "nonce", "release used=false"},
			change: func(_ *services, _ *reserved, d *userop.Draft) {
				d.BeforeSend = func(context.Context, *userop.Operation, common.Hash) error { return errNode }
			}, err: "sign: node says no"},
		{name: "nonce unreadable", do: send, want: []string{"reserve", "nonce", "release used=false"},
			change: func(_ *services, r *reserved, _ *userop.Draft) { r.nonceErr = errNode }, err: "prepare: node says no"},
		{name: "signer refuses", do: send, want: []string{"reserve", "nonce", "release used=false"},
			change: func(_ *services, _ *reserved, d *userop.Draft) { d.Signer = seal{err: errNode} }, err: "sign: node says no"},
		{name: "none to reserve", do: send,
			change: func(_ *services, _ *reserved, d *userop.Draft) {
				d.Reserve = func(context.Context) (userop.Reservation, error) { return nil, errNode }
			}, err: "prepare: node says no"},
		{name: "not even a good draft", do: send, change: func(_ *services, _ *reserved, d *userop.Draft) { d.CallData = nil }, err: "check: no call data"},
		{name: "a nonce too", do: send, change: func(_ *services, _ *reserved, d *userop.Draft) { d.Nonce = newDraft(nil).Nonce },
			err: "check: a nonce to read and one to reserve; use one"},
		{name: "built", do: build, want: []string{"reserve", "nonce", "commit"}},
		{name: "built when it was lost", do: build, want: []string{"reserve", "nonce", "commit", "release used=false"},
			change: func(_ *services, r *reserved, _ *userop.Draft) { r.refuse = errLost }, err: "sign: the lease is lost"},
		{name: "built unsigned", do: unsigned, want: []string{"reserve", "nonce", "release used=false"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServices()
			r := &reserved{services: s}
			draft := newDraft(new(int))
			draft.Nonce = nil
			draft.Reserve = func(context.Context) (userop.Reservation, error) { s.note("reserve"); return r, nil }
			if tt.change != nil {
				tt.change(s, r, &draft)
			}
			err := tt.do(newSender(t, s), draft)
			if tt.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.err)
			}
			var told []string
			for _, entry := range s.log {
				switch entry {
				case "chain ID", "entry points", "fees", "sponsor":
				default:
					told = append(told, entry)
				}
			}
			require.Equal(t, tt.want, told)
			for _, op := range s.sends() {
				require.Equal(t, op.Hash(entryPoint, testChainID), r.committed)
			}
		})
	}
}

func (r *reserved) Doubt(d userop.Doubt) { r.doubt = d; r.services.note("doubt") }

func (r *reserved) Doubts() []userop.Doubt { return r.doubts }

// An operation that is in doubt is sent again by the next one, the same bytes, after its own guard.
func TestADoubtIsSettledByTheNext(t *testing.T) {
	s := newServices()
	lost := []error{errNode, errNode, errNode}
	s.sendErrs = lost
	r := &reserved{services: s}
	guarded := 0
	draft := newDraft(new(int))
	draft.Nonce = nil
	draft.Reserve = func(context.Context) (userop.Reservation, error) { return r, nil }
	draft.Guard = func(context.Context, *userop.Operation) error { guarded++; return nil }
	sending := newSender(t, s)
	_, err := sending.Send(t.Context(), draft)
	require.True(t, userop.MayBeAccepted(err))
	require.Equal(t, 1, s.count("doubt"))
	require.Equal(t, s.sends()[0], r.doubt.Operation)
	require.Equal(t, 3, guarded)

	r.doubts, draft.Guard = []userop.Doubt{r.doubt}, nil
	_, err = sending.Send(t.Context(), draft)
	require.NoError(t, err)
	require.Len(t, s.sends(), 5)
	require.Equal(t, s.sends()[0], s.sends()[3])
	require.Equal(t, 4, guarded)

	s.sent, s.sendErrs = nil, lost
	_, err = sending.Send(t.Context(), draft)
	require.NoError(t, err, "a doubt that stays one holds nothing back")
}

func TestADroppedOperationKeepsItsNonce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bundler := forgetful{newServices(), true}
		sender, err := userop.NewSender(userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: bundler, Paymaster: bundler, WaitTimeout: time.Minute})
		require.NoError(t, err)
		draft := newDraft(new(int))
		draft.Nonce = nil
		draft.Reserve = func(context.Context) (userop.Reservation, error) { return &reserved{services: bundler.services}, nil }
		pending, err := sender.Send(t.Context(), draft)
		require.NoError(t, err)
		_, err = pending.Wait(t.Context())
		require.ErrorIs(t, err, userop.ErrDropped)
		require.Zero(t, bundler.count("release used=false")+bundler.count("release used=true"))
	})
}

// An operation that needs a guard and has none may be that of a session that was revoked since.
func TestADoubtWithoutItsGuardIsNotSentAgain(t *testing.T) {
	s := newServices()
	s.sendErrs = []error{errNode, errNode, errNode}
	r := &reserved{services: s}
	draft := newDraft(new(int))
	draft.Nonce = nil
	draft.Reserve = func(context.Context) (userop.Reservation, error) { return r, nil }
	sending, err := userop.NewSender(userop.SenderConfig{
		ChainID: testChainID, EntryPoint: entryPoint, Bundler: s, Paymaster: s, MayResend: func(*userop.Operation) error { return errNode },
	})
	require.NoError(t, err)
	_, err = sending.Send(t.Context(), draft)
	require.True(t, userop.MayBeAccepted(err))
	require.Len(t, s.sends(), 1)

	settled := error(nil)
	r.doubt.Settled = func(err error) { settled = err }
	r.doubts, s.sendErrs = []userop.Doubt{r.doubt}, nil
	draft.CallData = []byte{9}
	_, err = sending.Send(t.Context(), draft)
	require.NoError(t, err)
	require.Len(t, s.sends(), 2)
	require.NotEqual(t, s.sends()[0].CallData, s.sends()[1].CallData)
	require.ErrorContains(t, settled, "not sent again: it needs a guard, and has none")
	require.True(t, userop.MayBeAccepted(settled))
}

// slow is a bundler that does not answer for some operations.
type slow struct {
	*services
	silent func(*userop.Operation) bool
}

func (b slow) SendUserOperation(ctx context.Context, op *userop.Operation, at common.Address) (common.Hash, error) {
	if b.silent(op) {
		<-ctx.Done()
		return common.Hash{}, ctx.Err()
	}
	return b.services.SendUserOperation(ctx, op, at)
}

// However many doubts there are, and however little time: they take a part of it.
func TestDoubtsLeaveTimeForTheOperationAtHand(t *testing.T) {
	for left, most := range map[time.Duration]time.Duration{2 * time.Second: time.Second, 10 * time.Second: 3 * time.Second, 0: 6 * time.Second} {
		inTime(t, left.String(), func(t *testing.T) {
			b := slow{newServices(), func(op *userop.Operation) bool { return op.Nonce.Uint64() != 7 }}
			r, told := &reserved{services: b.services}, 0
			for n := range 10 {
				r.doubts = append(r.doubts, userop.Doubt{
					Operation: &userop.Operation{Sender: sender, Nonce: *uint256.NewInt(uint64(100 + n))},
					Settled: func(err error) {
						b.mu.Lock()
						defer b.mu.Unlock()
						require.True(t, userop.MayBeAccepted(err))
						told++
					},
				})
			}
			draft := unsponsored()
			draft.Nonce = nil
			draft.Reserve = func(context.Context) (userop.Reservation, error) { return r, nil }
			ctx, start := t.Context(), time.Now()
			if left > 0 {
				within, cancel := context.WithTimeout(ctx, left)
				defer cancel()
				ctx = within
			}
			_, err := asking(t, b, new(node)).Send(ctx, draft)
			require.NoError(t, err)
			require.Less(t, time.Since(start), most)
			require.Equal(t, 10, told)
		})
	}
}
