package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/ethnode"
	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/userop"
)

var update = flag.Bool("update", false, "write the golden files anew")

// server is the PostgreSQL of these tests.
var server pgtest.Server

// asSesame is the variable with which the tests' binary is the command itself.
const asSesame = "SESAME_TEST_IS_SESAME"

func TestMain(m *testing.M) {
	if os.Getenv(asSesame) != "" {
		main()
	}
	var opts []goleak.Option
	for _, f := range accounttest.LeftGoroutines() {
		opts = append(opts, goleak.IgnoreTopFunction(f))
	}
	goleak.VerifyTestMain(m, append(opts, goleak.Cleanup(func(code int) {
		server.Close()
		os.Exit(code)
	}))...)
}

// world is where commands are tried: a model of a chain, and a directory with what a story left in a store.
type world struct {
	t     *testing.T
	model *accounttest.Model
	dir   string // of files
	store string // the directory of the store
	env   map[string]string
	stdin string
	now   func() time.Time
	// terminal says that somebody sits there, who types stdin.
	terminal bool
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, model: accounttest.NewModel(accounttest.ModelConfig{}), dir: t.TempDir(), env: make(map[string]string), now: time.Now}
	w.store = filepath.Join(w.dir, "store")
	w.env["SESAME_SEAL"] = "key:" + w.file("seal.key", strings.Repeat("k", seal.KeySize))
	return w
}

