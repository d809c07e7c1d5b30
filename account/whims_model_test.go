package account_test

import (
	"context"
	"errors"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/userop"
)

// whims is a laneWorld whose bundler does as it likes with every operation, and tells what it likes of it. An
// operation is valid under the root that its signature names.
type whims struct {
	*laneWorld
	landing sync.Mutex // held while operations land or are dropped

	mu     sync.Mutex // guards what follows
	random *rand.Rand
	root   byte
	calm   bool
}

const denied = refusal("AA23 reverted: SessionNotApproved")

func (w *whims) draw(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calm {
		return n - 1
	}
	return w.random.IntN(n)
}

func (w *whims) current() byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.root
}

func (w *whims) moveRoot() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.root++
}

func (w *whims) take(ctx context.Context, op *userop.Operation, at common.Address) (common.Hash, error) {
	if op.Signature[0] != w.current() {
		return common.Hash{}, denied
	}
	return w.laneWorld.SendUserOperation(ctx, op, at)
}

func (w *whims) SendUserOperation(ctx context.Context, op *userop.Operation, at common.Address) (common.Hash, error) {
	switch w.draw(12) {
	case 0:
		return common.Hash{}, errLost // on its way
	case 1:
		_, _ = w.take(ctx, op, at)
		return common.Hash{}, errLost
	case 2:
		_, _ = w.take(ctx, op, at)
		return common.Hash{}, denied
	case 3:
		_, _ = w.take(ctx, op, at)
		return common.Hash{}, refusal("AA25 invalid account nonce")
	case 4: // twice
		_, _ = w.take(ctx, op, at)
		return w.take(ctx, op, at)
	case 5:
		w.moveRoot()
		return w.take(ctx, op, at)
	case 6: // it lands just before the root changes
		if _, err := w.take(ctx, op, at); err == nil {
			time.AfterFunc(100*time.Millisecond, func() {
				w.landAll()
				w.moveRoot()
			})
		}
		return common.Hash{}, denied
	case 7:
		return common.Hash{}, refusal("-32504 throttled")
	}
	return w.take(ctx, op, at)
}

// landAll includes what is valid, and drops the rest.
func (w *whims) landAll() {
	w.landing.Lock()
	defer w.landing.Unlock()
	root, valid := w.current(), []common.Hash(nil)
	w.laneWorld.mu.Lock()
	for hash, op := range w.pool {
		if op.Signature[0] == root {
			valid = append(valid, hash)
		} else {
			delete(w.pool, hash)
		}
	}
	w.laneWorld.mu.Unlock()
	if len(valid) > 0 {
		w.land(valid...)
	}
}

// forget drops what waits.
func (w *whims) forget() {
	w.landing.Lock()
	defer w.landing.Unlock()
	w.laneWorld.mu.Lock()
	defer w.laneWorld.mu.Unlock()
	clear(w.pool)
}

// SponsorUserOperation implements [userop.Paymaster]: no two sponsorships are alike.
func (w *whims) SponsorUserOperation(context.Context, *userop.Operation, userop.SponsorRequest) (userop.Sponsorship, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return userop.Sponsorship{PaymasterAndData: append(stranger.Bytes(), big.NewInt(w.random.Int64()).Bytes()...)}, nil
}

func (w *whims) DummySignature(*userop.Operation) ([]byte, error) { return []byte{w.current()}, nil }

func (w *whims) Sign(context.Context, *userop.Operation, common.Hash) ([]byte, error) {
	return []byte{w.current()}, nil
}

// stillValid is a refusal of an operation that fits the root.
type stillValid struct{ refusal }

func (stillValid) MayBeDelivered() bool { return true }

// renew judges a refusal as an account's draft does, by what the chain shows a moment later.
func (w *whims) renew(_ context.Context, op *userop.Operation, refused error) (bool, error) {
	if !strings.Contains(refused.Error(), "SessionNotApproved") {
		return false, refused
	}
	time.Sleep(200 * time.Millisecond)
	if op.Signature[0] == w.current() {
		return false, stillValid{denied}
	}
	return true, refused
}

// purpose is one thing to be done, by a caller that does as the documentation says: what may have been
// accepted is waited for or sent again as it is, what stays in doubt is replaced by its own nonce, and only
// what surely was not accepted is made anew.
type purpose struct {
	client *account.Client
	draft  userop.Draft
	given  []common.Hash // of all its operations
	never  []common.Hash // surely not accepted, as it was told
}

