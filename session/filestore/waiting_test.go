package filestore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/internal/filelock"
	"github.com/go-sesame/sesame/userop/outbox"
)

// crowd are changes of one store that come while another process has its data.
type crowd struct {
	t      *testing.T
	store  *Store
	unlock func()
	errs   []chan error
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	store := testOpen(t, testDir(t), testSealer(t, 1))
	_, err := store.Apply(t.Context(), testRef, 0, &session.Change{Put: []session.Leaf{testLeaf(0)}})
	require.NoError(t, err)
	c := &crowd{t: t, store: store}
	c.lock()
	return c
}

// lock has changes wait from now on.
func (c *crowd) lock() {
	c.t.Helper()
	unlock, err := filelock.RW{Path: filepath.Join(c.store.dir, dataLockName)}.Lock(context.Background())
	require.NoError(c.t, err)
	c.unlock = sync.OnceFunc(unlock)
	c.t.Cleanup(c.unlock)
}

// come has a change wait behind those that came before.
func (c *crowd) come(change func() error) {
	c.t.Helper()
	result := make(chan error, 1)
	c.errs = append(c.errs, result)
	before := c.waiting()
	go func() { result <- change() }()
	require.Eventually(c.t, func() bool { return c.waiting() == before+1 }, 10*time.Second, time.Millisecond)
}

func (c *crowd) waiting() int {
	w := &c.store.file.(*writer).waiting
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.requests)
}

// let has them be made, and returns what each was told.
func (c *crowd) let() (errs []error) {
	c.unlock()
	for _, result := range c.errs {
		errs = append(errs, <-result)
	}
	return errs
}

func (c *crowd) apply(ctx context.Context, n int, version uint64) func() error {
	return func() error {
		got, err := c.store.Apply(ctx, benchRef(n), version, &session.Change{Put: []session.Leaf{testLeaf(n)}})
		if err == nil && got != version+1 {
			return errors.New("another version")
		}
		return err
	}
}

// commits is the number of the last commit.
func (c *crowd) commits() (n int) {
	c.t.Helper()
	require.NoError(c.t, c.store.file.view(c.t.Context(), func(tx *bbolt.Tx) error { n = tx.ID(); return nil }))
	return n
}

// requireStored looks for the accounts, and those alone, in what is on disk.
func (c *crowd) requireStored(want ...int) {
	c.t.Helper()
	require.NoError(c.t, c.store.Close())
	stored, err := OpenReadOnly(c.store.dir, Config{})
	require.NoError(c.t, err)
	defer func() { require.NoError(c.t, stored.Close()) }()
	have := []int{}
	for n := range 100 {
		if state, err := stored.Load(c.t.Context(), benchRef(n)); err == nil {
			require.Equal(c.t, []session.Leaf{testLeaf(n)}, state.Leaves)
			have = append(have, n)
		}
	}
	require.Equal(c.t, append([]int{}, want...), have)
}

func TestChangesThatWaitAreOneCommit(t *testing.T) {
	c := newCrowd(t)
	before := c.commits()
	var want []int
	for n := 1; n <= 30; n++ {
		c.come(c.apply(t.Context(), n, 0))
		want = append(want, n)
	}
	for _, err := range c.let() {
		require.NoError(t, err)
	}
	require.Equal(t, before+1, c.commits())
	require.NoError(t, c.apply(t.Context(), 1, 1)())
	require.NoError(t, c.apply(t.Context(), 1, 2)())
	require.Equal(t, before+3, c.commits(), "one after the other, each is a commit")
	c.requireStored(want...)
}

// One that is refused, and one that bbolt panics in, leave nothing behind and change nothing for the others,
// which hear of what they did once.
func TestOneOfThoseThatWaitIsRefused(t *testing.T) {
	refused := errors.New("refused")
	spoil := func(end func() error) func(*Store) error {
		return func(s *Store) error {
			return s.file.update(t.Context(), func(tx *bbolt.Tx) error {
				if err := apply(tx, benchRef(50), 0, &session.Change{Put: []session.Leaf{testLeaf(50)}}); err != nil {
					return err
				}
				return end()
			})
		}
	}
	for name, test := range map[string]struct {
		spoil func(*Store) error
		want  error
	}{
		"error":    {spoil(func() error { return refused }), refused},
		"panic":    {spoil(func() error { panic("assertion failed") }), session.ErrDamaged},
		"conflict": {func(s *Store) error { _, err := s.Apply(t.Context(), testRef, 0, &session.Change{}); return err }, session.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCrowd(t)
			c.unlock()
			entry, err := c.store.Outbox().Record(t.Context(), sendOf("a", 1))
			require.NoError(t, err)
			c.lock()

			var renewed []uint64
			var second *outbox.Entry
			c.come(c.apply(t.Context(), 1, 0))
			c.come(func() (err error) {
				renewed, err = c.store.box.Renew(t.Context(), sendOf("a", 1).Lease, entry.ID)
				return err
			})
			c.come(func() (err error) {
				second, err = c.store.box.Record(t.Context(), sendOf("b", 2))
				return err
			})
			c.come(func() error { return test.spoil(c.store) })
			c.come(c.apply(t.Context(), 2, 0))
			errs := c.let()
			for i, err := range errs {
				if i == 3 {
					require.ErrorIs(t, err, test.want)
				} else {
					require.NoError(t, err, i)
				}
			}
			require.Equal(t, []uint64{entry.ID}, renewed)
			require.Equal(t, entry.ID+1, second.ID)
			require.NoError(t, c.store.file.view(t.Context(), checkAll))
			c.requireStored(1, 2)
		})
	}
}

