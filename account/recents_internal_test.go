package account

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
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
		kept += r.shards[i].values.Len()
	}
	require.LessOrEqual(t, kept, most)
	r.store(-2, 2)
	last, ok := r.load(-2)
	require.True(t, ok)
	require.Equal(t, 2, last)
	r.delete(-1)
	_, ok = r.load(-1)
	require.False(t, ok)
}

// An operation is replaced while another goroutine waits for its end.
func TestANonceIsReleasedWhileItsOperationIsReplaced(t *testing.T) {
	c := &Client{nonces: newLastNonces(time.Second)}
	reserved := &readNonce{client: c}
	first, second := &userop.Operation{MaxFeePerGas: *uint256.NewInt(1)}, &userop.Operation{MaxFeePerGas: *uint256.NewInt(2)}
	require.NoError(t, reserved.Commit(first, common.Hash{1}))
	var open sync.WaitGroup
	open.Go(func() { reserved.Release(true) })
	require.NoError(t, reserved.Commit(second, common.Hash{2}))
	open.Wait()
	next, ok := c.nonces.take(common.Address{}, nil)
	require.True(t, ok)
	require.Equal(t, *uint256.NewInt(1), next)
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
		l.giveBack(account, nonce(4))
		_, ok = l.take(account, lane)
		require.True(t, ok)
		l.used(account, nonce(5))
		next, ok = l.take(account, lane)
		require.True(t, ok)
		require.Equal(t, *nonce(6), next)
		l.giveBack(account, nonce(4))
		_, ok = l.take(account, lane)
		require.False(t, ok, "the next one is another operation's")
		l.used(account, nonce(2))
		_, ok = l.take(account, lane)
		require.False(t, ok, "of an operation before that one")
		l.used(account, nonce(6))
		time.Sleep(2 * time.Second)
		_, ok = l.take(account, lane)
		require.False(t, ok, "too old")
	})
	l := newLastNonces(-1)
	l.used(common.Address{1}, new(uint256.Int))
	_, ok := l.take(common.Address{1}, nil)
	require.False(t, ok)
}

// That an account listens to its owner is asked again once a service says that it does not.
func TestOwnershipIsForgottenOnARefusal(t *testing.T) {
	c := &Client{
		freshness: time.Hour, deployed: newRecents[common.Address, codeSeen](1), enabledAt: newRecents[moduleKey, time.Time](1 << 10),
	}
	o := &OwnedAccount{Account: *c.Account(common.Address{1}), active: Module{Address: common.Address{2}}}
	key, _ := o.ownership()
	for refusal, kept := range map[string]bool{"AA23 reverted": false, "AA24 signature error": false, "AA21 didn't pay prefund": true} {
		c.enabledAt.store(key, time.Now())
		draft := &userop.Draft{Sender: o.address}
		c.rereadRefused(draft, new(settings))
		o.forOwner(draft, new(settings))
		require.False(t, draft.Forget(nil, errors.New(refusal), false))
		require.Equal(t, kept, c.enabledRecently(key), refusal)
	}
}
