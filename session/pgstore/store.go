package pgstore

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storekit"
)

// Store keeps sessions and sealed session keys in a PostgreSQL database. It is a [session.FullStore] whose
// keys sign in this process ([session.LocalKeyring]) and can be handed out ([session.KeySealer]), safe for
// concurrent use. Any number of them, in any number of processes, may work on one database. Close it after
// use.
type Store struct {
	pool   *pgxpool.Pool
	owned  bool // pool is closed with the store
	closed atomic.Bool
	// timeout bounds each round trip, lockTime what waits for whoever holds or changes an account's sessions:
	// the one that holds them, the server's grace for one that died, and the round trip itself.
	timeout, lockTime time.Duration
	// waits has room for as many as may hold an account's sessions, or wait to change them, at once: one less
	// than the pool has connections, so that there always is one for what is done while they are held, such
	// as reading a key. If all of them waited for whoever holds sessions, none would go on.
	waits chan struct{}

	keys  keyring
	sends *sends
}

var (
	_ session.FullStore    = (*Store)(nil)
	_ session.LocalKeyring = (*Store)(nil)
	_ session.KeySealer    = (*Store)(nil)
	_ storekit.Recorder    = (*Store)(nil)
)

// Config says how a store is opened.
type Config struct {
	// Sealer seals the data key under which session keys are stored. Without it the store keeps sessions, and
	// its methods of [session.Keyring] return errors matching [seal.ErrNoSealer]. It stays the caller's to
	// wipe.
	Sealer seal.AEAD
	// Timeout bounds each round trip to the database, so that one which does not answer hangs nothing whose
	// context has no deadline: 10 s by default. Making and opening a connection counts; what waits for an
	// account's sessions while they are held may take [session.MaxHold] more.
	Timeout time.Duration
}

// Open connects to the database that a URL or a key=value string names, as libpq takes them, brings its
// schema up to date and returns a store with a connection pool of its own.
//
// Settings such as search_path and pool_max_conns (2 at least, 4 or the number of CPUs by default) go into
// the string, and what it leaves open is read from the environment variables of libpq. A string that names
// nothing is an error: no server of the environment stands in for it. Of several hosts, one that takes writes
// is chosen: a standby cannot say what is revoked. No error shows the password.
//
// A string that cannot be read is an error matching [policy.ErrInvalid], a schema of a newer version one
// matching [ErrSchema], and a Sealer that does not open the keys one matching [seal.ErrOpen].
func Open(ctx context.Context, connString string, config Config) (*Store, error) {
	parsed, err := parse(connString)
	if err != nil {
		return nil, err
	}
	if parsed.ConnConfig.ValidateConnect == nil {
		parsed.ConnConfig.ValidateConnect = requirePrimary
	}
	if parsed.ConnConfig.ConnectTimeout == 0 { // who waits for it gives up earlier, but the pool goes on
		parsed.ConnConfig.ConnectTimeout = cmp.Or(config.Timeout, defaultTimeout)
	}
	pool, err := pgxpool.NewWithConfig(ctx, parsed)
	if err != nil {
		return nil, explain("open session store", parsed.ConnConfig, err)
	}
	store, err := New(ctx, pool, config)
	if err != nil {
		pool.Close()
		return nil, err
	}
	store.owned = true
	return store, nil
}

// given is the sealer, nil for a nil pointer, too: a variable that was never set.
func given(sealer seal.AEAD) seal.AEAD {
	if ability.Missing(sealer) {
		return nil
	}
	return sealer
}

// New is [Open] on a pool of the caller's, which the caller closes after the store. The pool should serve
// this store alone, and must not connect to a standby: signers hold one connection each while their key is
// read on another, and the store counts on all but its own being free.
func New(ctx context.Context, pool *pgxpool.Pool, config Config) (*Store, error) {
	connections := pool.Config().MaxConns
	if connections < 2 {
		return nil, fmt.Errorf("%w: open session store on a pool of one connection; set pool_max_conns to 2 or more: sessions are held on one while a key is read on another", policy.ErrInvalid)
	}
	if config.Timeout < 0 {
		return nil, fmt.Errorf("%w: open session store with a timeout of %s", policy.ErrInvalid, config.Timeout)
	}
	s := &Store{
		pool:    pool,
		timeout: cmp.Or(config.Timeout, defaultTimeout),
		waits:   make(chan struct{}, connections-1),
		keys:    keyring{sealer: given(config.Sealer), rotating: make(chan struct{}, 1)},
	}
	s.sends = &sends{s}
	s.lockTime = s.timeout + session.MaxHold + grace
	if err := s.migrate(ctx, migrations); err != nil {
		return nil, err
	}
	if err := s.unlock(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Close waits for the calls that are under way, closes the store's own pool and wipes the keys in memory.
// Calls after it return an error matching [session.ErrClosed].
func (s *Store) Close() error {
	s.closed.Store(true)
	if s.owned {
		s.pool.Close()
	}
	s.keys.wipe()
	return nil
}

// check returns an error if nothing can be done for ref here, or any more.
func (s *Store) check(ctx context.Context, ref session.Ref) error {
	if err := s.checkOpen(ctx); err != nil {
		return err
	}
	if err := ref.Validate(); err != nil {
		return err
	}
	return checkChain(ref.ChainID)
}

// checkChain refuses what a bigint cannot hold.
func checkChain(id uint64) error {
	if id > math.MaxInt64 {
		return fmt.Errorf("%w: chain ID %d is beyond what the database holds, %d", policy.ErrInvalid, id, math.MaxInt64)
	}
	return nil
}

func (s *Store) checkOpen(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return session.ErrClosed
	}
	return nil
}

const storeName = "pgstore.Store"

// String says what it is: no connection string, no key.
func (s *Store) String() string { return storeName }

// GoString returns [Store.String].
func (s *Store) GoString() string { return storeName }

// Format writes [Store.String] whatever the verb.
func (s *Store) Format(f fmt.State, _ rune) { fmt.Fprint(f, storeName) }

// LogValue logs [Store.String].
func (s *Store) LogValue() slog.Value { return slog.StringValue(storeName) }
