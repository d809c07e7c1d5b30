package account_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// waitingPrepared is what a browser has.
type waitingPrepared struct {
	p   *account.Prepared
	sig []byte
	id  string // of the session that it grants, empty for a revocation
	key string // of Once, empty for none
}

// Grants and revocations that are prepared, signed and submitted in any order, several times, by replicas
// that die and over answers that get lost: each lands once or never, and the store says the same as the
// chain.
func TestPreparedInAnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w, door := onceWorld(t, nil)
			random := rand.New(rand.NewPCG(seed, 17))
			var all []*waitingPrepared
			for n := range 60 {
				switch random.IntN(8) {
				case 0, 1, 2:
					if made := w.prepareSomething(t, random, n); made != nil {
						all = append(all, made)
					}
				case 3:
					_ = w.client.ReconcileAll(t.Context(), w.store)
				default:
					if len(all) > 0 {
						w.submitSomehow(t, random, door, all[len(all)-1-random.IntN(min(len(all), 4))])
					}
				}
			}
			door.set(nil)
			require.NoError(t, w.client.ReconcileAll(t.Context(), w.store))
			landed := 0
			for _, made := range all {
				if w.endedAs(t, made) {
					landed++
				}
			}
			require.Positive(t, landed)
			require.Less(t, landed, len(all))
			w.requireRoot(t)
			state, err := w.user.State(t.Context())
			require.NoError(t, err)
			require.Equal(t, w.stored(t).Root, state.SessionRoot)
		})
	}
}

// prepareSomething prepares a grant, or the revocation of an active session; nil where that cannot be now.
func (w *world) prepareSomething(t *testing.T, random *rand.Rand, n int) *waitingPrepared {
	t.Helper()
	made := &waitingPrepared{id: fmt.Sprintf("session %d", n)}
	if random.IntN(3) == 0 {
		made.key = made.id
	}
	var err error
	if sess, missing := session.Open(t.Context(), w.store, w.owner.Ref()); missing == nil && random.IntN(3) == 0 {
		made.id = ""
		leaf := sess.Leaves()[random.IntN(sess.Len())]
		made.p, err = w.elsewhere(t).PrepareRevoke(t.Context(), sess, leaf.ID, account.Sponsored())
	} else {
		mint := w.nftPolicy()
		mint.Window = policy.Until(w.now().Add(5*time.Hour + time.Duration(n)*time.Minute))
		made.p, err = w.elsewhere(t).PrepareGrant(t.Context(), w.store, []policy.Policy{session.Named(made.id, mint)}, account.Sponsored())
	}
	if err != nil {
		require.True(t, errors.Is(err, session.ErrPending) || errors.Is(err, session.ErrRevoked), "%v", err)
		return nil
	}
	made.sig = w.sign(t, made.p)
	return made
}

// submitSomehow submits it at a replica of its own, which may die, or whose bundler's answer may get lost.
func (w *world) submitSomehow(t *testing.T, random *rand.Rand, door *gate, made *waitingPrepared) {
	t.Helper()
	store := &dying{Store: w.store, dies: random.IntN(4) == 0}
	config := w.config
	config.Outbox = store
	client, err := account.NewClient(config)
	require.NoError(t, err)
	door.set(nil)
	if random.IntN(4) == 0 {
		door.set(func(_ context.Context, _ *userop.Operation, handOver func() (common.Hash, error)) (common.Hash, error) {
			_, _ = handOver()
			return common.Hash{}, lostAnswer{}
		})
	}
	submit := func() (submitted *account.Submitted, err error) {
		defer func() {
			if died := recover(); died != nil {
				err = errDied
			}
		}()
		return client.Submit(t.Context(), store, made.p, made.sig, made.options()...)
	}
	submitted, err := submit()
	switch {
	case err == nil && random.IntN(2) == 0:
		_, err = submitted.Wait(t.Context())
		_, ended := errors.AsType[*userop.EndedError](err)
		require.True(t, err == nil || ended, "%v", err)
	case err == nil, errors.Is(err, errDied), errors.Is(err, session.ErrConflict), userop.MayBeAccepted(err):
	default:
		require.NoError(t, err)
	}
}

func (m *waitingPrepared) options() []account.Option {
	if m.key == "" {
		return nil
	}
	return []account.Option{account.Once(m.key)}
}

// endedAs submits it a last time, and reports whether it landed: the store has its session then, and only
// then.
func (w *world) endedAs(t *testing.T, made *waitingPrepared) bool {
	t.Helper()
	submitted, err := w.client.Submit(t.Context(), w.store, made.p, made.sig, made.options()...)
	if err == nil {
		_, err = submitted.Wait(t.Context())
	}
	_, ended := errors.AsType[*userop.EndedError](err)
	require.True(t, err == nil || ended || errors.Is(err, session.ErrConflict), "%v", err)
	if made.id != "" {
		has := false
		for _, leaf := range w.stored(t).Leaves {
			has = has || leaf.ID == made.id
		}
		require.Equal(t, err == nil, has, made.id)
	}
	return err == nil
}

// lostAnswer is an answer of the bundler that did not arrive.
type lostAnswer struct{}

func (lostAnswer) Error() string        { return "connection reset by peer" }
func (lostAnswer) MayBeDelivered() bool { return true }
