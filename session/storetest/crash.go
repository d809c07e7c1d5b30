package storetest

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

// CrashConfig says how to open the store that [Crash] works on.
type CrashConfig struct {
	// Open opens the store in dir, which is a [session.Keyring] too. It must be the same in every process.
	Open func(dir string) (session.Store, error)
	// Close ends the use of a store; nil where there is nothing to do.
	Close func(store session.Store) error
	// Rotate is called between changes, if set, to seal all keys anew.
	Rotate func(ctx context.Context, store session.Store) error
	// ChainID is the chain of the sessions.
	ChainID uint64
	// Kills is how often a process is killed, 200 by default.
	Kills int
}

const crashDir = "SESAME_STORETEST_CRASH_DIR"

// Crash starts the running test again as a process of its own that grants, revokes and forgets sessions,
// kills it at a random moment, and requires that every change it saw committed is there, that none is half
// done, and that no key is missing that a leaf names; then from the start. Call it first thing in a test
// function that does nothing else.
func Crash(t *testing.T, c CrashConfig) {
	t.Helper()
	if dir := os.Getenv(crashDir); dir != "" {
		c.work(t, dir) // is the process to be killed
		return
	}
	const workers = 2
	kills := c.Kills
	if kills == 0 {
		kills = 200
	}
	name := t.Name()
	for n := range workers {
		t.Run(fmt.Sprint("worker ", n), func(t *testing.T) {
			t.Parallel()
			c.killAgainAndAgain(t, name, rand.New(rand.NewPCG(uint64(n), 0)), kills/workers)
		})
	}
}

func (c *CrashConfig) killAgainAndAgain(t *testing.T, name string, random *rand.Rand, kills int) {
	dir := t.TempDir() + "/store"
	model := new(session.State)
	for kill := range kills {
		reported := runAndKill(t, name, dir, random, kill%5 == 0)
		have := c.inspect(t, dir)
		step := stepOf(have)
		require.GreaterOrEqual(t, step, max(stepOf(model), reported), "kill %d: a committed change is lost", kill)
		for stepOf(model) < step {
			next, err := storekit.Apply(model, crashStep(stepOf(model)+1, model))
			require.NoError(t, err)
			model = next
		}
		requireSame(t, model, have)
	}
	// Four of five processes are killed after their first step at the earliest.
	require.GreaterOrEqual(t, stepOf(model), kills/2, "the processes were killed before they did anything")
}

// runAndKill returns the last step that the process reported as committed. It is killed at once after its
// start, or some time after its first step.
func runAndKill(t *testing.T, name, dir string, random *rand.Rand, atStart bool) (reported int) {
	t.Helper()
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(name), "/", "$/^") + "$"
	cmd := exec.Command(os.Args[0], "-test.run="+pattern)
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	read := func() bool {
		if !lines.Scan() {
			return false
		}
		reported, err = strconv.Atoi(lines.Text())
		require.NoError(t, err, "the process says: %s", lines.Text())
		return true
	}
	if atStart || read() {
		time.Sleep(time.Duration(random.Int64N(int64(25 * time.Millisecond))))
	}
	require.NoError(t, cmd.Process.Kill())
	for read() {
	}
	require.Error(t, cmd.Wait(), "the process ended by itself")
	return reported
}

// inspect opens the store as the next start would, and checks that it can be worked with.
func (c *CrashConfig) inspect(t *testing.T, dir string) *session.State {
	t.Helper()
	store, err := c.Open(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.close(store)) }()
	ref, keys := c.ref(), store.(session.Keyring)
	state := stateOf(t, store, ref)
	held, err := keys.Keys(t.Context(), ref)
	require.NoError(t, err)
	for i := range state.Leaves {
		require.Contains(t, held, state.Leaves[i].Key, "the key of %s is lost", state.Leaves[i].ID)
	}
	if n := len(state.Leaves); n > 0 {
		requireSigns(t, keys, ref, state.Leaves[n-1].Key)
	}
	return state
}

func (c *CrashConfig) close(store session.Store) error {
	if c.Close == nil {
		return nil
	}
	return c.Close(store)
}

func (c *CrashConfig) ref() session.Ref {
	return session.Ref{ChainID: c.ChainID, Account: common.BigToAddress(bigInt(0xacc))}
}

// work changes the store, and says after each change that it is committed, until the process is killed.
func (c *CrashConfig) work(t *testing.T, dir string) {
	store, err := c.Open(dir)
	require.NoError(t, err)
	state := stateOf(t, store, c.ref())
	for {
		n := stepOf(state) + 1
		if c.Rotate != nil && n%4 == 0 {
			require.NoError(t, c.Rotate(t.Context(), store))
		}
		state = c.commit(t, store, state, crashStep(n, state))
		fmt.Println(n)
	}
}

// commit makes the keys durable before the leaves that name them, and removes them after those.
func (c *CrashConfig) commit(t *testing.T, store session.Store, state *session.State, change *session.Change) *session.State {
	t.Helper()
	ref, keys := c.ref(), store.(session.Keyring)
	for i := range change.Put {
		_, err := keys.ImportKey(t.Context(), ref, crashKey(change.Put[i].ID))
		require.NoError(t, err)
	}
	version, err := store.Apply(t.Context(), ref, state.Version, change)
	require.NoError(t, err)
	for _, id := range change.Delete {
		err := keys.RemoveKey(t.Context(), ref, crypto.PubkeyToAddress(crashKey(id).PublicKey))
		require.NoError(t, err)
	}
	next, err := storekit.Apply(state, change)
	require.NoError(t, err)
	next.Version = version
	return next
}

// stepOf returns the number of the step that led to the state.
func stepOf(state *session.State) int {
	if state.Pending == nil {
		return 0
	}
	return int(state.Pending.OpHash.Big().Int64())
}

// crashStep returns the n-th change, which depends on nothing but the state before it.
func crashStep(n int, state *session.State) *session.Change {
	random := rand.New(rand.NewPCG(uint64(n), 1))
	change := &session.Change{Header: session.Header{
		Root:    crypto.Keccak256Hash(state.Root[:]),
		Pending: &session.PendingRoot{OpHash: common.BigToHash(bigInt(n)), Operation: newOperation(), Until: uint64(n)},
	}}
	if len(state.Leaves) > 20 {
		change.Delete = []string{state.Leaves[random.IntN(10)].ID, state.Leaves[10].ID}
	}
	if len(state.Leaves) > 11 && random.IntN(3) == 0 {
		revoked := state.Leaves[11+random.IntN(len(state.Leaves)-11)].Clone()
		revoked.Status, revoked.InTree = session.StatusRevoked, random.IntN(2) == 0
		change.Put = append(change.Put, revoked)
	}
	granted := newLeaf(n)
	granted.Key = crypto.PubkeyToAddress(crashKey(granted.ID).PublicKey)
	change.Put = append(change.Put, granted)
	return change
}

// crashKey returns the key of the leaf with that ID.
func crashKey(id string) *ecdsa.PrivateKey {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("crash " + id)))
	if err != nil {
		panic(err)
	}
	return key
}
