package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session/seal"
)

func TestRotate(t *testing.T) {
	w := newWorld(t)
	w.story()
	next := "key:" + w.file("next.key", strings.Repeat("n", seal.KeySize))
	args := []string{"rotate", "-store", w.store, "-new-seal", next}
	require.Contains(t, w.fails(exitUsage, args...), "-yes does it without asking")
	code, out, note := w.run(append(args, "-yes")...)
	require.Equal(t, exitOK, code, note)
	w.golden("rotate", note+"--\n"+out)
	require.Contains(t, w.fails(exitFailed, "inspect", "-store", w.store), "is -seal the secret that the keys were sealed with?")
	alice := w.owner("alice").Address().Hex()
	require.Contains(t, w.ok(exitAction, "inspect", "-store", w.store, "-account", alice, "-seal", next), "unused key", "the keys are there")
	w.ok(exitOK, append(args, "-yes", "-json")...) // again, as after it was interrupted
	w.ok(exitOK, "rotate", "-store", w.store, "-yes", "-seal", next, "-new-seal", w.env["SESAME_SEAL"])
	w.ok(exitAction, "inspect", "-store", w.store)
}

func TestRotateThatIsWrong(t *testing.T) {
	w := newWorld(t)
	w.story()
	require.Contains(t, w.fails(exitUsage, "rotate", "-store", w.store, "-yes"), "missing -seal or -new-seal")
	wrong := "key:" + w.file("wrong.key", strings.Repeat("w", seal.KeySize))
	require.Contains(t, w.fails(exitFailed, "rotate", "-store", w.store, "-yes", "-seal", wrong, "-new-seal", wrong), "is -seal the secret")
	w.ok(exitAction, "inspect", "-store", w.store)
	copyDir(t, w.dir+"/ts", "../../session/tsstore/testdata/sdk")
	require.Contains(t, w.fails(exitUsage, "rotate", "-store", "ts:"+w.dir+"/ts", "-chain", "80002", "-yes", "-new-seal", wrong), "keep keys in clear; nothing seals them")
}
