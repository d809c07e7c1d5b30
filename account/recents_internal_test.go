package account

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

func TestRecentsAreBounded(t *testing.T) {
	const most = 1 << 10
	r := newRecents[int, int](most)
	r.store(-1, 1)
	var open sync.WaitGroup
	for part := range 4 {
		open.Go(func() {
			for i := range 10 * most {
				r.store(part*10*most+i, i)
				_, used := r.load(-1)
				require.True(t, used, "what is used is kept")
			}
		})
	}
	open.Wait()
	kept := 0
	for i := range r.shards {
		kept += len(r.shards[i].young) + len(r.shards[i].old)
	}
	require.LessOrEqual(t, kept, most+len(r.shards))
	r.store(-2, 2)
	last, ok := r.load(-2)
	require.True(t, ok)
	require.Equal(t, 2, last)
	r.delete(-1)
	_, ok = r.load(-1)
	require.False(t, ok)
}

func TestTheLastNonceIsForOneOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLastNonces(2 * time.Second)
		account, lane := common.Address{1}, uint256.NewInt(7)
		nonce := func(n uint64) *uint256.Int { return new(uint256.Int).AddUint64(new(uint256.Int).Lsh(lane, 64), n) }
		_, ok := l.take(account, lane)
		require.False(t, ok, "nothing is known")
		l.used(account, nonce(3))
		_, ok = l.take(account, nil)
		require.False(t, ok, "of another lane")
		next, ok := l.take(account, lane)
		require.True(t, ok)
		require.Equal(t, *nonce(4), next)
		_, ok = l.take(account, lane)
		require.False(t, ok, "it is taken")
		l.giveBack(account, lane)
		_, ok = l.take(account, lane)
		require.True(t, ok)
		l.used(account, nonce(2))
		_, ok = l.take(account, lane)
		require.False(t, ok, "of an operation before that one")
		l.used(account, nonce(4))
		time.Sleep(2 * time.Second)
		_, ok = l.take(account, lane)
		require.False(t, ok, "too old")
	})
	l := newLastNonces(-1)
	l.used(common.Address{1}, new(uint256.Int))
	_, ok := l.take(common.Address{1}, nil)
	require.False(t, ok)
}
