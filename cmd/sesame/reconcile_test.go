package main

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
)

func TestReconcile(t *testing.T) {
	w := newWorld(t)
	w.story()
	args := []string{"reconcile", "-store", w.store, "-node", "http://node.example", "-bundler", "http://bundler.example", "-timeout", "5s"}

	// Without a bundler nothing is sent, and what may still land stays open.
	w.golden("reconcile-open", w.ok(exitAction, args[:5]...))
	require.Equal(t, session.StatusPending, w.statuses(w.owner("bob").Ref())["trading"])

	w.model.Bundler.Resume()
	code, out, note := w.run(args...)
	require.Equal(t, exitOK, code, note)
	require.Contains(t, note, "1 of 1: "+w.owner("bob").Ref().String()+": final")
	w.golden("reconcile", out)
	require.Equal(t, session.StatusActive, w.statuses(w.owner("bob").Ref())["trading"])
	require.Contains(t, w.ok(exitOK, args...), "nothing waits for the chain")

	var said struct{ Accounts []settledJSON }
	out = w.ok(exitOK, append(args, "-json", "-account", w.owner("carol").Address().Hex())...)
	require.NoError(t, json.Unmarshal([]byte(out), &said))
	require.Len(t, said.Accounts, 1)
	require.Equal(t, resultAgrees, said.Accounts[0].Result)
}

func TestReconcileThatFails(t *testing.T) {
	w := newWorld(t)
	w.story()
	require.Contains(t, w.fails(exitUsage, "reconcile", "-store", w.store), "missing -node, and SESAME_NODE is not set")
	args := []string{"reconcile", "-store", w.store, "-node", "http://node.example"}
	require.Contains(t, w.fails(exitFailed, append(args, "-chain", "137")...), "the node serves chain 80002, not 137")
	code, out, note := w.run(append(args, "-account", "0x000000000000000000000000000000000000dEaD")...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, "failed")
	require.Contains(t, note, "1 of 1 accounts could not be settled")
	w.model.Chain.Fail(errors.New("out of order"))
	require.Contains(t, w.fails(exitFailed, args...), "out of order")
}
