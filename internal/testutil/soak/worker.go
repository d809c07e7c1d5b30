package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/ethnode"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/userop"
)

// assignment is what a worker is told, on its standard input: some of it is secret. After it comes a word
// when no job is to be begun any more, and another one when nobody has a job left: until then it grants for
// its users, for whom other processes may send. The worker ends when its input does.
type assignment struct {
	Part       string // memory, file or postgres
	Slot, Life int
	// Home says of which users the process plays the owner: of each Homes one.
	Home, Homes    int
	Owners         []common.Address
	ChainID        uint64
	Token          common.Address
	Nodes          []string // the preferred one first, as are the others
	Bundlers       []string
	Paymasters     []string
	Wallet         string
	Store          string // directory or URL
	DataKey        hexutil.Bytes
	Ledger, Log    string
	Way            string
	Seed           uint64
	Workers        int
	Quota          int // of jobs in the slot, 0 for no end
	Patience       time.Duration
	ChangeInterval time.Duration
}

const (
	stopWord   = "stop"
	settleWord = "settle"
)

const (
	// longestSending is how long a worker goes on with its jobs after it was told to begin no more,
	// longestSettling how long its users' sessions take after that.
	longestSending  = 80 * time.Second
	longestSettling = 30 * time.Second
	// confirmations are one more than the blocks that a reorg takes.
	confirmations = deepestReorg + 1
)

// worker is a process that sends.
type worker struct {
	*assignment
	ledger *ledger
	store  session.FullStore
	client *account.Client
	wallet *walletClient
	lanes  *account.Lanes
	way    way
	users  []*user
	closes []func() error

	stop    chan struct{} // closed when no job is to be begun
	over    chan struct{} // closed when nobody has a job left
	free    chan *job     // jobs that are open from before
	next    atomic.Uint64 // the number of the last job
	maximum atomic.Int64  // of goroutines
}

// work is a worker's life.
func work(in io.Reader) error {
	told := bufio.NewReader(in)
	line, err := told.ReadBytes('\n')
	if err != nil {
		return err
	}
	w := &worker{assignment: new(assignment), stop: make(chan struct{}), over: make(chan struct{})}
	if err := json.Unmarshal(line, w.assignment); err != nil {
		return err
	}
	go w.listen(told)
	atStart := runtime.NumGoroutine()
	err = w.run()
	slices.Reverse(w.closes)
	for _, end := range w.closes {
		err = errors.Join(err, end())
	}
	if w.ledger == nil {
		return err
	}
	life := vitals{atStart, goroutinesLeft(atStart), int(w.maximum.Load()), peakMemory()}
	return errors.Join(err, w.note(event{Kind: ended, Vitals: &life}), w.ledger.close())
}

// listen waits for the words to stop and to settle, and for whoever started the worker to be gone.
func (w *worker) listen(told *bufio.Reader) {
	for {
		switch line, err := told.ReadString('\n'); {
		case err == nil && line == stopWord+"\n":
			close(w.stop)
		case err == nil && line == settleWord+"\n":
			close(w.over)
		default:
			os.Exit(3)
		}
	}
}

func (w *worker) note(e event) error { return w.ledger.write(e) }

func (w *worker) stopped() bool {
	select {
	case <-w.stop:
		return true
	default:
		return false
	}
}

func (w *worker) run() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	events, err := w.connect(ctx)
	if err != nil {
		return err
	}
	go func() {
		<-w.stop
		if !pause(ctx, longestSending) {
			return
		}
		cancel()
	}()
	beside, end := context.WithCancel(ctx)
	group, beside := errgroup.WithContext(beside)
	group.Go(func() error { return w.watch(beside) })
	group.Go(func() error { return w.reconcile(beside) })
	if w.Way == "once" {
		group.Go(func() error {
			if err := w.client.Run(beside); beside.Err() == nil {
				return err
			}
			return nil
		})
	}
	group.Go(func() error { return w.keepSessions(beside) })
	err = w.sendAll(ctx, events)
	if err == nil {
		<-w.stop
		err = w.note(event{Kind: idle})
	}
	if err == nil {
		<-w.over
		err = w.settle()
	}
	end()
	return errors.Join(err, group.Wait())
}

