package main

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/testutil/faultproxy"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session/seal"
)

const (
	// patience is the deadline of a send.
	patience = 25 * time.Second
	// changeEvery is how often a process changes what is granted.
	changeEvery = 3 * time.Second
	// settlingTime is what is left of the time for what is open to end.
	settlingTime = 25 * time.Second
	replicas     = 3

	// How often, on average, something happens beside what the proxies do.
	fileKillEvery      = 10 * time.Second
	replicaKillEvery   = 20 * time.Second // each of them
	databaseCrashEvery = 30 * time.Second
	// Each bundler is gone so often, with its mempool, and each other service; not longer than longestGone.
	bundlerDeathEvery = 40 * time.Second
	goneEvery         = 30 * time.Second
	longestGone       = 8 * time.Second
	deepestReorg      = 2
)

// run is one soak.
type run struct {
	*options
	out     io.Writer
	dir     string // of all that the workers write
	dice    *rand.Rand
	world   *world
	wallet  *wallet
	secrets secrets
	db      *database
	slots   []*slot
	users   map[common.Address]bool
	closes  []func() error
	began   time.Time
	calm    time.Time

	mu       sync.Mutex
	problems []problem
}

// soak is a whole soak. The error says how many things are wrong; what they are is printed.
func soak(ctx context.Context, o *options, out io.Writer) (err error) {
	r := &run{options: o, out: out, dice: rand.New(rand.NewPCG(o.seed, 1)), users: make(map[common.Address]bool), began: time.Now()}
	_, _ = fmt.Fprintf(out, "seed %d\n", o.seed)
	defer func() {
		slices.Reverse(r.closes)
		for _, end := range r.closes {
			err = errors.Join(err, end())
		}
	}()
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := r.live(ctx); err != nil {
		return err
	}
	return r.report(ctx)
}

// prepare starts everything but the workers.
func (r *run) prepare(ctx context.Context) (err error) {
	if r.dir = r.keep; r.dir == "" {
		if r.dir, err = os.MkdirTemp("", "sesame-soak-"); err != nil {
			return err
		}
		r.closes = append(r.closes, func() error { return os.RemoveAll(r.dir) })
	}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(r.dir, "said"), 0o700); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s has what an earlier soak kept, which would be counted again: name another directory", r.dir)
	} else if err != nil {
		return err
	}
	parts := []string{"memory", "file", "postgres"}
	if r.store != "" {
		parts = []string{r.store}
	}
	if r.wallet, err = startWallet(r.options.users*len(parts), &r.secrets); err != nil {
		return err
	}
	r.closes = append(r.closes, r.wallet.close)
	if r.world, err = newWorld(r.seed); err != nil {
		return err
	}
	r.closes = append(r.closes, r.world.close)
	for role, proxies := range r.world.proxies {
		for _, proxy := range proxies {
			r.secrets.add("the key in a URL of the "+string(role), proxy.Secret())
		}
	}
	if slices.Contains(parts, "postgres") {
		if r.db, err = startDatabase(ctx, &r.secrets); err != nil {
			return err
		}
		r.closes = append(r.closes, r.db.stop)
	}
	owners := make([]common.Address, 0, len(r.wallet.owners))
	for owner := range r.wallet.owners {
		owners = append(owners, owner)
	}
	if err := r.meet(ctx, owners); err != nil {
		return err
	}
	for i, part := range parts {
		if err := r.assign(part, owners[i*r.options.users:(i+1)*r.options.users], len(parts)); err != nil {
			return err
		}
	}
	return nil
}

// meet learns the addresses of the owners' accounts, and has each account hold tokens: a first mint takes
// more gas than a further one, and one that a reorg makes the first would run out of it.
func (r *run) meet(ctx context.Context, owners []common.Address) (err error) {
	send, sponsor := bundler.New(r.world.bundlers[0].between.server.URL), paymaster.New(r.world.paymaster.URL())
	defer send.Close()
	defer sponsor.Close()
	client, err := account.NewClient(account.Config{ChainID: r.world.chain.ChainID(), Chain: r.world.chain.Client(), Bundler: send, Paymaster: sponsor})
	if err != nil {
		return err
	}
	var mints []account.Call
	for _, owner := range owners {
		user := client.OwnedAccount(remoteOwner{address: owner}).Address()
		r.users[user] = true
		mints = append(mints, mintCall(r.world.chain.Contracts.Token, user, 1))
	}
	key, err := crypto.GenerateKey()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for some := range slices.Chunk(mints, mintsAtOnce) {
		tx, err := client.OwnedAccount(account.KeyOwner(key)).Send(ctx, some, account.Sponsored())
		if err == nil {
			_, err = tx.Wait(ctx)
		}
		if err != nil {
			return fmt.Errorf("mint tokens for the accounts: %w", err)
		}
	}
	return nil
}

