package pgstore_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

const (
	signerEnv      = "SESAME_PGSTORE_SIGNER_URL"
	sharedSessions = 12 // leaves that one process signs with and the other revokes
	signersAtOnce  = 3
)

// TestRevokeWhileAnotherProcessSigns has one process sign as fast as it can and another one revoke. The
// database counts moments for both: none of the signatures may be of a moment after its leaf's tombstone was
// committed.
func TestRevokeWhileAnotherProcessSigns(t *testing.T) {
	if url := os.Getenv(signerEnv); url != "" {
		signUntilRevoked(t, url) // is the other process
		return
	}
	url := server.URL(t)
	pgtest.Exec(t, url, `create sequence moments; create table signed (moment bigint, leaf bigint, process bigint)`)
	store := open(t, url)
	leaves := grantShared(t, store)
	said := startSigner(t, url)
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	defer pool.Close()

	for n, leaf := range leaves {
		awaitSignatures(t, pool, n, 1)
		leaf.Status = session.StatusRevoked
		state, err := store.Load(t.Context(), testRef)
		require.NoError(t, err)
		_, err = store.Apply(t.Context(), testRef, state.Version, &session.Change{Header: state.Header, Put: []session.Leaf{leaf}})
		require.NoError(t, err)

		var committed, late int64
		require.NoError(t, pool.QueryRow(t.Context(), `select nextval('moments')`).Scan(&committed))
		require.True(t, said.Scan(), "the signing process ended")
		require.Equal(t, fmt.Sprint("refused ", n), said.Text(), "every signer is told")
		require.NoError(t, pool.QueryRow(t.Context(), `select count(*) from signed where leaf = $1 and moment > $2`, n, committed).Scan(&late))
		require.Zero(t, late, "signatures after the tombstone of leaf %d was committed", n)
	}
}

// grantShared stores active leaves of one key, which the store keeps.
func grantShared(t *testing.T, store *pgstore.Store) []session.Leaf {
	t.Helper()
	key, err := store.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	leaves := newLeaves(0, sharedSessions)
	for i := range leaves {
		leaves[i].Key = key
	}
	_, err = store.Apply(t.Context(), testRef, 0, &session.Change{Header: session.Header{Root: rootOf(leaves...)}, Put: leaves})
	require.NoError(t, err)
	return leaves
}

// startSigner starts this test as another process and returns what it says.
func startSigner(t *testing.T, url string) *bufio.Scanner {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), signerEnv+"="+url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return bufio.NewScanner(out)
}

// awaitSignatures waits until leaf n is in use by so many processes.
func awaitSignatures(t *testing.T, pool *pgxpool.Pool, n, processes int) {
	t.Helper()
	require.Eventually(t, func() bool {
		var count, by int
		err := pool.QueryRow(t.Context(), `select count(*), count(distinct process) from signed where leaf = $1`, n).Scan(&count, &by)
		return err == nil && count >= 10 && by == processes
	}, time.Minute, time.Millisecond)
}

// noting is a keyring that writes down when it signed for which leaf, while the store is held.
type noting struct {
	session.Keyring
	pool *pgxpool.Pool
}

func (n noting) SignDigest(ctx context.Context, req session.SignRequest) ([]byte, error) {
	sig, err := n.Keyring.SignDigest(ctx, req)
	time.Sleep(time.Millisecond) // gives a wrong store the chance to show it
	leaf := binary.BigEndian.Uint64(req.Operation.CallData)
	_, noteErr := n.pool.Exec(ctx, `insert into signed values (nextval('moments'), $1, $2)`, leaf, os.Getpid())
	return sig, errors.Join(err, noteErr)
}

// signUntilRevoked signs with one leaf after the other, each until it is refused.
func signUntilRevoked(t *testing.T, url string) {
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	defer pool.Close()
	store := open(t, url)
	sess, err := session.Open(t.Context(), store, testRef, session.WithKeyring(noting{store, pool}))
	require.NoError(t, err)
	for n := range sharedSessions {
		var group errgroup.Group
		for range signersAtOnce {
			group.Go(func() error { return signWith(t.Context(), sess, n) })
		}
		require.NoError(t, group.Wait())
		fmt.Println("refused", n)
	}
}

// signWith signs with leaf n until it is revoked.
func signWith(ctx context.Context, sess *session.Sessions, n int) error {
	signer, err := session.NewSigner(policy.Modules{}, sess.Leaf(n))
	if err != nil {
		return err
	}
	op := &userop.Operation{Sender: testRef.Account, CallData: binary.BigEndian.AppendUint64(nil, uint64(n))}
	for {
		hash := op.Hash(common.Address{1}, testRef.ChainID)
		_, err := signer.Sign(ctx, op, crypto.Keccak256Hash(hash[:]))
		switch {
		case errors.Is(err, session.ErrRevoked):
			return nil
		case err != nil:
			return err
		}
	}
}
