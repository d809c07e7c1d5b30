package pgstore_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
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
	spendingTTL   = time.Second
	spendingLease = 500 * time.Millisecond
)

var (
	spendingKeys  = []common.Address{common.HexToAddress("0x4e1"), common.HexToAddress("0x4e2")}
	spendingEP    = common.HexToAddress("0x5ff137d4b0fdcd49dca30c7cf57e578a026d2789")
	spendingToken = common.HexToAddress("0x70ce")

	// spendingDays are the budgets of a day, by the column of the chain that shows what was spent of it.
	spendingDays = []struct {
		unit         outbox.Unit
		shows        string
		account, key uint64
	}{
		{outbox.Operations, "1", 45, 30},
		{outbox.Gas, "cost", 1200, 800},
		{outbox.Value, "value", 120, 80},
		{outbox.TokenUnit(spendingToken), "tokens", 200, 130},
	}

	transferred = abi.MustParseFunction("function transfer(address to, uint256 amount)")
	approved    = abi.MustParseFunction("function approve(address spender, uint256 amount)")
)

// TestBudgetsUnderCrashes has three processes of many goroutines each spend the budgets of a few accounts, on
// a chain that is a table of the database: operations that send wei, transfer and approve tokens are
// included, revert, are replaced, run out of time or are never given away, and the processes are killed amid
// all that. What the chain includes never comes to more than a budget of a key or an account, and once all is
// settled the counters are what the chain shows, with nothing reserved.
func TestBudgetsUnderCrashes(t *testing.T) {
	if url := os.Getenv(spenderEnv); url != "" {
		spend(t, url) // is one of the processes, until it is killed
		return
	}
	url := server.URL(t)
	pgtest.Exec(t, url, `create table chain (account bytea, nonce bigint, hash bytea, key bytea, state int,
			cost bigint, value bigint, tokens bigint, primary key (account, nonce));
		create table refused (key bytea, unit text, primary key (key, unit)); create sequence nonces`)
	store, began := open(t, url), time.Now()
	random := rand.New(rand.NewPCG(15, 1))
	running := make([]*exec.Cmd, spenders)
	start := func(i int) {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", fmt.Sprint("-budget-kills=", *budgetKills))
		cmd.Env = append(os.Environ(), spenderEnv+"="+url)
		said := new(bytes.Buffer)
		cmd.Stdout, cmd.Stderr = said, said
		require.NoError(t, cmd.Start())
		running[i] = cmd
	}
	end := func(i int) {
		cmd := running[i]
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		assert.False(t, cmd.ProcessState.Exited(), "it ended by itself: %s", cmd.Stdout)
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
	requireRefused(t, url) // however slow the machine
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

// spendingCalls are the calls of one operation, and what they come to by the units.
func spendingCalls(random *rand.Rand) ([]abi.Call, map[outbox.Unit]uint64) {
	calls := []abi.Call{{To: common.Address{1}}}
	spends := map[outbox.Unit]uint64{outbox.Operations: 1}
	for range random.IntN(3) {
		value := random.Uint64N(12)
		calls = append(calls, abi.Call{To: common.Address{2}, Value: *uint256.NewInt(value)})
		spends[outbox.Value] += value
	}
	for range random.IntN(3) {
		function, amount := transferred, random.Uint64N(20)
		if random.IntN(2) == 0 {
			function = approved
		}
		data, err := function.Pack(common.Address{3}, amount)
		if err != nil {
			panic(err)
		}
		calls = append(calls, abi.Call{To: spendingToken, Data: data})
		spends[outbox.TokenUnit(spendingToken)] += amount
	}
	return calls, spends
}

// spent is what the chain finds in an operation that it includes.
func spent(op *userop.Operation) (value, tokens int64, err error) {
	calls, err := contracts.DecodeExecute(op.CallData)
	for i := range calls {
		value += int64(calls[i].Value.Uint64())
		if calls[i].To != spendingToken {
			continue
		}
		function := transferred
		if selector := approved.Selector(); bytes.HasPrefix(calls[i].Data, selector[:]) {
			function = approved
		}
		arguments, err := function.Unpack(calls[i].Data)
		if err != nil {
			return 0, 0, err
		}
		tokens += arguments[1].(*big.Int).Int64()
	}
	return value, tokens, err
}

func spendingCharges(key common.Address, spends map[outbox.Unit]uint64, worst uint64) (charges []outbox.Charge) {
	for _, day := range spendingDays {
		amount := spends[day.unit]
		if day.unit == outbox.Gas {
			amount = worst
		}
		if amount == 0 {
			continue
		}
		charges = append(charges,
			outbox.Charge{Counter: outbox.Counter{Key: key, Unit: day.unit}, Amount: *uint256.NewInt(amount), Limit: *uint256.NewInt(day.key)},
			outbox.Charge{Counter: outbox.Counter{Unit: day.unit}, Amount: *uint256.NewInt(amount), Limit: *uint256.NewInt(day.account)})
	}
	return charges
}

// once makes one send, and leaves it at any point.
func (s *spender) once(ctx context.Context, random *rand.Rand) error {
	account, key := spendingAccount(random.IntN(spendingAccounts())), spendingKeys[random.IntN(len(spendingKeys))]
	b, worst := s.box.(outbox.Budgeter), 1+random.Uint64N(100)
	calls, spends := spendingCalls(random)
	reserved, err := b.Reserve(ctx, 1, account, 0, spendingCharges(key, spends, worst), spendingTTL)
	var over *outbox.OverBudgetError
	switch {
	case errors.As(err, &over):
		_, err := s.pool.Exec(ctx, `insert into refused values ($1, $2) on conflict do nothing`, keyOf(over.Charge.Key), string(over.Charge.Unit))
		time.Sleep(20 * time.Millisecond)
		return err
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
	attempt := spendingAttempt(account, key, calls, nonce, worst)
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
		next := spendingAttempt(account, key, calls, nonce, more)
		next.Operation.CallGasLimit = *uint256.NewInt(1)
		next.Hash = next.Operation.Hash(spendingEP, 1)
		next.Reserved, err = b.Reserve(ctx, 1, account, entry.ID, spendingCharges(key, spends, more), spendingTTL)
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

// spendingAttempt is an operation that may cost so much at most, which is its fee; its key is its signature.
func spendingAttempt(account, key common.Address, calls []abi.Call, nonce, worst uint64) outbox.Attempt {
	op := &userop.Operation{
		Sender: account, Nonce: *uint256.NewInt(nonce), CallData: contracts.ExecuteBatch(calls),
		MaxFeePerGas: *uint256.NewInt(worst), Signature: key[:],
	}
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
	var value, tokens int64 // of what reverts, nothing
	if state == outbox.StateLanded {
		var err error
		if value, tokens, err = spent(latest.Operation); err != nil {
			return err
		}
	}
	if _, err := s.pool.Exec(ctx, `insert into chain values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`,
		e.Account[:], int64(e.Nonce.Uint64()), latest.Hash[:], latest.Operation.Signature, int(state), int64(cost), value, tokens); err != nil {
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
	for _, day := range spendingDays {
		for by, most := range map[string]uint64{"account": day.account, "account, key": day.key} {
			var spent int64
			require.NoError(t, conn.QueryRow(t.Context(), fmt.Sprintf(`select coalesce(max(spent), 0) from
				(select sum(%s) as spent from chain where state in (2, 3) group by %s) as s`, day.shows, by)).Scan(&spent))
			require.LessOrEqual(t, spent, days*int64(most), "%s by %s", day.unit, by)
		}
	}
}

// requireRefused requires that each budget comes to refuse something.
func requireRefused(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	for _, day := range spendingDays {
		refused := false
		for end := time.Now().Add(2 * time.Minute); !refused; time.Sleep(100 * time.Millisecond) {
			require.NoError(t, conn.QueryRow(t.Context(), `select exists (select from refused where unit = $1)`, string(day.unit)).Scan(&refused))
			require.True(t, refused || time.Now().Before(end), "no budget of %s was about to be spent", day.unit)
		}
	}
}

// requireCounted requires that the counters are what the chain shows, and that nothing is reserved.
func requireCounted(t *testing.T, url string, store *pgstore.Store) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	var included, reserved int64
	counted := make(map[outbox.Unit]uint64)
	for n := range spendingAccounts() {
		account := spendingAccount(n)
		list, err := store.Outbox().(outbox.Budgeter).Usage(t.Context(), 1, account)
		require.NoError(t, err)
		have := make(map[outbox.Counter]outbox.Usage)
		for _, u := range list {
			require.Zero(t, u.Open.Sign(), "%s of %s are reserved", u.Open.Dec(), u.Counter)
			have[u.Counter] = u
		}
		for _, key := range append(slices.Clone(spendingKeys), common.Address{}) {
			for _, day := range spendingDays {
				var spent int64
				require.NoError(t, conn.QueryRow(t.Context(), fmt.Sprintf(`select coalesce(sum(%s), 0) from chain
					where account = $1 and state in (2, 3) and ($2 = '\x'::bytea or key = $2)`, day.shows), account[:], keyOf(key)).Scan(&spent))
				u := have[outbox.Counter{Key: key, Unit: day.unit}]
				require.Equal(t, uint64(spent), u.Total.Uint64(), "%s of key %s of account %d", day.unit, key, n)
				if key == (common.Address{}) {
					counted[day.unit] += u.Total.Uint64()
				}
			}
		}
	}
	require.NoError(t, conn.QueryRow(t.Context(), `select count(*), (select count(*) from sesame_reserved) from chain where state in (2, 3)`).Scan(&included, &reserved))
	require.Zero(t, reserved)
	t.Logf("the chain included %d operations of %d accounts, which spent %v", included, spendingAccounts(), counted)
}

func keyOf(key common.Address) []byte {
	if key == (common.Address{}) {
		return []byte{}
	}
	return key[:]
}
