package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-sesame/sesame/account/accounttest"
)

// moments are when a process is killed, by the request that the trap is set on.
type moment int

const (
	before moment = iota // the request goes through
	after                // it went through, and before it is answered
	later                // some milliseconds after the answer
	moments
)

func (m moment) String() string { return [...]string{"before", "after", "shortly after"}[m] }

// storyRequests is how many requests the backend makes of its services in a story that is not disturbed: the
// first trap of each story is set on one of them.
const storyRequests = 55

// leap has no divisor in common with storyRequests, nor that with the number of moments.
const leap = 19

// part is one store with its processes.
type part struct {
	*options
	store   string
	kills   int
	program string
	out     io.Writer
	dice    *rand.Rand

	dir     string
	devnet  *accounttest.Devnet
	gateway *gateway
	closes  []func() error

	slotsMu sync.Mutex // requests come while they start
	slots   []*slot
}

func (p *part) add(s *slot) {
	p.slotsMu.Lock()
	defer p.slotsMu.Unlock()
	p.slots = append(p.slots, s)
}

// slotAt returns the slot of that number, nil for one that is still starting.
func (p *part) slotAt(i int) *slot {
	p.slotsMu.Lock()
	defer p.slotsMu.Unlock()
	if i < 0 || i >= len(p.slots) {
		return nil
	}
	return p.slots[i]
}

// run plays stories until there were kills enough, and checks all of them.
func (p *part) run(ctx context.Context) (err error) {
	defer func() {
		slices.Reverse(p.closes)
		for _, end := range p.closes {
			err = errors.Join(err, end())
		}
	}()
	if err := p.prepare(ctx); err != nil {
		return err
	}
	began := time.Now()
	var users []*user
	for n := 0; p.killed() < p.kills; n++ {
		u, err := newUser(p, fmt.Sprintf("%s-%d-%d", p.store, p.seed, n))
		if err != nil {
			return err
		}
		users = append(users, u)
		// The first kill of each story goes through all of its requests, in leaps, at each moment.
		p.gateway.set(u, trap{at: 1 + n*leap%storyRequests, moment: moment(n % int(moments))})
		if err := u.play(ctx); err != nil {
			return errors.Join(fmt.Errorf("story %d: %w", n, err), p.keepLogs())
		}
		p.gateway.set(u, trap{})
		if p.verbose {
			_, _ = fmt.Fprintf(p.out, "%5.0f s  %d stories, %d kills\n", time.Since(began).Seconds(), len(users), p.killed())
		}
	}
	for _, u := range users {
		if err := u.check(ctx); err != nil {
			return errors.Join(fmt.Errorf("story of %s: %w", u.name, err), p.keepLogs())
		}
	}
	p.report(len(users), time.Since(began))
	return nil
}

// prepare starts the chain and the processes.
func (p *part) prepare(ctx context.Context) (err error) {
	if p.dir, err = os.MkdirTemp("", "sesame-backendkill-"); err != nil {
		return err
	}
	p.closes = append(p.closes, func() error { return os.RemoveAll(p.dir) })
	if p.devnet, err = accounttest.StartDevnet(ctx, accounttest.DevnetConfig{}); err != nil {
		return err
	}
	p.closes = append(p.closes, p.devnet.Close)
	p.gateway = newGateway(p)
	p.closes = append(p.closes, p.gateway.close)
	place, replicas := filepath.Join(p.dir, "store"), 1
	switch p.store {
	case "file":
	case "postgres":
		url, stop, err := startDatabase(ctx)
		if err != nil {
			return err
		}
		p.closes = append(p.closes, stop)
		place, replicas = url, 2
	default:
		return errStore
	}
	for i := range replicas {
		s, err := startSlot(ctx, p, i, place)
		if err != nil {
			return err
		}
		p.add(s)
		p.closes = append(p.closes, s.stop)
	}
	return nil
}

// keepLogs says where the processes' logs are, and keeps them.
func (p *part) keepLogs() error {
	kept := filepath.Join(os.TempDir(), "sesame-backendkill-logs")
	_ = os.RemoveAll(kept)
	if err := os.MkdirAll(kept, 0o700); err != nil {
		return err
	}
	logs, err := filepath.Glob(filepath.Join(p.dir, "*.log"))
	for _, log := range logs {
		err = errors.Join(err, os.Rename(log, filepath.Join(kept, filepath.Base(log))))
	}
	return errors.Join(fmt.Errorf("logs are in %s", kept), err)
}

// killed is how many processes were killed.
func (p *part) killed() (all int) {
	for _, s := range p.slots {
		all += s.kills()
	}
	return all
}

// report prints the figures.
func (p *part) report(stories int, took time.Duration) {
	g := p.gateway
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _ = fmt.Fprintf(p.out, "%s: %d kills by %d traps, %d process(es) at a time, in %d stories, %d requests of services, %v: %d operations, each once\n",
		p.store, p.killed(), len(g.killed), len(p.slots), stories, g.requests, took.Round(time.Second), stories*operations)
	for _, by := range []struct {
		what string
		key  func(kill) string
	}{
		{"while the user", func(k kill) string { return k.step }},
		{"at", func(k kill) string { return k.method }},
		{"moment", func(k kill) string { return k.moment.String() }},
	} {
		counts := make(map[string]int)
		for _, k := range g.killed {
			counts[by.key(k)]++
		}
		_, _ = fmt.Fprintf(p.out, "  %s\n", by.what)
		for _, key := range slices.Sorted(maps.Keys(counts)) {
			_, _ = fmt.Fprintf(p.out, "    %-38s %d\n", key, counts[key])
		}
	}
}
