package pgstore_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// budgetKills has [TestBudgetsUnderCrashes] take longer: go test ./session/pgstore -run BudgetsUnderCrashes
// -budget-kills 200 -timeout 1h.
var budgetKills = flag.Int("budget-kills", 6, "how often a process that spends budgets is killed")

const (
	spenderEnv    = "SESAME_PGSTORE_SPENDER_URL"
	spenders      = 3  // processes
	spendersEach  = 34 // goroutines of each
	dayOfGas      = 1200
	dayOfKey      = 800
	dayOfSends    = 45
	spendingTTL   = time.Second
	spendingLease = 500 * time.Millisecond
)

var (
	spendingKeys = []common.Address{common.HexToAddress("0x4e1"), common.HexToAddress("0x4e2")}
	spendingEP   = common.HexToAddress("0x5ff137d4b0fdcd49dca30c7cf57e578a026d2789")
)

// TestBudgetsUnderCrashes has three processes of many goroutines each spend the budgets of a few accounts, on
// a chain that is a table of the database: operations are included, revert, are replaced, run out of time or
// are never given away, and the processes are killed amid all that. What the chain includes never comes to
// more than a budget, and once all is settled the counters are what the chain shows, with nothing reserved.
func TestBudgetsUnderCrashes(t *testing.T) {
	if url := os.Getenv(spenderEnv); url != "" {
		spend(t, url) // is one of the processes, until it is killed
		return
	}
	url := server.URL(t)
	pgtest.Exec(t, url, `create table chain (account bytea, nonce bigint, hash bytea, key bytea, state int, cost bigint, primary key (account, nonce));
		create sequence nonces`)
	store, began := open(t, url), time.Now()
	random := rand.New(rand.NewPCG(15, 1))
	running := make([]*exec.Cmd, spenders)
	start := func(i int) {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", fmt.Sprint("-budget-kills=", *budgetKills))
		cmd.Env = append(os.Environ(), spenderEnv+"="+url)
		cmd.Stderr = os.Stderr
		require.NoError(t, cmd.Start())
		running[i] = cmd
	}
	end := func(i int) {
		_ = running[i].Process.Kill()
		_ = running[i].Wait()
	}
	for i := range running {
		start(i)
		t.Cleanup(func() { end(i) })
	}
	for kill := range *budgetKills {
		time.Sleep(time.Duration(300+random.IntN(500)) * time.Millisecond)
		requireWithin(t, url, began)
		end(kill % spenders)
		start(kill % spenders)
	}
	for i := range running {
		end(i)
	}
	settleAll(t, url, store)
	requireWithin(t, url, began)
	requireCounted(t, url, store)
}

// spendingAccounts is how many accounts there are: enough that not all budgets are spent long before the end.
func spendingAccounts() int { return max(4, *budgetKills/2) }

func spendingAccount(n int) common.Address {
	return common.BigToAddress(uint256.NewInt(uint64(0xacc000 + n)).ToBig())
}

// spend sends until the process is killed.
func spend(t *testing.T, url string) {
	pool, err := pgxpool.New(t.Context(), pgtest.With(url, "pool_max_conns", "6"))
	require.NoError(t, err)
	store := open(t, pgtest.With(url, "pool_max_conns", "8"))
	s := &spender{pool: pool, box: store.Outbox(), holder: fmt.Sprint("spender ", os.Getpid())}
	var group errgroup.Group
	for n := range spendersEach {
		group.Go(func() error {
			random := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(n)))
			for {
				if err := s.once(t.Context(), random); err != nil {
					return err
				}
				if err := s.goOn(t.Context(), random, 2); err != nil {
					return err
				}
			}
		})
	}
	require.NoError(t, group.Wait())
}

// spender is one process.
type spender struct {
	pool   *pgxpool.Pool
	box    outbox.Outbox
	holder string
}

func (s *spender) lease() outbox.Lease { return outbox.Lease{Holder: s.holder, TTL: spendingLease} }

func spendingCharges(key common.Address, worst uint64) []outbox.Charge {
	charge := func(key common.Address, unit outbox.Unit, amount, limit uint64) outbox.Charge {
		return outbox.Charge{Counter: outbox.Counter{Key: key, Unit: unit}, Amount: *uint256.NewInt(amount), Limit: *uint256.NewInt(limit)}
	}
	return []outbox.Charge{
		charge(key, outbox.Gas, worst, dayOfKey),
		charge(common.Address{}, outbox.Operations, 1, dayOfSends),
		charge(common.Address{}, outbox.Gas, worst, dayOfGas),
		charge(common.Address{}, outbox.Value, worst, dayOfGas),
	}
}

