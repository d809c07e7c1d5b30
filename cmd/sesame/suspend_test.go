package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
)

// statuses are those of an account's sessions in the store, by ID.
func (w *world) statuses(ref session.Ref) map[string]session.Status {
	found := make(map[string]session.Status)
	w.with(func(ctx context.Context, store *filestore.Store) {
		state, err := store.Load(ctx, ref)
		require.NoError(w.t, err)
		for _, leaf := range state.Leaves {
			found[leaf.ID] = leaf.Status
		}
	})
	return found
}

func TestSuspend(t *testing.T) {
	w := newWorld(t)
	w.story()
	alice := w.owner("alice").Ref()
	account := []string{"suspend", "-store", w.store, "-account", alice.Account.Hex()}
	require.Contains(t, w.fails(exitFailed, append(account, "-yes", "careless", "unheard")...), `has no session "unheard" on chain 80002; nothing was suspended`)
	require.Equal(t, session.StatusActive, w.statuses(alice)["careless"])

	code, out, note := w.run(append(account, "-yes", "careless")...)
	require.Equal(t, exitOK, code, note)
	w.golden("suspend", note+"--\n"+out)
	require.Equal(t, map[string]session.Status{
		"minting": session.StatusActive, "careless": session.StatusRevoked, "leaked": session.StatusRevoked, "old": session.StatusRevoked,
	}, w.statuses(alice))
	require.Contains(t, w.ok(exitOK, append(account, "-yes", "careless")...), "Suspended: 0 sessions.")

	w.golden("suspend-json", w.ok(exitOK, append(account, "-yes", "-all", "-json")...))
	require.Equal(t, session.StatusRevoked, w.statuses(alice)["minting"])

	bob := w.owner("bob").Ref()
	require.Contains(t, w.ok(exitOK, "suspend", "-store", w.store, "-yes", "-key", accounttest.Address("bob's session key").Hex()), "Suspended: 1 session.")
	require.Equal(t, session.StatusRevoked, w.statuses(bob)["trading"], "also beside a grant that is under way")
	require.Equal(t, session.StatusActive, w.statuses(w.owner("carol").Ref())["minting"], "others go on")
}

func TestSuspendAsks(t *testing.T) {
	w := newWorld(t)
	w.story()
	args := []string{"suspend", "-store", w.store, "-account", w.owner("alice").Address().Hex(), "-all"}
	require.Contains(t, w.fails(exitUsage, args...), "-yes does it without asking")
	w.terminal, w.stdin = true, "y\n"
	require.Contains(t, w.fails(exitFailed, args...), "not confirmed")
	require.Equal(t, session.StatusActive, w.statuses(w.owner("alice").Ref())["minting"])
}

func TestSuspendThatIsWrong(t *testing.T) {
	w := newWorld(t)
	w.story()
	const someone = "0x000000000000000000000000000000000000dEaD"
	for want, args := range map[string][]string{
		"what is to be suspended? Give IDs, or -all, or -key": {},
		"what is to be suspended? Give IDs":                   {"-all", "minting"},
		"missing -account: whose sessions?":                   {"minting"},
	} {
		require.Contains(t, w.fails(exitUsage, append([]string{"suspend", "-store", w.store, "-yes"}, args...)...), want)
	}
	require.Contains(t, w.fails(exitFailed, "suspend", "-store", w.store, "-yes", "-key", someone), "has no such sessions")
	require.Contains(t, w.fails(exitFailed, "suspend", "-store", w.store, "-yes", "-account", someone, "-all"), "has none of account")
	require.Contains(t, w.fails(exitFailed, "suspend", "-store", w.store+"x", "-yes", "-account", someone, "-all"), "no session store")
	require.NoDirExists(t, w.store+"x")
}
