package account_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/userop"
)

// laneStory lets processes send for one account while everything that can happen to an operation happens.
// Whatever it is, no operation meets a nonce that is used or in use, and in the end all lanes are good.
type laneStory struct {
	t        *testing.T
	random   *rand.Rand
	world    *laneWorld
	client   *account.Client
	cfg      account.LanesConfig
	replicas []*account.Lanes
	sending  sync.WaitGroup
}

const storyPatience = time.Minute

func newLaneStory(t *testing.T, seed uint64, leased bool) *laneStory {
	s := &laneStory{t: t, random: rand.New(rand.NewPCG(seed, 0)), world: newLaneWorld()}
	s.cfg = account.LanesConfig{Size: 1 + s.random.IntN(4), Patience: storyPatience}
	if leased {
		s.cfg.Leaser = memstore.New()
	}
	if s.random.IntN(2) == 0 {
		s.client = clientWith(t, s.world, telling{s.world})
	} else {
		s.client = s.world.client(t)
	}
	for range 1 + s.random.IntN(3) {
		s.replicas = append(s.replicas, s.client.NewLanes(s.cfg))
	}
	return s
}

// send sends in the background, with or without waiting, and with little patience.
func (s *laneStory) send() {
	lanes := s.replicas[s.random.IntN(len(s.replicas))]
	slow := time.Duration(s.random.IntN(3)) * time.Second
	toSend, toWait := s.within(20*time.Second), s.within(20*time.Second)
	waits := s.random.IntN(2) == 0
	s.sending.Go(func() {
		ctx, cancel := context.WithTimeout(s.t.Context(), toSend)
		defer cancel()
		tx, err := sendInLane(ctx, s.client.Account(laneUser), lanes, account.WithSigner(constSigner{thought: slow}))
		if err != nil || !waits {
			return
		}
		ctx, cancel = context.WithTimeout(s.t.Context(), toWait)
		defer cancel()
		_, _ = tx.Wait(ctx)
	})
}

func (s *laneStory) within(d time.Duration) time.Duration {
	return time.Duration(s.random.Int64N(int64(d)))
}

// waiting returns an operation that waits for its inclusion.
func (s *laneStory) waiting() (common.Hash, bool) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	for hash := range s.world.pool {
		return hash, true
	}
	return common.Hash{}, false
}

// trouble sets what happens to the next operation.
func (s *laneStory) trouble() {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	switch s.random.IntN(4) {
	case 0:
		s.world.sendErr = refusal("-32504 throttled")
	case 1:
		s.world.sendErr, s.world.again = errLost, s.random.IntN(3)
	case 2:
		s.world.sendErr, s.world.again, s.world.swallow = errLost, s.random.IntN(3), true
	case 3:
		s.world.swallow = true
	}
}

// restart ends a process, with a chance to say good-bye, and starts another.
func (s *laneStory) restart() {
	i := s.random.IntN(len(s.replicas))
	if s.random.IntN(2) == 0 {
		require.NoError(s.t, s.replicas[i].Close(s.t.Context()))
	}
	s.replicas[i] = s.client.NewLanes(s.cfg)
}

func (s *laneStory) step() {
	switch s.random.IntN(10) {
	case 0:
		s.trouble()
	case 1:
		if hash, ok := s.waiting(); ok {
			s.world.drop(hash)
		}
	case 2, 3:
		if hash, ok := s.waiting(); ok {
			s.world.land(hash)
		}
	case 4:
		s.world.land()
	case 5:
		time.Sleep(s.within(10 * time.Second))
	case 6:
		if s.random.IntN(5) == 0 {
			s.restart()
		}
	default:
		s.send()
	}
	synctest.Wait()
}

func TestLanesWhateverHappens(t *testing.T) {
	for seed := range uint64(80) {
		synctest.Test(t, func(t *testing.T) {
			s := newLaneStory(t, seed, seed%2 == 0)
			settled := time.Now()
			for range 200 {
				s.step()
				if time.Since(settled) > storyPatience/2 {
					// No bundler keeps an operation for longer than the lanes have patience.
					s.world.land()
					settled = time.Now()
				}
			}
			s.sending.Wait()
			s.world.land()
			s.world.sendErr, s.world.swallow = nil, false
			require.Zero(t, s.world.nonceErrors, "seed %d", seed)

			// All lanes are good again, each of which has one operation at a time.
			start, sent := time.Now(), []*userop.Pending(nil)
			for _, lanes := range s.replicas {
				for range s.cfg.Size {
					tx, err := sendInLane(t.Context(), s.client.Account(laneUser), lanes)
					require.NoError(t, err, "seed %d", seed)
					sent = append(sent, tx)
				}
			}
			require.Less(t, time.Since(start), storyPatience*time.Duration(len(s.replicas))+10*time.Second, "seed %d", seed)
			s.world.land()
			for _, tx := range sent {
				require.Contains(t, s.world.landed, tx.Hash(), "seed %d", seed)
			}
			for _, lanes := range s.replicas {
				require.NoError(t, lanes.Close(t.Context()))
			}
		})
	}
}

func TestLanesUnderLoad(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	const senders, rounds = 16, 100
	w := newLaneWorld()
	lanes := w.client(t).NewLanes(account.LanesConfig{Size: 4, Leaser: memstore.New()})
	group, ctx := errgroup.WithContext(t.Context())
	for n := range senders {
		op := userop.Operation{Sender: common.BigToAddress(uint256.NewInt(uint64(n%2 + 1)).ToBig())}
		group.Go(func() error {
			for round := range rounds {
				reserved, err := lanes.Reserve(ctx, op.Sender)
				if err != nil {
					return err
				}
				if op.Nonce, err = reserved.Nonce(ctx); err != nil {
					return err
				}
				if round%3 == 0 {
					reserved.Release(false)
					continue
				}
				if err := reserved.Commit(&op, common.Hash{1}); err != nil {
					return err
				}
				hash, err := w.SendUserOperation(ctx, &op, common.Address{})
				if err != nil {
					return err
				}
				w.land(hash)
				reserved.Release(true)
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.NoError(t, lanes.Close(t.Context()))
	require.LessOrEqual(t, w.most, 8, "two accounts with four lanes")
}

func BenchmarkLanes(b *testing.B) {
	w := newLaneWorld()
	client := w.client(b)
	lanes := client.NewLanes(account.LanesConfig{Size: 64})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := lanes.Reserve(b.Context(), laneUser)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := r.Nonce(b.Context()); err != nil {
				b.Fatal(err)
			}
			if err := r.Commit(new(userop.Operation), common.Hash{1}); err != nil {
				b.Fatal(err)
			}
			r.Release(true)
		}
	})
}
