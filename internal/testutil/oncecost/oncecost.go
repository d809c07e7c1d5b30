// Package oncecost measures what a send costs that happens once, beside one that is not written down. Both go
// through the same model of a chain, in turns, so that what the machine does besides meets both alike.
package oncecost

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// Store is what keeps the session, its key, and the sends.
type Store interface {
	account.Outbox
	session.Keyring
}

// Bench sends and waits, plainly and once in turns, by one user and by 16 at a time, in an empty store each.
// It reports the medians of both and their ratio: the model answers at once, so what is told is the cost in
// this process and its store.
func Bench(b *testing.B, open func(*testing.B) Store) {
	for _, users := range []int{1, 16} {
		b.Run(fmt.Sprintf("%d at a time", users), func(b *testing.B) {
			world := newWorld(b, open(b), users)
			var mu sync.Mutex
			var plain, once []time.Duration
			for round := 0; b.Loop(); round++ {
				var group sync.WaitGroup
				for _, send := range world {
					group.Go(func() {
						began := time.Now()
						send(b.Context())
						between := time.Now()
						send(b.Context(), account.Once(fmt.Sprint("order ", round)))
						ended := time.Now()
						mu.Lock()
						defer mu.Unlock()
						plain, once = append(plain, between.Sub(began)), append(once, ended.Sub(between))
					})
				}
				group.Wait()
			}
			slices.Sort(plain)
			slices.Sort(once)
			p, o := plain[len(plain)/2], once[len(once)/2]
			b.ReportMetric(float64(p.Microseconds())/1000, "plain-ms")
			b.ReportMetric(float64(o.Microseconds())/1000, "once-ms")
			b.ReportMetric(float64(o-p)/float64(time.Millisecond), "added-ms")
			b.ReportMetric(float64(o)/float64(p), "once/plain")
		})
	}
}

// newWorld returns a sponsored mint for each of so many users, with the session that each granted.
func newWorld(b *testing.B, store Store, users int) []func(context.Context, ...account.Option) {
	model := accounttest.NewModel(accounttest.ModelConfig{})
	cfg := model.Config()
	cfg.Outbox = store
	client, err := account.NewClient(cfg)
	require.NoError(b, err)
	world := make([]func(context.Context, ...account.Option), users)
	for i := range world {
		owner, err := model.NewOwner(b.Context())
		require.NoError(b, err)
		key, err := store.NewKey(b.Context(), owner.Ref())
		require.NoError(b, err)
		sess, tx, err := owner.Grant(b.Context(), store, []policy.Policy{policy.ABI{
			Key: key, Contract: model.Contracts.NFT, Function: "safeMint(address to)",
			Window: policy.Until(time.Now().Add(time.Hour)),
		}}, account.Sponsored())
		require.NoError(b, err)
		_, err = sess.Activate(b.Context(), tx)
		require.NoError(b, err)
		data, err := abi.Pack("function safeMint(address to)", owner.Address())
		require.NoError(b, err)
		user, calls := client.Account(owner.Address()), []account.Call{{To: model.Contracts.NFT, Data: data}}
		world[i] = func(ctx context.Context, opts ...account.Option) {
			tx, err := user.Send(ctx, calls, append(opts, account.WithSession(sess.Leaf(0)), account.Sponsored())...)
			if err == nil {
				_, err = tx.Wait(ctx)
			}
			if err != nil {
				b.Error(err)
			}
		}
	}
	return world
}