// mintsAtOnce are as many as a call has the gas for.
const mintsAtOnce = 100

// assign makes the slots of one part.
func (r *run) assign(part string, owners []common.Address, parts int) error {
	key := make([]byte, seal.KeySize)
	_, _ = crand.Read(key)
	r.secrets.addKey("the data key of "+part, key)
	homes, way, place := 1, r.way, filepath.Join(r.dir, "store")
	if way == "" {
		way = "build"
	}
	switch part {
	case "memory":
		if r.way == "" {
			way = "send"
		}
	case "file":
		if err := os.MkdirAll(place, 0o700); err != nil {
			return err
		}
	case "postgres":
		homes, place = replicas, r.db.url
	}
	for home := range homes {
		number := len(r.slots) + 1
		ledger := filepath.Join(r.dir, "said", fmt.Sprintf("slot-%d.ledger", number))
		r.slots = append(r.slots, &slot{
			dir:      filepath.Join(r.dir, "said"),
			follower: follower{path: ledger},
			assignment: assignment{
				Part: part, Slot: number, Home: home, Homes: homes, Owners: owners,
				ChainID: r.world.chain.ChainID(), Token: r.world.chain.Contracts.Token,
				Nodes:      r.world.urls(faultproxy.Node),
				Bundlers:   r.world.urls(faultproxy.Bundler),
				Paymasters: r.world.urls(faultproxy.Paymaster),
				Wallet:     r.wallet.server.URL,
				Store:      place, DataKey: key, Ledger: ledger, Way: way, Seed: r.seed,
				Workers:  (r.workers + homes - 1) / homes,
				Quota:    (r.sends + parts*homes - 1) / (parts * homes),
				Patience: patience, ChangeInterval: changeEvery,
			},
		})
	}
	return nil
}

// live has the workers work, and disturbs them for as long as they begin jobs.
func (r *run) live(parent context.Context) error {
	workers, ctx := errgroup.WithContext(parent)
	for _, s := range r.slots {
		workers.Go(func() error { return s.run(ctx) })
	}
	disturbing, calm := context.WithCancel(ctx)
	defer calm()
	disturbance, disturbing := errgroup.WithContext(disturbing)
	r.disturb(disturbing, disturbance)
	var clock errgroup.Group
	ticking, halt := context.WithCancel(context.WithoutCancel(ctx))
	defer halt()
	clock.Go(func() error { return r.world.tick(ticking) })

	watchErr := r.watch(disturbing)
	calm()
	err := disturbance.Wait()
	r.world.calm()
	r.calm = time.Now()
	for _, s := range r.slots {
		s.stop()
	}
	r.say("calm")
	idleErr := r.untilAll(ctx, idle)
	for _, s := range r.slots {
		s.settle()
	}
	if failed := workers.Wait(); failed != nil {
		r.mu.Lock()
		r.problems = append(r.problems, problem{what: "died", text: failed.Error()})
		r.mu.Unlock()
	}
	halt()
	return errors.Join(watchErr, err, idleErr, clock.Wait(), parent.Err())
}

// untilAll returns when every slot has noted something, or when ctx ends.
func (r *run) untilAll(ctx context.Context, what kind) error {
	for !r.all(what) {
		if !pause(ctx, 100*time.Millisecond) {
			return nil
		}
		if err := r.read(); err != nil {
			return err
		}
	}
	return nil
}

