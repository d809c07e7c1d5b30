package main

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/paymaster"
)

// tripDelay is how long services take where round trips are counted: long beside what a busy machine takes to
// make requests at the same time, which otherwise pass for one after another.
const tripDelay = 300 * time.Millisecond

// journey is a way of paying, with how many round trips it may take.
type journey struct {
	name       string
	options    []account.Option
	client     func(c *account.Config, url string)
	cold, warm float64
}

// measureTrips counts the requests of a send that come one after another: the longest chain of requests of
// which each was made after the one before was answered. Cold is the first send of a client, warm one in a
// lane after it.
func measureTrips(ctx context.Context, b *bench) error {
	journeys := []journey{
		{"pm_sponsorUserOperation", []account.Option{account.Sponsored()}, warm, 3, 2},
		{"self-paid", nil, warm, 3, 2},
		{"ERC-7677", []account.Option{account.Sponsored()}, func(c *account.Config, url string) {
			c.Freshness = time.Hour
			c.Paymaster = paymaster.NewERC7677(url, nil)
		}, 5, 4},
	}
	cold, warm := make([][]pair, len(journeys)), make([][]pair, len(journeys))
	for range b.rounds(5) {
		group, ctx := errgroup.WithContext(ctx)
		for i := range journeys {
			group.Go(func() error {
				first, second, err := journeys[i].count(ctx)
				cold[i], warm[i] = append(cold[i], pair{ours: first}), append(warm[i], pair{ours: second})
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	for i, j := range journeys {
		b.add(row{name: "round trips one after another, cold, " + j.name, unit: trips, least: j.cold, want: j.cold}, cold[i])
		b.add(row{name: "the same, warm, in a lane, " + j.name, unit: trips, least: j.warm, want: j.warm}, warm[i])
	}
	return nil
}

// count counts the round trips of a first send and of one after it.
func (j *journey) count(ctx context.Context) (cold, warm float64, err error) {
	front, err := jsonrpctest.StartServer(jsonrpctest.Config{Delay: tripDelay})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, front.Close()) }()
	counted := new(jsonrpctest.RoundTrips)
	front.CountIn(counted)
	s, err := newSending(ctx, sendingConfig{accounts: 1, client: j.client, front: func(url string) string {
		front.Otherwise(jsonrpctest.Forward(url))
		return front.URL()
	}})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	lanes := s.client.NewLanes(account.LanesConfig{})
	for _, depth := range []*float64{&cold, &warm} {
		counted.Reset()
		if _, err = s.send(ctx, 0, append(j.options, account.InLane(lanes))...); err != nil {
			break
		}
		*depth = float64(counted.Depth())
	}
	return cold, warm, errors.Join(err, lanes.Close(ctx))
}
