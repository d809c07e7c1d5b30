package session_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

// writtenDown is a plan as another process reads it.
func writtenDown(t *testing.T, change *session.RootChange) *session.RootPlan {
	t.Helper()
	text, err := json.Marshal(change.Plan())
	require.NoError(t, err)
	plan := new(session.RootPlan)
	require.NoError(t, jsonobject.Strict(text, plan))
	require.NoError(t, plan.Validate())
	require.Equal(t, change.Root(), plan.Root)
	return plan
}

// A change that was written down, decided again elsewhere and begun there does what it would have done here.
func TestAPlanIsDecidedAgainElsewhere(t *testing.T) {
	t.Parallel()
	for name, decide := range map[string]func(*session.Sessions) (*session.RootChange, error){
		"grant": func(s *session.Sessions) (*session.RootChange, error) {
			return s.PlanGrant(policy.Modules{}, policyOf("c"), policyOf("d"))
		},
		"revoke":     func(s *session.Sessions) (*session.RootChange, error) { return s.PlanRevoke("a") },
		"revoke all": func(s *session.Sessions) (*session.RootChange, error) { return s.PlanRevokeAll() },
		"revoke the stopped": func(s *session.Sessions) (*session.RootChange, error) {
			require.NoError(t, s.Suspend(t.Context(), "b"))
			return s.PlanRevoke("b")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			states := make([]*session.State, 2)
			for i := range states {
				chain := new(ledger)
				sess, store := granted(t, chain, "a", "b")
				change, err := decide(sess)
				require.NoError(t, err)
				if i == 1 {
					plan := writtenDown(t, change)
					other, err := session.Open(t.Context(), store, testRef, session.WithChain(chain))
					require.NoError(t, err)
					change, err = other.PlanAgain(plan)
					require.NoError(t, err)
				}
				begin(t, change, 7)
				if states[i], err = store.Load(t.Context(), testRef); err != nil {
					t.Fatal(err)
				}
			}
			require.Equal(t, states[0], states[1])
		})
	}
}

