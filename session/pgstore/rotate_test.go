package pgstore_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storekit"
)

// openWith opens a store with a Sealer, closed after the test.
func openWith(t *testing.T, url string, sealer seal.AEAD) *pgstore.Store {
	t.Helper()
	store, err := pgstore.Open(t.Context(), url, pgstore.Config{Sealer: sealer})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// newKeys makes so many keys.
func newKeys(t *testing.T, store *pgstore.Store, n int) (keys []common.Address) {
	t.Helper()
	for range n {
		key, err := store.NewKey(t.Context(), testRef)
		require.NoError(t, err)
		keys = append(keys, key)
	}
	return keys
}

// sign lets the store sign with a key and looks whose signature it is.
func sign(ctx context.Context, store *pgstore.Store, key common.Address) error {
	digest := common.Hash{1}
	sig, err := store.SignDigest(ctx, session.SignRequest{Ref: testRef, Key: key, Digest: digest})
	if err == nil {
		err = storekit.CheckSignature(sig, digest, key)
	}
	return err
}

func requireAllSign(t *testing.T, store *pgstore.Store, keys []common.Address) {
	t.Helper()
	for _, key := range keys {
		require.NoError(t, sign(t.Context(), store, key))
	}
}

func TestRotate(t *testing.T) {
	url := server.URL(t)
	store := openWith(t, url, newSealer('a'))
	keys := newKeys(t, store, 450)
	before := query(t, url, `select string_agg(encode(sealed, 'hex'), ' ' order by address) from sesame_keys`)

	require.NoError(t, store.Rotate(t.Context(), newSealer('b')))
	require.NotEqual(t, before, query(t, url, `select string_agg(encode(sealed, 'hex'), ' ' order by address) from sesame_keys`))
	require.Equal(t, "2", query(t, url, `select string_agg(id::text, ' ') from sesame_data_keys`), "the old data key is gone")
	require.Equal(t, "2", query(t, url, `select string_agg(distinct data_key::text, ' ') from sesame_keys`))
	requireAllSign(t, store, keys)
	keys = append(keys, newKeys(t, store, 1)...)
	requireAllSign(t, openWith(t, url, newSealer('b')), keys)

	_, err := pgstore.Open(t.Context(), url, pgstore.Config{Sealer: newSealer('a')})
	require.ErrorIs(t, err, seal.ErrOpen)
	require.ErrorContains(t, err, "data key 2 was sealed by another Sealer than the store was opened with; open it with that, or with a seal.Any of both")
}

func TestRotateRefused(t *testing.T) {
	url := server.URL(t)
	store := openWith(t, url, newSealer('a'))
	keys := newKeys(t, store, 1)
	require.ErrorContains(t, store.Rotate(t.Context(), oneWay{newSealer('b')}), "the Sealer does not open what it sealed")
	require.ErrorIs(t, store.Rotate(t.Context(), nil), policy.ErrInvalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, store.Rotate(ctx, newSealer('b')), context.Canceled)
	require.Equal(t, "1", query(t, url, `select string_agg(id::text, ' ') from sesame_data_keys`))
	requireAllSign(t, openWith(t, url, newSealer('a')), keys)

	none := openWith(t, url, nil)
	require.ErrorIs(t, none.Rotate(t.Context(), newSealer('b')), seal.ErrNoSealer)
}

// oneWay seals and never opens.
type oneWay struct{ seal.AEAD }

func (oneWay) Decrypt(_, _ []byte) ([]byte, error) { return nil, seal.ErrOpen }

// TestRotateInterrupted stops a rotation in the middle. Every key is there, the store goes on, and the next
// start takes the rotation up again.
func TestRotateInterrupted(t *testing.T) {
	url := server.URL(t)
	store := openWith(t, url, newSealer('a'))
	keys := newKeys(t, store, 450)
	pgtest.Exec(t, url, `create sequence rotated; create function stop() returns trigger language plpgsql as $$ begin
			if nextval('rotated') > 300 then raise exception 'made up'; end if; return new;
		end $$;
		create trigger stop before update on sesame_keys for each row execute function stop()`)
	require.ErrorContains(t, store.Rotate(t.Context(), newSealer('b')), "rotate session keys; none is lost, call Rotate again: ERROR: made up")
	require.Equal(t, "1 2", query(t, url, `select string_agg(id::text, ' ' order by id) from sesame_data_keys`))
	require.Equal(t, "200", query(t, url, `select count(*)::text from sesame_keys where data_key = 2`), "one page was done")
	requireAllSign(t, store, keys)
	pgtest.Exec(t, url, `drop trigger stop on sesame_keys`)

	half := openWith(t, url, newSealer('b'))
	wrong := 0
	for _, key := range keys {
		if err := sign(t.Context(), half, key); err != nil {
			require.ErrorIs(t, err, seal.ErrOpen)
			wrong++
		}
	}
	require.Equal(t, 250, wrong, "the new Sealer alone does not open the keys that are left")
	again := openWith(t, url, seal.Any{newSealer('b'), newSealer('a')})
	requireAllSign(t, again, keys)
	require.NoError(t, again.Rotate(t.Context(), newSealer('b')))
	require.Equal(t, "3", query(t, url, `select string_agg(id::text, ' ' order by id) from sesame_data_keys`))
	requireAllSign(t, openWith(t, url, newSealer('b')), keys)
}

// TestRotateWhileInUse rotates again and again under two other stores that sign and make keys.
func TestRotateWhileInUse(t *testing.T) {
	url := server.URL(t)
	both := seal.Any{newSealer('a'), newSealer('b')}
	store := openWith(t, url, both)
	keys := newKeys(t, store, 20)
	var done atomic.Bool
	var made atomic.Int64
	var group errgroup.Group
	for range 2 {
		other := openWith(t, url, both)
		group.Go(func() error {
			for n := 0; !done.Load(); n++ {
				key, err := other.NewKey(t.Context(), testRef)
				if err == nil {
					made.Add(1)
					err = errors.Join(sign(t.Context(), other, key), sign(t.Context(), other, keys[n%len(keys)]))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	for n := range 10 {
		require.NoError(t, store.Rotate(t.Context(), newSealer("ab"[n%2])))
	}
	done.Store(true)
	require.NoError(t, group.Wait())
	all, err := store.Keys(t.Context(), testRef)
	require.NoError(t, err)
	require.Len(t, all, len(keys)+int(made.Load()))
	requireAllSign(t, openWith(t, url, both), all)
}

func TestRotationsAtOnce(t *testing.T) {
	url := server.URL(t)
	both := seal.Any{newSealer('a'), newSealer('b')}
	stores := []*pgstore.Store{openWith(t, url, both), openWith(t, url, both)}
	keys := newKeys(t, stores[0], 50)
	var complete atomic.Int64
	var group errgroup.Group
	for n := range 8 {
		group.Go(func() error {
			err := stores[n%2].Rotate(t.Context(), newSealer('a'))
			if errors.Is(err, session.ErrConflict) {
				return nil
			}
			complete.Add(1)
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.NotZero(t, complete.Load())
	requireAllSign(t, openWith(t, url, newSealer('a')), keys)
}
