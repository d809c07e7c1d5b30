package main

import (
	"context"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
)

// held asks the store whether a key may sign.
func (w *world) held(ref session.Ref, key common.Address) (err error) {
	w.with(func(ctx context.Context, store *filestore.Store) {
		err = store.HoldKey(ctx, ref, key, func(uint64) error { return nil })
	})
	return err
}

func TestStop(t *testing.T) {
	w := newWorld(t)
	w.story()
	alice, key := w.owner("alice").Ref(), accounttest.Address("alice's session key")
	require.NoError(t, w.held(alice, key))
	for name, args := range map[string][]string{
		"everything":   {"-everything"},
		alice.String(): {"-account", alice.Account.Hex(), "-chain", "80002"},
		key.Hex():      {"-key", key.Hex()},
		"mine":         {"-key", key.Hex(), "-account", alice.Account.Hex(), "-chain", "80002", "-name", "mine"},
	} {
		args = append([]string{"stop", "-store", w.store, "-yes", "-who", "me", "-why", "a drill"}, args...)
		require.Contains(t, w.ok(exitOK, args...), "Stopped: ")
		require.Contains(t, w.ok(exitOK, args...), "Stopped: ", "again changes nothing")
		require.ErrorIs(t, w.held(alice, key), session.ErrStopped, name)
		require.Contains(t, w.ok(exitOK, "lift", "-store", w.store, "-yes", name), "Lifted: ")
		require.NoError(t, w.held(alice, key), name)
	}
	w.ok(exitOK, "stop", "-store", w.store, "-yes", "-who", "me", "-why", "it was in a log", "-key", key.Hex(), "-final", "-name", "leaked")
	w.golden("stops", w.ok(exitOK, "stops", "-store", w.store))
	w.golden("stops-json", w.ok(exitOK, "stops", "-store", w.store, "-json"))
	require.Contains(t, w.fails(exitFailed, "lift", "-store", w.store, "-yes", "leaked"), "leaked")
	require.ErrorIs(t, w.held(alice, key), session.ErrStopped)
}

func TestStopAsks(t *testing.T) {
	w := newWorld(t)
	w.story()
	w.env["USER"] = "oncall"
	args := []string{"stop", "-store", w.store, "-everything", "-why", "a drill"}
	require.Contains(t, w.fails(exitUsage, args...), "nobody is at a terminal to confirm it; -yes does it without asking")
	w.terminal, w.stdin = true, "no\n"
	require.Contains(t, w.fails(exitFailed, args...), "not done: it was not confirmed")
	w.stdin = ""
	require.Contains(t, w.fails(exitFailed, args...), "not done: it was not confirmed")
	alice, key := w.owner("alice").Ref(), accounttest.Address("alice's session key")
	require.NoError(t, w.held(alice, key), "what was not confirmed was not done")
	w.stdin = "yes\n"
	code, out, note := w.run(args...)
	require.Equal(t, exitOK, code, note)
	require.Contains(t, note, "This stops everything in the directory "+w.store)
	w.golden("stop", out)
	err := w.held(alice, key)
	require.ErrorContains(t, err, "oncall stopped everything")
}

func TestStopThatIsWrong(t *testing.T) {
	w := newWorld(t)
	w.story()
	const someone = "0x000000000000000000000000000000000000dEaD"
	for want, args := range map[string][]string{
		"what is to be stopped? Name -account, -key, or -everything":   {"-why", "x", "-who", "y"},
		"-everything stops all; leave -account and -key out":           {"-everything", "-key", someone, "-why", "x", "-who", "y"},
		"missing -why: whoever finds the stop":                         {"-everything"},
		"missing -who, and USER is not set":                            {"-everything", "-why", "x"},
		"missing -chain: account " + someone + " on which chain?":      {"-account", someone, "-why", "x", "-who", "y"},
		`unexpected argument "now"`:                                    {"-everything", "now"},
		"flag provided but not defined: -quick; sesame help stop expl": {"-quick"},
	} {
		require.Contains(t, w.fails(exitUsage, append([]string{"stop", "-store", w.store, "-yes"}, args...)...), want)
	}
	require.Contains(t, w.fails(exitFailed, "lift", "-store", w.store, "-yes", "nothing"), `has no stop "nothing"; sesame stops lists what there is`)
	require.Contains(t, w.fails(exitUsage, "lift", "-store", w.store), "which stop?")
	require.Contains(t, w.fails(exitUsage, "stops", "-store", "ts:"+w.dir, "-chain", "1"), "have no kill switch; sesame suspend stops sessions there")
	// The process that has a directory open is named, and what to do.
	w.with(func(context.Context, *filestore.Store) {
		why := w.fails(exitFailed, "stop", "-store", w.store, "-yes", "-everything", "-why", "x", "-who", "y")
		require.Contains(t, why, "is in use")
		require.Contains(t, why, "a directory has one writer, a database any number")
		require.NotEmpty(t, w.ok(exitOK, "stops", "-store", w.store), "reading goes on beside it")
	})
}