// connect opens everything, and returns what was written into the ledger before.
func (w *worker) connect(ctx context.Context) (events []event, err error) {
	if w.ledger, events, err = openLedger(w.Ledger, w.Slot, w.Life); err != nil {
		return nil, err
	}
	if err := w.note(event{Kind: started, Text: w.Part}); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(w.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	w.closes = append(w.closes, log.Close)
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if w.store, err = w.openStore(ctx); err != nil {
		return nil, err
	}
	w.closes = append(w.closes, w.store.Close)
	w.wallet = &walletClient{url: w.Wallet}
	w.closes = append(w.closes, func() error { w.wallet.client.CloseIdleConnections(); return nil })
	if err := w.dial(ctx, logger); err != nil {
		return nil, err
	}
	w.way = ways[w.Way]
	w.lanes = w.client.NewLanes(account.LanesConfig{Leaser: w.store, Patience: time.Minute})
	w.closes = append(w.closes, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return w.lanes.Close(ctx)
	})
	w.meetUsers()
	return events, nil
}

func (w *worker) openStore(ctx context.Context) (session.FullStore, error) {
	if w.Part == "memory" {
		return memstore.New(), nil
	}
	sealer, err := seal.NewKeyAEAD(w.DataKey)
	if err != nil {
		return nil, err
	}
	if w.Part == "file" {
		return filestore.Open(w.Store, filestore.Config{Sealer: sealer})
	}
	for {
		store, err := pgstore.Open(ctx, w.Store, pgstore.Config{Sealer: sealer})
		if err == nil {
			return store, nil
		}
		if err := w.note(event{Kind: noted, Text: err.Error()}); err != nil {
			return nil, err
		}
		if !pause(ctx, time.Second) {
			return nil, err
		}
	}
}

func (w *worker) dial(ctx context.Context, logger *slog.Logger) error {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 2 * w.Workers
	w.closes = append(w.closes, func() error { transport.CloseIdleConnections(); return nil })
	var nodes []ethnode.Member
	for n, url := range w.Nodes {
		conn, err := rpc.DialOptions(ctx, url, rpc.WithHTTPClient(&http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}))
		if err != nil {
			return err
		}
		w.closes = append(w.closes, func() error { conn.Close(); return nil })
		nodes = append(nodes, ethnode.Member{Name: name("node", n), Node: ethclient.NewClient(conn)})
	}
	var bundlers []bundler.Member
	for n, url := range w.Bundlers {
		client := bundler.New(url, bundler.WithLogger(logger))
		w.closes = append(w.closes, func() error { client.Close(); return nil })
		bundlers = append(bundlers, bundler.Member{Name: name("bundler", n), Bundler: watchedBundler{client, w}})
	}
	var paymasters []paymaster.Member
	for n, url := range w.Paymasters {
		client := paymaster.New(url, paymaster.WithLogger(logger))
		w.closes = append(w.closes, func() error { client.Close(); return nil })
		paymasters = append(paymasters, paymaster.Member{Name: name("paymaster", n), Paymaster: client})
	}
	chain, err := ethnode.NewPool(ethnode.PoolConfig{ChainID: w.ChainID, Members: nodes, Logger: logger})
	if err != nil {
		return err
	}
	send, err := bundler.NewPool(bundler.PoolConfig{ChainID: w.ChainID, Members: bundlers, Logger: logger})
	if err != nil {
		return err
	}
	sponsor, err := paymaster.NewPool(paymaster.PoolConfig{Members: paymasters, Logger: logger})
	if err != nil {
		return err
	}
	config := account.Config{
		ChainID:       w.ChainID,
		Chain:         chain,
		Bundler:       send,
		Paymaster:     sponsor,
		Confirmations: confirmations,
		Logger:        logger,
	}
	if w.Way == "once" {
		config.Outbox, config.Report = w.store.(account.Outbox), w.report
	}
	w.client, err = account.NewClient(config)
	return err
}

func name(service string, n int) string { return fmt.Sprintf("%s %d", service, n+1) }

// watchedBundler notes each operation that is handed out, before it is.
type watchedBundler struct {
	userop.Bundler
	worker *worker
}

// Unwrap returns the bundler.
func (b watchedBundler) Unwrap() userop.Bundler { return b.Bundler }

func (b watchedBundler) SendUserOperation(ctx context.Context, op *userop.Operation, entryPoint common.Address) (common.Hash, error) {
	if err := b.worker.note(event{Kind: handed, User: op.Sender, Hash: op.Hash(entryPoint, b.worker.ChainID)}); err != nil {
		return common.Hash{}, err
	}
	return b.Bundler.SendUserOperation(ctx, op, entryPoint)
}

// meetUsers makes the users. Every other one sends in lanes, from all processes; for the rest only the
// process that plays the owner sends, in the account's first lane.
func (w *worker) meetUsers() {
	for i, owner := range w.Owners {
		owned := w.client.OwnedAccount(remoteOwner{w.wallet, owner})
		u := &user{worker: w, owned: owned, account: w.client.Account(owned.Address()), home: i%w.Homes == w.Home}
		if i/w.Homes%2 == 1 {
			u.lane = new(lane)
		}
		if u.home || u.lane == nil {
			w.users = append(w.users, u)
		}
	}
}