// What changed meanwhile is told, and nothing is begun.
func TestAPlanThatDoesNotFitAnyMore(t *testing.T) {
	t.Parallel()
	grant := func(s *session.Sessions) (*session.RootChange, error) {
		return s.PlanGrant(policy.Modules{}, policyOf("c"))
	}
	revoke := func(s *session.Sessions) (*session.RootChange, error) { return s.PlanRevoke("a") }
	for name, tt := range map[string]struct {
		plan func(*session.Sessions) (*session.RootChange, error)
		then func(t *testing.T, s *session.Sessions, chain *ledger)
		is   error
		want string
	}{
		"another change landed": {grant, func(t *testing.T, s *session.Sessions, chain *ledger) {
			begun(t, s, 8, "x")
			chain.root, chain.next = s.Pending().Root, 100
			require.NoError(t, s.Reconcile(t.Context()))
		}, session.ErrConflict, "another change of it landed"},
		"another change waits": {grant, func(t *testing.T, s *session.Sessions, _ *ledger) { begun(t, s, 8, "x") }, session.ErrPending, "waits for operation 0x"},
		"the session is gone":  {revoke, func(t *testing.T, s *session.Sessions, _ *ledger) { put(t, s, nil, "a") }, session.ErrRootMismatch, ""},
		"the ID is taken": {grant, func(t *testing.T, s *session.Sessions, _ *ledger) {
			leaf := s.Leaves()[0].Clone()
			leaf.ID, leaf.InTree, leaf.Status = "c", false, session.StatusRevoked
			put(t, s, []session.Leaf{leaf})
		}, session.ErrConflict, `session ID "c" of account`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chain := new(ledger)
			sess, store := granted(t, chain, "a", "b")
			change, err := tt.plan(sess)
			require.NoError(t, err)
			plan := writtenDown(t, change)
			tt.then(t, sess, chain)
			other, err := session.Open(t.Context(), store, testRef)
			if err == nil {
				_, err = other.PlanAgain(plan)
			}
			require.ErrorIs(t, err, tt.is)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// put changes the store behind the sessions' back.
func put(t *testing.T, s *session.Sessions, leaves []session.Leaf, gone ...string) {
	t.Helper()
	state, err := s.Store().Load(t.Context(), s.Ref())
	require.NoError(t, err)
	_, err = s.Store().Apply(t.Context(), s.Ref(), state.Version, &session.Change{Header: state.Header, Put: leaves, Delete: gone})
	require.NoError(t, err)
}

func TestAGrantThatIsOverBeforeItIsBegun(t *testing.T) {
	t.Parallel()
	now := time.Now()
	sess, err := session.OpenOrNew(t.Context(), memstore.New(), testRef, session.WithClock(func() time.Time { return now }))
	require.NoError(t, err)
	short := rawPolicy("short")
	short.Window = policy.Until(now.Add(time.Minute))
	change, err := sess.PlanGrant(policy.Modules{}, short)
	require.NoError(t, err)
	plan := writtenDown(t, change)
	now = now.Add(2 * time.Minute)
	_, err = sess.PlanAgain(plan)
	require.ErrorIs(t, err, session.ErrExpired)
}

// A plan that does not hold together is refused before anything is compared.
func TestAPlanThatDoesNotHoldTogether(t *testing.T) {
	t.Parallel()
	sess, _ := granted(t, new(ledger), "a", "b")
	for name, tt := range map[string]struct {
		change func(*session.RootPlan)
		want   string
	}{
		"another root":          {func(p *session.RootPlan) { p.Root = common.Hash{1} }, "hash to "},
		"a leaf less":           {func(p *session.RootPlan) { p.Tree = p.Tree[1:] }, "hash to "},
		"a grant of another":    {func(p *session.RootPlan) { p.Grant[0].ValidUntil++ }, "is not in the tree of the planned root"},
		"a grant twice":         {func(p *session.RootPlan) { p.Grant = append(p.Grant, p.Grant[0]) }, "is not in the tree of the planned root"},
		"an active grant":       {func(p *session.RootPlan) { p.Grant[0].Status = session.StatusActive }, "is granted as one that is active"},
		"a grant in the tree":   {func(p *session.RootPlan) { p.Grant[0].InTree = true }, "is said to be in the tree already"},
		"a grant without an ID": {func(p *session.RootPlan) { p.Grant[0].ID = "" }, "leaf without an ID"},
		"in and out":            {func(p *session.RootPlan) { p.Remove = []session.Leaf{p.Grant[0]} }, "cannot leave the tree"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change, err := sess.PlanGrant(policy.Modules{}, policyOf("c"))
			require.NoError(t, err)
			plan := change.Plan()
			tt.change(plan)
			require.ErrorIs(t, plan.Validate(), policy.ErrInvalid)
			require.ErrorContains(t, plan.Validate(), tt.want)
			_, err = sess.PlanAgain(plan)
			require.ErrorIs(t, err, policy.ErrInvalid)
		})
	}
}

func TestUnusedKeys(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	none, err := session.UnusedKeys(t.Context(), store, testRef)
	require.NoError(t, err)
	require.Empty(t, none)
	used, err := store.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	unused, err := store.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	both, err := session.UnusedKeys(t.Context(), store, testRef)
	require.NoError(t, err)
	require.ElementsMatch(t, []common.Address{used, unused}, both)

	sess, err := session.OpenOrNew(t.Context(), store, testRef)
	require.NoError(t, err)
	p := rawPolicy("a")
	p.Key = used
	change, err := sess.PlanGrant(policy.Modules{}, p)
	require.NoError(t, err)
	begin(t, change, 1)
	left, err := session.UnusedKeys(t.Context(), store, testRef)
	require.NoError(t, err)
	require.Equal(t, []common.Address{unused}, left)
}