// once makes one send, and leaves it at any point.
func (s *spender) once(ctx context.Context, random *rand.Rand) error {
	account, key := spendingAccount(random.IntN(spendingAccounts())), spendingKeys[random.IntN(len(spendingKeys))]
	b, worst := s.box.(outbox.Budgeter), 1+random.Uint64N(100)
	reserved, err := b.Reserve(ctx, 1, account, 0, spendingCharges(key, worst), spendingTTL)
	switch {
	case errors.Is(err, outbox.ErrOverBudget):
		time.Sleep(20 * time.Millisecond)
		return nil
	case err != nil:
		return err
	}
	switch random.IntN(20) {
	case 0:
		return nil // as if it crashed
	case 1:
		return b.Return(ctx, 1, account, reserved)
	}
	var nonce uint64
	if err := s.pool.QueryRow(ctx, `select nextval('nonces')`).Scan(&nonce); err != nil {
		return err
	}
	attempt := spendingAttempt(account, key, nonce, worst)
	attempt.Reserved = reserved
	entry, err := s.box.Record(ctx, outbox.Recording{
		Send:    outbox.Send{ChainID: 1, Account: account, EntryPoint: spendingEP, Key: fmt.Sprint(nonce), Kind: "send"},
		Attempt: attempt, Lease: s.lease(),
	})
	switch {
	case errors.Is(err, outbox.ErrReservation):
		return nil // it took too long
	case err != nil:
		return err
	}
	if random.IntN(10) == 0 { // given to nobody
		if err := s.box.Free(ctx, entry.ID, entry.Version); !errors.Is(err, outbox.ErrGiven) {
			return err
		}
		return nil
	}
	if random.IntN(5) == 0 {
		more := worst + random.Uint64N(20)
		next := spendingAttempt(account, key, nonce, more)
		next.Operation.CallGasLimit = *uint256.NewInt(1)
		next.Hash = next.Operation.Hash(spendingEP, 1)
		next.Reserved, err = b.Reserve(ctx, 1, account, entry.ID, spendingCharges(key, more), spendingTTL)
		if err == nil {
			added, err := s.box.AddAttempt(ctx, entry.ID, entry.Version, next, s.lease())
			if errors.Is(err, outbox.ErrConflict) || errors.Is(err, outbox.ErrSettled) || errors.Is(err, outbox.ErrReservation) {
				return b.Return(ctx, 1, account, next.Reserved)
			} else if err != nil {
				return err
			}
			entry = added
		} else if !errors.Is(err, outbox.ErrOverBudget) {
			return err
		}
	}
	return s.include(ctx, random, entry)
}

// spendingAttempt is an operation that may cost so much at most, which is its fee; its key is in its call.
func spendingAttempt(account, key common.Address, nonce, worst uint64) outbox.Attempt {
	op := &userop.Operation{Sender: account, Nonce: *uint256.NewInt(nonce), CallData: key[:], MaxFeePerGas: *uint256.NewInt(worst), Signature: []byte{1}}
	return outbox.Attempt{Operation: op, Hash: op.Hash(spendingEP, 1), Until: 1_900_000_000}
}

// include gives the entry's newest operation to the chain, which does what it likes, and settles the entry by
// that; or stops in between.
func (s *spender) include(ctx context.Context, random *rand.Rand, e *outbox.Entry) error {
	latest := e.Latest()
	state := outbox.StateLanded + outbox.State(random.IntN(3))
	cost := random.Uint64N(latest.Operation.MaxFeePerGas.Uint64() + 1)
	if random.IntN(20) == 0 {
		return nil // as if it crashed before
	}
	if _, err := s.pool.Exec(ctx, `insert into chain values ($1, $2, $3, $4, $5, $6) on conflict do nothing`,
		e.Account[:], int64(e.Nonce.Uint64()), latest.Hash[:], latest.Operation.CallData, int(state), int64(cost)); err != nil {
		return err
	}
	if random.IntN(20) == 0 {
		return nil // or after it
	}
	return s.settle(ctx, e)
}

