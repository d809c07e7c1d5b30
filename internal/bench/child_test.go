package main

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/account"
)

// The test's program is its own child, as the bench is.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-role" {
		if err := play(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func TestChildSignsWhatThisProcessDoes(t *testing.T) {
	c, err := startSelf(t.Context(), "signer")
	require.NoError(t, err)
	var got struct{ Signature string }
	require.NoError(t, c.ask(signerQuestion{Do: "prepare", Leaves: 3}, &got))
	here, err := newSigning(t.Context(), 3)
	require.NoError(t, err)
	signature, err := here.sign(t.Context())
	require.NoError(t, err)
	require.Equal(t, common.Bytes2Hex(signature), got.Signature)
	took, err := c.duration("sign", 3)
	require.NoError(t, err)
	require.Positive(t, took)
	require.ErrorContains(t, c.ask(signerQuestion{Do: "dance"}, &got), `signer: "dance": not now`)
	require.NoError(t, c.close())
}

func TestNoSuchRole(t *testing.T) {
	c, err := startSelf(t.Context(), "clown")
	require.NoError(t, err)
	require.Error(t, c.ask(struct{}{}, new(struct{})))
	require.ErrorContains(t, c.close(), "exit status 1")
}

// What the bare side of a sponsored send posts is what such a send asks the services.
func TestRecordedSendIsTwoRequests(t *testing.T) {
	bodies, err := record(t.Context())
	require.NoError(t, err)
	require.Len(t, bodies, 2)
	require.Contains(t, string(bodies[0]), `"pm_sponsorUserOperation"`)
	require.Contains(t, string(bodies[1]), `"eth_sendUserOperation"`)
}

// The services include operations in blocks, and the library believes them.
func TestBlocks(t *testing.T) {
	const blockTime = 50 * time.Millisecond
	s, err := newSending(t.Context(), sendingConfig{accounts: 1, blockTime: blockTime})
	require.NoError(t, err)
	for range 2 {
		begun := time.Now()
		tx, err := s.send(t.Context(), 0, account.Sponsored())
		require.NoError(t, err)
		receipt, err := tx.Wait(t.Context())
		require.NoError(t, err)
		require.True(t, receipt.Confirmed)
		at, err := s.includedAt(tx.Hash())
		require.NoError(t, err)
		require.True(t, at.After(begun) && at.Before(time.Now()))
	}
	_, err = s.includedAt(common.Hash{1})
	require.ErrorContains(t, err, "not included")
	require.NoError(t, s.close())
}

// A child that its parent gives up ends with the context.
func TestChildEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, _, err := startServices(ctx, servicesQuestion{})
	require.NoError(t, err)
	cancel()
	require.Error(t, c.close())
}

func TestBarePermutations(t *testing.T) {
	for size, want := range map[int]int{0: 1, 60: 1, 135: 1, 136: 2, 271: 2, 272: 3} {
		require.Equal(t, want, (&bareSigning{inputs: [][]byte{make([]byte, size)}}).permutations(), size)
	}
}
