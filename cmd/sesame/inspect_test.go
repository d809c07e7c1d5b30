package main

import (
	"context"
	"encoding/json"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/policy"
)

func TestInspectStore(t *testing.T) {
	w := newWorld(t)
	w.story()
	w.golden("inspect-store", w.ok(exitAction, "inspect", "-store", w.store))
	w.golden("inspect-store-json", w.ok(exitAction, "inspect", "-store", w.store, "-json"))
	w.env["SESAME_STORE"] = w.store
	require.Contains(t, w.ok(exitAction, "inspect"), "3 accounts, 6 sessions")
}

func TestInspectAccount(t *testing.T) {
	w := newWorld(t)
	w.story()
	alice := w.owner("alice").Address().Hex()
	w.golden("inspect-account", w.ok(exitAction, "inspect", "-store", w.store, "-account", alice))
	w.golden("inspect-account-chain", w.ok(exitAction, "inspect", "-store", w.store, "-account", alice, "-node", "http://node.example"))
	w.golden("inspect-account-json", w.ok(exitAction, "inspect", "-store", w.store, "-account", alice, "-node", "http://node.example", "-json"))
	w.golden("inspect-pending", w.ok(exitAction, "inspect", "-store", w.store, "-account", w.owner("bob").Address().Hex(), "-node", "http://node.example"))
	w.golden("inspect-fine", w.ok(exitOK, "inspect", "-store", w.store, "-account", w.owner("carol").Address().Hex(), "-node", "http://node.example"))
}

func TestInspectSessions(t *testing.T) {
	w := newWorld(t)
	w.story()
	w.golden("inspect-sessions", w.ok(exitOK, "inspect", "-store", w.store, "-sessions"))
	w.golden("inspect-standing", w.ok(exitAction, "inspect", "-store", w.store, "-standing"))
	for want, args := range map[int][]string{
		3: {"-status", "active"}, 2: {"-status", "revoked"}, 1: {"-status", "pending"}, 0: {"-ends-within", "1h"}, 5: {"-ends-within", "25h"},
		4: {"-account", w.owner("alice").Address().Hex(), "-sessions"},
	} {
		var said struct{ Sessions []listedJSON }
		out := w.ok(exitOK, append([]string{"inspect", "-json", "-store", w.store}, args...)...)
		require.NoError(t, json.Unmarshal([]byte(out), &said))
		require.Len(t, said.Sessions, want, "%s", args)
	}
}

// In a time before the sessions of the files end.
func TestInspectTypeScriptFiles(t *testing.T) { synctest.Test(t, testInspectTypeScriptFiles) }

func testInspectTypeScriptFiles(t *testing.T) {
	w := newWorld(t)
	const user = "0x9F0685Bd516F66Fd00dC05a7aC9D5B89c2CC31f9"
	w.now = func() time.Time { return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) }
	copyDir(t, w.store, "../../session/tsstore/testdata/sdk")
	w.golden("inspect-ts", w.ok(exitOK, "inspect", "-store", "ts:"+w.store, "-chain", "80002", "-account", user))
	spoilt := w.store + "-spoilt"
	copyDir(t, spoilt, "../../session/tsstore/testdata/sdk-spoilt")
	w.golden("inspect-ts-spoilt", w.ok(exitAction, "inspect", "-store", "ts:"+spoilt, "-chain", "80002", "-account", user))
	require.Contains(t, w.fails(exitFailed, "inspect", "-store", w.store), "name it ts:"+w.store)
	require.Contains(t, w.fails(exitUsage, "inspect", "-store", "ts:"+w.store), "missing -chain")
}

func TestInspectWhatIsNotThere(t *testing.T) {
	w := newWorld(t)
	require.Contains(t, w.fails(exitUsage, "inspect"), "missing -store")
	require.Contains(t, w.fails(exitFailed, "inspect", "-store", w.store), "; check the directory, or make a store there with Open")
	require.NoDirExists(t, w.store, "looking makes nothing")
	w.story()
	require.Contains(t, w.fails(exitFailed, "inspect", "-store", w.store, "-account", "0x000000000000000000000000000000000000dEaD"), "has none of account 0x000000000000000000000000000000000000dEaD")
	require.Contains(t, w.fails(exitUsage, "inspect", "-store", w.store, "-node", "http://node.example"), "-node goes with -account")
	require.Contains(t, w.fails(exitUsage, "inspect", "-store", w.store, "-account", "me"), `invalid value "me" for flag -account: it is no address of 40 hex digits`)
	require.Contains(t, w.fails(exitUsage, "inspect", "-store", w.store, "-account", "0x000000000000000000000000000000000000DeaD"), "its checksum is wrong")
}

// What anybody can do to the account is told, beside what its keys can.
func TestInspectRouter(t *testing.T) {
	w := newWorld(t)
	owner := w.owner("dora")
	w.with(func(ctx context.Context, store *filestore.Store) {
		sess, tx, err := owner.Grant(ctx, store, []policy.Policy{minting(w.key(store, owner.Ref(), "dora's"), owner.Address())}, account.Sponsored(), account.ForBatches())
		require.NoError(t, err)
		_, err = sess.Activate(ctx, tx)
		require.NoError(t, err)
	})
	out := w.ok(exitOK, "inspect", "-store", w.store, "-account", owner.Address().Hex(), "-node", "http://node.example")
	require.Regexp(t, `warning +it listens to the batched session router`, out)
	require.Regexp(t, `warning +The batched session router is enabled`, out)
	require.NoError(t, w.model.Chain.Fund(t.Context(), owner.Address(), big.NewInt(1)))
	out = w.ok(exitAction, "inspect", "-store", w.store, "-account", owner.Address().Hex(), "-node", "http://node.example")
	require.Contains(t, out, "funds are at risk: The batched session router is enabled")
}
