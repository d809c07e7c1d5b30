package pgstore_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// stoppedSigners is how many processes sign while the switch is thrown.
const stoppedSigners = 3

// TestStopWhileOtherProcessesSign has some processes sign as fast as they can and another one throw the kill
// switch, for all that it can be about. The database counts moments for all: none of the signatures may be of
// a moment after the stop was committed.
func TestStopWhileOtherProcessesSign(t *testing.T) {
	if url := os.Getenv(signerEnv); url != "" {
		signUntilStopped(t, url) // is the other process
		return
	}
	url := server.URL(t)
	pgtest.Exec(t, url, `create sequence moments; create table signed (moment bigint, leaf bigint, process bigint)`)
	store := open(t, url)
	key := grantShared(t, store)[0].Key
	var said []*bufio.Scanner
	for range stoppedSigners {
		said = append(said, startSigner(t, url))
	}
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	defer pool.Close()

	abouts := []session.Stop{{}, {Ref: testRef}, {Key: key}, {Ref: testRef, Key: key}}
	for n := range sharedSessions {
		awaitSignatures(t, pool, n, stoppedSigners)
		stop := abouts[n%len(abouts)]
		stop.Name, stop.Who, stop.Why = "x", "alice", "a test"
		_, err := store.Stop(t.Context(), stop)
		require.NoError(t, err)
		var committed, late int64
		require.NoError(t, pool.QueryRow(t.Context(), `select nextval('moments')`).Scan(&committed))
		for _, said := range said {
			require.True(t, said.Scan(), "the signing process ended")
			require.Equal(t, fmt.Sprint("stopped ", n), said.Text(), "every signer is told")
		}
		require.NoError(t, pool.QueryRow(t.Context(), `select count(*) from signed where moment > $1`, committed).Scan(&late))
		require.Zero(t, late, "signatures after stop %d was committed", n)
		require.NoError(t, store.Lift(t.Context(), "x"))
	}
}

// signUntilStopped signs with one leaf after the other, each until it is stopped.
func signUntilStopped(t *testing.T, url string) {
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	defer pool.Close()
	store := open(t, url)
	sess, err := session.Open(t.Context(), store, testRef, session.WithKeyring(noting{store, pool}))
	require.NoError(t, err)
	for n := range sharedSessions {
		var group errgroup.Group
		var signed atomic.Bool
		for range signersAtOnce {
			group.Go(func() error { return signUntil(t.Context(), sess, n, &signed) })
		}
		require.NoError(t, group.Wait())
		fmt.Println("stopped", n)
	}
}

// signUntil signs with leaf n, once the last stop was lifted, until the next one: some signer has signed.
func signUntil(ctx context.Context, sess *session.Sessions, n int, signed *atomic.Bool) error {
	signer, err := session.NewSigner(policy.Modules{}, sess.Leaf(n))
	if err != nil {
		return err
	}
	op := &userop.Operation{Sender: testRef.Account, CallData: binary.BigEndian.AppendUint64(nil, uint64(n))}
	for {
		hash := op.Hash(common.Address{1}, testRef.ChainID)
		_, err := signer.Sign(ctx, op, crypto.Keccak256Hash(hash[:]))
		switch {
		case errors.Is(err, session.ErrStopped) && signed.Load():
			return nil
		case err == nil:
			signed.Store(true)
		case !errors.Is(err, session.ErrStopped):
			return err
		}
	}
}
