package main

import (
	"context"
	"flag"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
)

var (
	killedOrders = flag.Int("orders", 200, "orders that are filled while workers are killed; several thousand for the long form")
	killedSlots  = flag.Int("slots", 3, "workers at once of whom each is killed again and again")
)

func newRow(failures int) *rivertype.JobRow {
	return &rivertype.JobRow{Errors: make([]rivertype.AttemptError, failures)}
}

const (
	// mostFilled is how many more orders are filled at most before a worker is killed.
	mostFilled = 20
	// longestLife is how long it works at most before that.
	longestLife = 8 * time.Second
)

// killTime bounds the test: much longer than it takes, also with thousands of orders.
const killTime = 20 * time.Minute

// TestKilledWorkers kills workers at random moments, and starts others, until most orders are filled: each
// happens once on chain. The last ones end by themselves and leave no job behind.
func TestKilledWorkers(t *testing.T) {
	t.Setenv(programEnv, "1")
	o := &options{store: database(t), passphrase: "correct horse", nft: accounttest.WellKnownContracts().NFT,
		atOnce: 8, timeout: 3 * time.Second, grace: 10 * time.Second}
	accounttest.NewChain(t, accounttest.ChainConfig{}) // skips without the contracts
	ctx, cancel := context.WithTimeout(t.Context(), killTime)
	defer cancel()
	var said syncBuffer
	defer func() {
		if t.Failed() {
			t.Log(said.String())
		}
	}()
	o.program = build(t)
	services, at, err := startServices(ctx, o, &said)
	require.NoError(t, err)
	defer func() { require.NoError(t, services.end()) }()
	o.services, o.program = at, "" // the workers are this program, with the race detector
	b, err := openBackend(ctx, o, io.Discard)
	require.NoError(t, err)
	defer func() { require.NoError(t, b.close()) }()
	users, err := b.enrol(ctx, 20)
	require.NoError(t, err)
	orders := newOrders(b.client.ChainID(), users, *killedOrders/len(users))
	_, err = b.place(ctx, orders, io.Discard)
	require.NoError(t, err)

	kills := killUntil(ctx, t, b, int64(len(orders)/5), &said)
	var before int
	require.NoError(t, b.pool.QueryRow(ctx, "select count(*) from river_job where state = 'completed'").Scan(&before))
	// The jobs of the dead wait for their rescue. Who leads the queue's upkeep is dead too: its lease, which
	// would end by itself in a quarter of a minute, is ended here.
	require.NoError(t, pause(ctx, rescueAfter*o.timeout))
	_, err = b.pool.Exec(ctx, "delete from river_leader")
	require.NoError(t, err)
	workers, err := b.startWorkers(ctx, 2, &said)
	require.NoError(t, err)
	require.NoError(t, b.filled(ctx, nil))
	for _, w := range workers {
		require.NoError(t, w.end(), "asked to end, a worker does")
	}

	require.NoError(t, b.check(ctx, orders))
	var rescued, open int
	require.NoError(t, b.pool.QueryRow(ctx, `select count(*) filter (where errors::text like '%rescued%'),
		(select count(*) from sesame_outbox where state = 1) from river_job`).Scan(&rescued, &open))
	require.NotZero(t, rescued, "nobody was killed with a job")
	require.Zero(t, open, "sends that nobody has seen end")
	t.Logf("%d orders each once; %d workers killed until %d were filled, %d jobs taken over from them", len(orders), kills, before, rescued)
}

// killUntil has workers killed, each when a few more orders are filled since it works, or after a while,
// until no more than so many jobs are still to be taken by one. It returns how many were killed.
func killUntil(ctx context.Context, t *testing.T, b *backend, left int64, stderr io.Writer) int64 {
	t.Helper()
	killing, stop := context.WithCancel(ctx)
	defer stop()
	var kills, filled atomic.Int64
	var group errgroup.Group
	for range *killedSlots {
		group.Go(func() error {
			defer stop() // for the others, where one fails
			for killing.Err() == nil {
				w, err := startWorker(ctx, b.options, b.options.services, stderr)
				if err != nil {
					return err
				}
				err = w.works(ctx)
				enough, late := filled.Load()+rand.Int64N(mostFilled), time.Now().Add(longestLife)
				for filled.Load() < enough && time.Now().Before(late) && pause(killing, betweenLooks) == nil {
				}
				_ = pause(killing, time.Duration(rand.Int64N(int64(time.Second/2)))) // anywhere in what it does
				w.kill()
				if kills.Add(1); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for killing.Err() == nil {
		var free, done int64
		require.NoError(t, b.pool.QueryRow(ctx, `select count(*) filter (where state in ('available', 'retryable', 'scheduled')),
			count(*) filter (where state = 'completed') from river_job`).Scan(&free, &done))
		filled.Store(done)
		if free <= left {
			break
		}
		_ = pause(killing, betweenLooks)
	}
	stop()
	require.NoError(t, group.Wait())
	return kills.Load()
}

// build builds the program without the race detector, under which a chain takes several times as long.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "workers")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// TestCountOnChain shows that the count on chain tells what is missing and what is there twice.
func TestCountOnChain(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	once := Order{To: common.Address{1}}
	require.EqualError(t, eachOnce(t.Context(), devnet.Node, devnet.Chain.Contracts.NFT, []Order{once}),
		"of 1 orders the chain has 1 not at all and 0 more than once")
	owner, err := devnet.NewOwner(t.Context())
	require.NoError(t, err)
	for _, want := range []string{"", "of 1 orders the chain has 0 not at all and 1 more than once"} {
		mint(t, owner, devnet.Chain.Contracts.NFT, once.To)
		err := eachOnce(t.Context(), devnet.Node, devnet.Chain.Contracts.NFT, []Order{once})
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, want)
	}
}

// syncBuffer keeps what several goroutines write.
type syncBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// mint has an owner mint.
func mint(t *testing.T, owner *account.OwnedAccount, nft, to common.Address) {
	t.Helper()
	data, err := abi.Pack("function safeMint(address to)", to)
	require.NoError(t, err)
	tx, err := owner.Send(t.Context(), []account.Call{{To: nft, Data: data}})
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
}