// settle settles an entry by what the chain shows.
func (s *spender) settle(ctx context.Context, e *outbox.Entry) error {
	var hash []byte
	var state, cost int64
	err := s.pool.QueryRow(ctx, `select hash, state, cost from chain where account = $1 and nonce = $2`,
		e.Account[:], int64(e.Nonce.Uint64())).Scan(&hash, &state, &cost)
	if err != nil {
		return err
	}
	o := outbox.Outcome{State: outbox.State(state), Transaction: common.Hash{1}}
	if o.State.Included() {
		o.Hash, o.Cost = common.BytesToHash(hash), *uint256.NewInt(uint64(cost))
	} else {
		o.By = common.Hash{9}
	}
	_, err = s.box.Settle(ctx, e.ID, e.Version, o, outbox.Lease{})
	if errors.Is(err, outbox.ErrConflict) {
		return nil // somebody has it
	}
	return err
}

// goOn goes on with what others left.
func (s *spender) goOn(ctx context.Context, random *rand.Rand, limit int) error {
	entries, err := s.box.Claim(ctx, 1, s.lease(), limit)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.State != outbox.StateOpen {
			err = s.box.MarkReported(ctx, e.ID)
		} else {
			err = s.include(ctx, random, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settleAll settles what the killed processes left, and waits for the last reservations to be over.
func settleAll(t *testing.T, url string, store *pgstore.Store) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	defer pool.Close()
	s, random := &spender{pool: pool, box: store.Outbox(), holder: "last"}, rand.New(rand.NewPCG(15, 2))
	require.Eventually(t, func() bool {
		require.NoError(t, s.goOn(t.Context(), random, 1000))
		list, err := s.box.List(t.Context(), outbox.Query{State: outbox.StateOpen, Limit: 1})
		require.NoError(t, err)
		return len(list) == 0
	}, time.Minute, 50*time.Millisecond)
	time.Sleep(spendingTTL)
	for n := range spendingAccounts() { // who reserves next gives back what was lost
		b := s.box.(outbox.Budgeter)
		reserved, err := b.Reserve(t.Context(), 1, spendingAccount(n), 0, []outbox.Charge{
			{Counter: outbox.Counter{Unit: "a last one"}, Amount: *uint256.NewInt(1), Limit: *uint256.NewInt(1)},
		}, time.Hour)
		require.NoError(t, err)
		require.NoError(t, b.Return(t.Context(), 1, spendingAccount(n), reserved))
	}
}

// requireWithin requires that what the chain included is within every budget of the days since it began.
func requireWithin(t *testing.T, url string, began time.Time) {
	t.Helper()
	days := 1 + int64(outbox.Day(time.Now()).Sub(outbox.Day(began))/(24*time.Hour))
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	var ofAccount, ofKey, sends int64
	require.NoError(t, conn.QueryRow(t.Context(), `select coalesce(max(cost), 0), coalesce(max(sends), 0) from
		(select sum(cost) as cost, count(*) as sends from chain where state in (2, 3) group by account) as s`).Scan(&ofAccount, &sends))
	require.NoError(t, conn.QueryRow(t.Context(), `select coalesce(max(cost), 0) from
		(select sum(cost) as cost from chain where state in (2, 3) group by account, key) as s`).Scan(&ofKey))
	require.LessOrEqual(t, ofAccount, days*dayOfGas)
	require.LessOrEqual(t, ofKey, days*dayOfKey)
	require.LessOrEqual(t, sends, days*dayOfSends)
}

// requireCounted requires that the counters are what the chain shows.
func requireCounted(t *testing.T, url string, store *pgstore.Store) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	var all, spent int64
	for n := range spendingAccounts() {
		account := spendingAccount(n)
		list, err := store.Outbox().(outbox.Budgeter).Usage(t.Context(), 1, account)
		require.NoError(t, err)
		require.NotEmpty(t, list)
		for _, u := range list {
			require.Zero(t, u.Open.Sign(), "%s of %s are reserved", u.Open.Dec(), u.Counter)
			var cost, sends int64
			require.NoError(t, conn.QueryRow(t.Context(), `select coalesce(sum(cost), 0), count(*) from chain
				where account = $1 and state in (2, 3) and ($2 = '\x'::bytea or key = $2)`, account[:], keyOf(u.Key)).Scan(&cost, &sends))
			switch u.Unit {
			case outbox.Gas:
				require.Equal(t, uint64(cost), u.Total.Uint64(), "%s", u.Counter)
				spent = max(spent, cost)
			case outbox.Operations:
				require.Equal(t, uint64(sends), u.Total.Uint64(), "%s", u.Counter)
				all += sends
			}
		}
	}
	require.Greater(t, spent, int64(dayOfGas/2), "no budget was about to be spent")
	t.Logf("the chain included %d operations of %d accounts", all, spendingAccounts())
}

func keyOf(key common.Address) []byte {
	if key == (common.Address{}) {
		return []byte{}
	}
	return key[:]
}
