package storetest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop/outbox"
)

// OutboxCrashConfig says how to open the outbox that [CrashOutbox] works on.
type OutboxCrashConfig struct {
	// Open opens the outbox in dir. It must be the same in every process.
	Open func(dir string) (outbox.Outbox, error)
	// Close ends the use of an outbox; nil where there is nothing to do.
	Close func(box outbox.Outbox) error
	// Kills is how often a process is killed, 60 by default.
	Kills int
}

// CrashOutbox starts the running test again as a process of its own that records sends, adds operations to them,
// settles and frees them, kills it at a random moment, and requires that every step it saw committed is there,
// and that none is half done; then from the start. Call it first thing in a test function that does nothing else.
func CrashOutbox(t *testing.T, c OutboxCrashConfig) {
	t.Helper()
	if dir := os.Getenv(crashDir); dir != "" {
		c.work(t, dir) // is the process to be killed
		return
	}
	kills := c.Kills
	if kills == 0 {
		kills = 60
	}
	dir, random, last := t.TempDir()+"/store", rand.New(rand.NewPCG(0, 5)), -1
	for kill := range kills {
		reported := runAndKill(t, t.Name(), dir, random, kill%5 == 0)
		have := c.inspect(t, dir)
		require.GreaterOrEqual(t, have, max(atLeast(last), atLeast(reported-1)), "kill %d: a committed step is lost", kill)
		last = have
	}
	require.GreaterOrEqual(t, last, kills/2, "the processes were killed before they did anything")
}

// The steps of the n-th send are numbered from n times stages on: it is recorded, has a second operation, is
// settled, and reported. Each fifth is freed instead, and so leaves nothing.
const stages = 4

func isFreed(send int) bool { return send%5 == 4 }

// atLeast returns the step that is seen in the outbox at least once that one was committed: a send that is freed
// may be so before anybody looks.
func atLeast(step int) int {
	if send := step / stages; isFreed(send) {
		return send*stages - 1
	}
	return step
}

// stepIn returns the last step that was taken, from which the next process goes on.
func stepIn(t *testing.T, box outbox.Outbox) (step int, newest *outbox.Entry) {
	t.Helper()
	list, err := box.List(t.Context(), outbox.Query{Limit: 1})
	require.NoError(t, err)
	if len(list) == 0 {
		return -1, nil
	}
	e := list[0]
	step = int(e.Nonce.Uint64()) * stages
	switch {
	case e.Reported:
		step += 3
	case e.State != outbox.StateOpen:
		step += 2
	case len(e.Attempts) > 1:
		step++
	}
	return step, e
}

// inspect opens the outbox as the next start would, and sees that all sends but the last went all the way.
func (c *OutboxCrashConfig) inspect(t *testing.T, dir string) int {
	t.Helper()
	box, err := c.Open(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.close(box)) }()
	step, newest := stepIn(t, box)
	if newest == nil {
		return step
	}
	send, query := step/stages, outbox.Query{Limit: 1000}
	for {
		list, err := box.List(t.Context(), query)
		require.NoError(t, err)
		for _, e := range list {
			require.Equal(t, fmt.Sprint("send ", send), e.Key)
			if e.ID != newest.ID {
				require.True(t, e.Reported, "%s is half done", e)
				require.Equal(t, landed(attempt(uint64(send), 1).Hash), e.Outcome)
			}
			if send--; send >= 0 && isFreed(send) {
				send--
			}
			query.Before = e.ID
		}
		if len(list) < query.Limit {
			break
		}
	}
	require.Equal(t, -1, send, "sends are missing")
	return step
}

func (c *OutboxCrashConfig) close(box outbox.Outbox) error {
	if c.Close == nil {
		return nil
	}
	return c.Close(box)
}

// work takes steps, and says after each that it is committed, until the process is killed.
func (c *OutboxCrashConfig) work(t *testing.T, dir string) {
	box, err := c.Open(dir)
	require.NoError(t, err)
	step, e := stepIn(t, box)
	for step++; ; step++ {
		send := step / stages
		nonce := uint64(send)
		switch step % stages {
		case 0:
			e, err = box.Record(t.Context(), recording(fmt.Sprint("send ", send), nonce))
		case 1:
			if isFreed(send) {
				err = box.Free(t.Context(), e.ID, e.Version)
				step += stages - 2
				break
			}
			e, err = box.AddAttempt(t.Context(), e.ID, e.Version, attempt(nonce, 1), ourLease)
		case 2:
			e, err = box.Settle(t.Context(), e.ID, e.Version, landed(attempt(nonce, 1).Hash), outbox.Lease{})
		case 3:
			err = box.MarkReported(t.Context(), e.ID)
		}
		require.NoError(t, err)
		fmt.Println(step + 1) // as 0 is nothing
	}
}