// Whoever gives up while the change still waits has changed nothing, also if the others waited for the lock
// through him.
func TestAChangeThatWaitsIsWithdrawn(t *testing.T) {
	for name, gone := range map[string]int{"first": 0, "amid": 1, "last": 2} {
		t.Run(name, func(t *testing.T) {
			c := newCrowd(t)
			ctx, cancel := context.WithCancel(t.Context())
			var want []int
			for n := range 3 {
				if n == gone {
					c.come(c.apply(ctx, 1+n, 0))
				} else {
					c.come(c.apply(t.Context(), 1+n, 0))
					want = append(want, 1+n)
				}
			}
			cancel()
			err := <-c.errs[gone]
			require.ErrorIs(t, err, context.Canceled)
			c.errs[gone] <- nil
			for _, err := range c.let() {
				require.NoError(t, err)
			}
			c.requireStored(want...)
		})
	}
}

// Whoever gives up while the change is made is told what became of it.
func TestAChangeThatIsMadeIsNotWithdrawn(t *testing.T) {
	c := newCrowd(t)
	ctx, cancel := context.WithCancel(t.Context())
	making, goon := make(chan struct{}), make(chan struct{})
	c.come(c.apply(t.Context(), 1, 0))
	c.come(func() error {
		return c.store.file.update(ctx, func(tx *bbolt.Tx) error {
			close(making)
			<-goon
			return apply(tx, benchRef(2), 0, &session.Change{Put: []session.Leaf{testLeaf(2)}})
		})
	})
	c.unlock()
	<-making
	cancel()
	select {
	case err := <-c.errs[1]:
		t.Errorf("it returned before it was known: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(goon)
	for _, err := range c.let() {
		require.NoError(t, err)
	}
	c.requireStored(1, 2)
}

// More than are made together are made by those that come after, also where the one of the last has the turn
// first.
func TestManyChangesThatWait(t *testing.T) {
	c := newCrowd(t)
	before := c.commits()
	w := c.store.file.(*writer)
	w.turn <- struct{}{}
	var want []int
	for n := 1; n <= mostTogether+5; n++ {
		c.come(c.apply(t.Context(), n, 0))
		want = append(want, n)
	}
	w.waiting.mu.Lock()
	w.waiting.requests = append(w.waiting.requests[1:], w.waiting.requests[0])
	w.waiting.mu.Unlock()
	<-w.turn
	for _, err := range c.let() {
		require.NoError(t, err)
	}
	require.Equal(t, before+2, c.commits())
	c.requireStored(want...)
}

// Those that are refused cost the others a commit no more.
func TestManyAreRefused(t *testing.T) {
	c := newCrowd(t)
	before := c.commits()
	var want []int
	for n := 1; n <= 40; n++ {
		if n%3 == 0 {
			c.come(c.apply(t.Context(), n, 7))
			continue
		}
		c.come(c.apply(t.Context(), n, 0))
		want = append(want, n)
	}
	for i, err := range c.let() {
		if (i+1)%3 == 0 {
			require.ErrorIs(t, err, session.ErrConflict)
		} else {
			require.NoError(t, err)
		}
	}
	require.Equal(t, before+1, c.commits())
	c.requireStored(want...)
}

// What could not be begun, as the data cannot be opened or the store is closed, all are told.
func TestThoseThatWaitAreToldWhy(t *testing.T) {
	c := newCrowd(t)
	w := c.store.file.(*writer)
	w.mu.Lock()
	require.NoError(t, w.closeDB())
	w.openFile = func(name string, _ int, _ os.FileMode) (*os.File, error) {
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EACCES}
	}
	w.mu.Unlock()
	for n := range 3 {
		c.come(c.apply(t.Context(), 1+n, 0))
	}
	for _, err := range c.let() {
		require.ErrorIs(t, err, os.ErrPermission)
	}
	w.mu.Lock()
	w.openFile = os.OpenFile
	w.mu.Unlock()
	require.NoError(t, c.apply(t.Context(), 1, 0)(), "and it goes on")

	c.lock()
	c.errs = nil
	for range 2 { // which hold no account, for whose release a Close waits
		c.come(func() error { return c.store.box.Release(t.Context(), "worker 1", 1) })
	}
	require.NoError(t, c.store.Close())
	for _, err := range c.let() {
		require.ErrorIs(t, err, session.ErrClosed)
	}
	c.requireStored(1)
}

// BenchmarkAddTogether adds sessions durably, many at once.
func BenchmarkAddTogether(b *testing.B) {
	store, next := benchStore(b), make(chan int)
	go func() {
		defer close(next)
		for n := range b.N {
			next <- 1 + benchSessions + n
		}
	}()
	b.ResetTimer()
	done := make(chan error)
	const workers = 32
	for range workers {
		go func() {
			var err error
			for n := range next {
				_, failed := store.Apply(b.Context(), benchRef(n), 0, &session.Change{Put: []session.Leaf{testLeaf(n)}})
				err = errors.Join(err, failed)
			}
			done <- err
		}()
	}
	for range workers {
		require.NoError(b, <-done)
	}
}