// disturb starts what disturbs the workers, beside the faults of the services. What has begun when ctx ends
// is done wholly.
func (r *run) disturb(ctx context.Context, group *errgroup.Group) {
	whole := context.WithoutCancel(ctx)
	often := func(every time.Duration, do func() error) {
		dice := rand.New(rand.NewPCG(r.seed, r.dice.Uint64()))
		group.Go(func() error { return nowAndThen(ctx, dice, every, do) })
	}
	for _, s := range r.slots {
		switch s.Part {
		case "file":
			often(fileKillEvery, s.kill)
		case "postgres":
			often(replicaKillEvery, s.kill)
		}
	}
	for n := range eachService {
		gone := rand.New(rand.NewPCG(r.seed, 100+uint64(n)))
		often(bundlerDeathEvery, func() error {
			return r.world.killBundler(ctx, n, time.Duration(gone.Int64N(int64(longestGone))))
		})
		for i, role := range []faultproxy.Role{faultproxy.Node, faultproxy.Paymaster} {
			gone := rand.New(rand.NewPCG(r.seed, 200+uint64(n*eachService+i)))
			often(goneEvery, func() error {
				return r.world.shut(role, n, time.Duration(gone.Int64N(int64(longestGone))))
			})
		}
	}
	if r.reorgs > 0 {
		depths := rand.New(rand.NewPCG(r.seed, 2))
		often(r.reorgs, func() error { return r.world.reorg(whole, 1+depths.Uint64N(deepestReorg)) })
	}
	if r.db != nil {
		often(databaseCrashEvery, func() error { return r.db.crash(whole) })
	}
}

// watch returns when no more jobs are to be begun.
func (r *run) watch(ctx context.Context) error {
	end := time.After(max(r.length-settlingTime, r.length/2))
	if r.sends > 0 {
		end = nil
	}
	for said := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-end:
			return nil
		case <-time.After(500 * time.Millisecond):
		}
		if err := r.read(); err != nil {
			return err
		}
		if r.sends > 0 && r.all(spent) { // the shares of all slots are begun
			return nil
		}
		if time.Since(said) > 5*time.Second {
			said = time.Now()
			r.progress()
		}
	}
}

// read reads what the ledgers have that is new.
func (r *run) read() error {
	for _, s := range r.slots {
		if _, err := s.follower.read(); err != nil {
			return err
		}
	}
	return nil
}

// all reports whether every slot has noted something.
func (r *run) all(what kind) bool {
	return !slices.ContainsFunc(r.slots, func(s *slot) bool {
		return !slices.ContainsFunc(s.follower.all, func(e event) bool { return e.Kind == what })
	})
}

func (r *run) say(format string, args ...any) {
	if r.verbose {
		_, _ = fmt.Fprintf(r.out, "%5.0f s  %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
	}
}

func (r *run) progress() {
	if !r.verbose {
		return
	}
	count := make(map[kind]int)
	for _, s := range r.slots {
		for i := range s.follower.all {
			count[s.follower.all[i].Kind]++
		}
	}
	r.say("%d begun, %d landed, %d reverted, %d in doubt, %d refused, %d waited, %d tombstones, %d notes",
		count[began], count[landed], count[reverted], count[doubtful], count[refused], count[waiting], count[suspended], count[noted])
}

// report checks everything, and prints the figures and what is wrong.
func (r *run) report(ctx context.Context) error {
	if err := r.read(); err != nil {
		return err
	}
	e := &evidence{users: r.users, calm: r.calm}
	for _, s := range r.slots {
		e.events = append(e.events, s.follower.all...)
	}
	var err error
	if e.chain, err = readEffects(ctx, r.world.chain.Client(), r.world.chain.Contracts); err != nil {
		return err
	}
	f, problems := check(e)
	problems = append(r.problems, problems...)
	searched, leaks, err := r.secrets.search(filepath.Join(r.dir, "said"))
	if err != nil {
		return err
	}
	problems = append(problems, leaks...)
	for role, proxies := range r.world.proxies {
		for _, proxy := range proxies {
			if n := proxy.FollowedRedirects(); n > 0 {
				problems = append(problems, problem{what: "redirected", text: fmt.Sprintf("%d redirects of the %s were followed", n, role)})
			}
		}
	}
	problems = append(problems, checkVitals(e.events)...)
	for _, p := range problems {
		_, _ = fmt.Fprintln(r.out, p)
	}
	r.print(e, &f, searched)
	return r.verdict(problems)
}

// verdict prints what is wrong once more, briefly: the end of an output is what is read of it.
func (r *run) verdict(problems []problem) error {
	if len(problems) == 0 {
		return nil
	}
	for i := range problems {
		_, _ = fmt.Fprintf(r.out, "wrong: %s: %.400s\n", problems[i].what, problems[i].text)
	}
	return fmt.Errorf("%d things are wrong; again with -seed %d", len(problems), r.seed)
}