// file writes a file and returns its path.
func (w *world) file(name, text string) string {
	path := filepath.Join(w.dir, name)
	require.NoError(w.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// modelDialer connects to the model, whatever the URL.
type modelDialer struct{ model *accounttest.Model }

func (d modelDialer) node(string) (ethnode.Node, func(), error) { return d.model.Chain, func() {}, nil }

func (d modelDialer) bundler(string) (userop.Bundler, func()) { return d.model.Bundler, func() {} }

// terminal is a standard input at which somebody sits.
type terminal struct{ *strings.Reader }

func (terminal) Terminal() bool { return true }

// program is a program of the world, and what it writes.
func (w *world) program() (p *program, stdout, stderr *bytes.Buffer) {
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	p = newProgram(strings.NewReader(w.stdin), stdout, stderr, func(name string) string { return w.env[name] })
	if w.terminal {
		p.stdin = terminal{strings.NewReader(w.stdin)}
	}
	p.dial, p.now = modelDialer{w.model}, w.now
	return p, stdout, stderr
}

// run runs a command line, and returns its exit code and what it wrote.
func (w *world) run(args ...string) (code int, stdout, stderr string) {
	w.t.Helper()
	p, out, note := w.program()
	code = p.run(w.t.Context(), args)
	return code, out.String(), note.String()
}

// ok runs a command line that ends with this exit code, and returns what it wrote to standard output.
func (w *world) ok(code int, args ...string) string {
	w.t.Helper()
	is, out, note := w.run(args...)
	require.Equal(w.t, code, is, "%s%s", out, note)
	return out
}

// fails runs a command line that does not work, which writes nothing to standard output, and returns why.
func (w *world) fails(code int, args ...string) string {
	w.t.Helper()
	is, out, note := w.run(args...)
	require.Equal(w.t, code, is, "%s%s", out, note)
	require.Empty(w.t, out)
	return note
}

var (
	aHash   = regexp.MustCompile(`\b0x[0-9a-f]{64}\b`)
	aMoment = regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`)
	// aUnixTime is one of a document.
	aUnixTime = regexp.MustCompile(`"(validUntil)": \d{10}\b`)
	spaces    = regexp.MustCompile(` +\n`)
)

// golden compares a text with a golden file, apart from times, hashes and directories.
func (w *world) golden(name, text string) {
	w.t.Helper()
	text = strings.ReplaceAll(text, w.dir, "DIR")
	text = aMoment.ReplaceAllString(aUnixTime.ReplaceAllString(text, `"$1": 0`), "TIME")
	hashes := make(map[string]string)
	text = aHash.ReplaceAllStringFunc(text, func(hash string) string {
		if strings.Trim(hash, "0x") == "" {
			return hash
		}
		if _, known := hashes[hash]; !known {
			hashes[hash] = fmt.Sprintf("HASH%d", len(hashes)+1)
		}
		return hashes[hash]
	})
	require.False(w.t, spaces.MatchString(text), "a line ends with a space:\n%s", text)
	path := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(w.t, os.MkdirAll("testdata", 0o755))
		require.NoError(w.t, os.WriteFile(path, []byte(text), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(w.t, err, "go test -update writes it")
	require.Equal(w.t, string(want), text)
}

// with opens the store for what a program does with it, and closes it again.
func (w *world) with(do func(ctx context.Context, store *filestore.Store)) {
	w.t.Helper()
	sealer, err := seal.NewKeyAEAD(bytes.Repeat([]byte("k"), seal.KeySize))
	require.NoError(w.t, err)
	store, err := filestore.Open(w.store, filestore.Config{Sealer: sealer})
	require.NoError(w.t, err)
	do(w.t.Context(), store)
	require.NoError(w.t, store.Close())
}

// owner is the account of a name.
func (w *world) owner(name string) *account.OwnedAccount {
	return w.model.Client().OwnedAccount(account.KeyOwner(accounttest.Key(name)))
}

// key is the address of a session key of a name that the store has.
func (w *world) key(store session.Keyring, ref session.Ref, name string) common.Address {
	w.t.Helper()
	address, err := store.ImportKey(w.t.Context(), ref, accounttest.Key(name))
	require.NoError(w.t, err)
	return address
}

// minting is a policy with care: the key may mint NFTs to the user for a day.
func minting(key, user common.Address) policy.ABI {
	return policy.ABI{
		Key: key, Contract: accounttest.WellKnownContracts().NFT, Function: "safeMint(address to)",
		Rules: []policy.Rule{policy.Arg("to", policy.Equal, user)}, Window: policy.Until(time.Now().Add(24 * time.Hour)),
	}
}

// careless is a policy without any.
func careless(key common.Address) policy.ABI {
	return policy.ABI{
		Key: key, Contract: accounttest.WellKnownContracts().Token, Function: "approve(address spender, uint256 amount)", Window: policy.Forever(),
	}
}

// grant grants policies, and waits until they are active.
func (w *world) grant(ctx context.Context, store session.Store, owner *account.OwnedAccount, policies ...policy.Policy) *session.Sessions {
	w.t.Helper()
	sess, tx, err := owner.Grant(ctx, store, policies, account.Sponsored(), account.AllowDanger(policy.FindingOpenTo))
	require.NoError(w.t, err)
	_, err = sess.Activate(ctx, tx)
	require.NoError(w.t, err)
	return sess
}

// story leaves a store as a busy day does: alice has a session with care, one without, one that was suspended
// and one that was revoked; bob has one whose grant waits for the chain; and all of carol is stopped.
func (w *world) story() {
	w.t.Helper()
	w.with(func(ctx context.Context, store *filestore.Store) {
		alice, bob, carol := w.owner("alice"), w.owner("bob"), w.owner("carol")
		key := w.key(store, alice.Ref(), "alice's session key")
		w.key(store, alice.Ref(), "alice's unused key")
		sess := w.grant(ctx, store, alice,
			session.Named("minting", minting(key, alice.Address())), session.Named("careless", careless(key)),
			session.Named("leaked", minting(key, accounttest.Address("a friend"))), session.Named("old", minting(key, accounttest.Address("another"))))
		tx, err := alice.Revoke(ctx, sess, "old", account.Sponsored())
		require.NoError(w.t, err)
		_, err = sess.Activate(ctx, tx)
		require.NoError(w.t, err)
		require.NoError(w.t, sess.Suspend(ctx, "leaked"))

		w.grant(ctx, store, carol, session.Named("minting", minting(w.key(store, carol.Ref(), "carol's session key"), carol.Address())))
		_, err = store.Stop(ctx, session.Stop{Name: "carol", Ref: carol.Ref(), Who: "ops", Why: "she asked"})
		require.NoError(w.t, err)

		w.model.Bundler.Pause()
		_, _, err = bob.Grant(ctx, store, []policy.Policy{
			session.Named("trading", minting(w.key(store, bob.Ref(), "bob's session key"), bob.Address())),
		}, account.Sponsored())
		require.NoError(w.t, err)
	})
}