func (w *worker) at(address common.Address) *user {
	for _, u := range w.users {
		if u.account.Address() == address {
			return u
		}
	}
	return nil
}

// jobsOfASlot is how many numbers a slot has for its jobs.
const jobsOfASlot = 1_000_000

// sendAll ends the jobs that are open, and does further ones until it is told to stop.
func (w *worker) sendAll(ctx context.Context, events []event) error {
	open, ops, last := openJobs(events)
	w.next.Store(max(last, uint64(w.Slot)*jobsOfASlot))
	w.free = make(chan *job, len(open))
	for number, e := range open {
		j := &job{worker: w, number: number, user: w.at(e.User), doomed: e.Doomed}
		for _, op := range ops[number] {
			j.hold(op.Operation, op.Hash)
		}
		w.free <- j
	}
	close(w.free)
	group, ctx := errgroup.WithContext(ctx)
	for range w.Workers {
		group.Go(func() error {
			for j := range w.free {
				if err := j.do(ctx); err != nil {
					return err
				}
			}
			for !w.stopped() && ctx.Err() == nil {
				over, err := w.doOne(ctx)
				if over || err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// doOne does one more job, and reports whether there is none left.
func (w *worker) doOne(ctx context.Context) (over bool, err error) {
	u := w.users[rand.IntN(len(w.users))]
	if !u.canSend(ctx) {
		pause(ctx, 100*time.Millisecond)
		return false, nil
	}
	number := w.next.Add(1)
	if w.Quota > 0 && number > uint64(w.Slot)*jobsOfASlot+uint64(w.Quota) {
		return true, w.note(event{Kind: spent})
	}
	j := &job{worker: w, number: number, user: u, doomed: rand.IntN(50) == 0}
	if err := j.note(event{Kind: began, Doomed: j.doomed}); err != nil {
		return true, err
	}
	return false, j.do(ctx)
}

// reconcile does what a program does when it starts.
func (w *worker) reconcile(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.Patience)
	defer cancel()
	if err := w.client.ReconcileAll(ctx, w.store); err != nil && ctx.Err() == nil {
		return w.note(event{Kind: noted, Text: err.Error()})
	}
	return nil
}

// keepSessions plays the owners: each grants where nobody can send for it, and now and then changes what is
// granted.
func (w *worker) keepSessions(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for i, u := range w.users {
		if !u.home {
			continue
		}
		dice := rand.New(rand.NewPCG(w.Seed+uint64(i), uint64(w.Slot)<<32|uint64(w.Life)))
		group.Go(func() error { return w.keepUser(ctx, u, dice) })
	}
	return group.Wait()
}

func (w *worker) keepUser(ctx context.Context, u *user, dice *rand.Rand) error {
	for {
		err := w.bear(ctx, u, u.ensure)
		if err == nil && !w.stopped() && dice.Int64N(int64(w.ChangeInterval)*int64(len(w.Owners))/int64(w.Homes)) < int64(time.Second) {
			err = w.bear(ctx, u, func(ctx context.Context) error { return u.change(ctx, dice) })
		}
		if err != nil || !pause(ctx, time.Second) {
			return err
		}
	}
}

// bear notes an error of what will be tried again.
func (w *worker) bear(ctx context.Context, u *user, do func(context.Context) error) error {
	trying, cancel := context.WithTimeout(ctx, w.Patience)
	defer cancel()
	if err := do(trying); err != nil && ctx.Err() == nil {
		return u.note(event{Kind: noted, Text: err.Error()})
	}
	return nil
}

// settle settles all users of whom the process plays the owner, at the end.
func (w *worker) settle() error {
	ctx, cancel := context.WithTimeout(context.Background(), longestSettling)
	defer cancel()
	var group errgroup.Group
	for _, u := range w.users {
		if u.home {
			group.Go(func() error { return u.settle(ctx) })
		}
	}
	return group.Wait()
}

// watch looks at the process now and then.
func (w *worker) watch(ctx context.Context) error {
	for {
		w.maximum.Store(max(w.maximum.Load(), int64(runtime.NumGoroutine())))
		if !pause(ctx, 200*time.Millisecond) {
			return nil
		}
	}
}

// goroutinesLeft waits a while for goroutines to end.
func goroutinesLeft(atStart int) int {
	for range 50 {
		if runtime.NumGoroutine() <= atStart {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return runtime.NumGoroutine()
}

// peakMemory is the most that the process had resident, in bytes; 0 where the system does not tell.
func peakMemory() uint64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, _ := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}