// replacing is the draft with the nonce of an operation in doubt.
func (p *purpose) replacing(op *userop.Operation) userop.Draft {
	draft := p.draft
	draft.Reserve = func(ctx context.Context) (userop.Reservation, error) {
		return p.client.ReserveGiven(ctx, laneUser, op.Nonce)
	}
	return draft
}

func (p *purpose) pursue(ctx context.Context) error {
	const patience = 5
	p.draft.BeforeSend = func(_ context.Context, _ *userop.Operation, hash common.Hash) error {
		p.given = append(p.given, hash)
		return nil
	}
	sender := p.client.Sender()
	tx, err := sender.Send(ctx, p.draft)
	var inDoubt *userop.Operation
	for tries := range 200 {
		var op *userop.Operation
		if err == nil {
			op = tx.Operation()
			waiting, cancel := context.WithTimeout(ctx, 25*time.Second)
			_, err = tx.Wait(waiting)
			if cancel(); err == nil {
				return nil
			}
		} else if failed, ok := errors.AsType[*userop.Error](err); ok {
			op = failed.Operation
		}
		ended, over := errors.AsType[*userop.EndedError](err)
		if over && slices.Contains(p.given, ended.By) {
			return nil // what it replaced has landed
		}
		time.Sleep(time.Second)
		switch {
		case userop.MayBeAccepted(err) && tries%patience == patience-1:
			inDoubt = op
			tx, err = sender.Send(ctx, p.replacing(op))
		case userop.MayBeAccepted(err):
			tx, err = sender.Resend(ctx, op)
		case inDoubt != nil && !over: // one of its nonce may land still
			tx, err = sender.Send(ctx, p.replacing(inDoubt))
		default:
			inDoubt = nil
			tx, err = sender.Send(ctx, p.draft)
		}
		if err != nil && !userop.MayBeAccepted(err) {
			if failed, ok := errors.AsType[*userop.Error](err); ok && failed.Operation != nil {
				p.never = append(p.never, failed.Hash)
			}
		}
	}
	return err
}

func TestWhateverABundlerSays(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			w := &whims{laneWorld: newLaneWorld(), random: rand.New(rand.NewPCG(seed, 1))}
			client, err := account.NewClient(account.Config{ChainID: 80002, Chain: w, Bundler: w, Paymaster: w, UnidentifiedBundler: true})
			require.NoError(t, err)
			lanes := client.NewLanes(account.LanesConfig{Size: 2, Patience: time.Minute})
			one := *uint256.NewInt(1)
			purposes, errs := make([]*purpose, 12), make([]error, 12)
			var pursuing sync.WaitGroup
			for n := range purposes {
				reserve := lanes.Reserve
				if n%2 == 0 {
					reserve = client.ReserveNext
				}
				purposes[n] = &purpose{client: client, draft: userop.Draft{
					Sender: laneUser, CallData: []byte{byte(n)}, Signer: w, Renew: w.renew, Sponsored: true,
					Reserve: func(ctx context.Context) (userop.Reservation, error) { return reserve(ctx, laneUser) },
					Fees:    userop.Fees{MaxFeePerGas: one}, Gas: userop.Gas{CallGasLimit: one, VerificationGasLimit: one, PreVerificationGas: one},
				}}
				pursuing.Go(func() { errs[n] = purposes[n].pursue(t.Context()) })
			}
			done := make(chan struct{})
			go func() { pursuing.Wait(); close(done) }()
			for round := 0; ; round++ {
				select {
				case <-done:
				case <-time.After(3 * time.Second):
					switch {
					case round > 40:
						w.mu.Lock()
						w.calm = true
						w.mu.Unlock()
						w.landAll()
					case w.draw(4) == 0:
						w.forget()
					default:
						w.landAll()
					}
					continue
				}
				break
			}
			w.landAll() // what somebody sent again since
			times := make(map[byte]int)
			for _, op := range w.landed {
				times[op.CallData[0]]++
			}
			for n, p := range purposes {
				require.NoError(t, errs[n], "seed %d, purpose %d", seed, n)
				require.Equal(t, 1, times[byte(n)], "seed %d: purpose %d landed; given %v, never %v, landed %v", seed, n, p.given, p.never, w.landed)
				for _, hash := range p.never {
					require.NotContains(t, w.landed, hash, "seed %d: purpose %d was told that it surely would not", seed, n)
				}
			}
			require.NoError(t, lanes.Close(t.Context()))
			time.Sleep(time.Second) // what is on its way
		})
	}
}
