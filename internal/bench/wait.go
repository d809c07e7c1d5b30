package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/account"
)

// waiters are how many clients wait at the same time, each by itself.
const waiters = 8

// measureWait is from the block that includes an operation until Wait returns. Each client sends at random
// moments; its first wait, in which it learns how often there are blocks, is not counted.
func measureWait(ctx context.Context, b *bench) error {
	for _, chain := range []struct {
		blockTime   time.Duration
		waits       int
		least, want float64
	}{{2 * time.Second, 6, 0.25, 0.1}, {250 * time.Millisecond, 12, 0.5, 0.3}} {
		if b.short {
			if chain.blockTime > time.Second {
				continue
			}
			chain.waits = 6
		}
		pairs, err := waits(ctx, chain.blockTime, chain.waits)
		if err != nil {
			return err
		}
		b.add(row{
			name: fmt.Sprintf("from inclusion to Wait returning ÷ block time of %s", chain.blockTime), other: "block time", unit: nanoseconds,
			least: chain.least, want: chain.want,
		}, pairs)
	}
	return nil
}

func waits(ctx context.Context, blockTime time.Duration, each int) (pairs []pair, err error) {
	cfg := sendingConfig{accounts: waiters, blockTime: blockTime}
	s, err := newSending(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	for i := range waiters {
		client, err := s.newClient(ctx, cfg)
		if err != nil {
			return nil, err
		}
		user, lanes := client.Account(s.accounts[i].Address()), client.NewLanes(account.LanesConfig{})
		group.Go(func() error {
			for n := range each + 1 {
				if err := pause(ctx, rand.N(blockTime)); err != nil {
					return err
				}
				tx, err := user.Send(ctx, s.calls, account.WithSession(s.leaves[i]), account.Sponsored(), account.InLane(lanes))
				if err != nil {
					return err
				}
				if _, err := tx.Wait(ctx); err != nil {
					return err
				}
				returned := time.Now()
				mu.Lock()
				included, err := s.includedAt(tx.Hash())
				if n > 0 {
					pairs = append(pairs, pair{ours: float64(returned.Sub(included)), other: float64(blockTime)})
				}
				mu.Unlock()
				if err != nil {
					return err
				}
			}
			return lanes.Close(ctx)
		})
	}
	return pairs, group.Wait()
}

// includedAt is when an operation was, by the clock that both processes have.
func (s *sending) includedAt(hash common.Hash) (time.Time, error) {
	var answer servicesAnswer
	err := s.services.ask(servicesQuestion{Do: "included", Hash: hash}, &answer)
	return time.Unix(0, answer.Included), err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
