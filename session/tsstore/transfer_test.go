package tsstore_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storekit"
	"github.com/go-sesame/sesame/session/tsstore"
)

// openFiles opens a copy of files that the SDK wrote.
func openFiles(t *testing.T, testdata string) (*tsstore.Store, sdk) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", testdata))))
	store, err := tsstore.OpenPlaintext(dir, ref.ChainID)
	require.NoError(t, err)
	return store, sdk{t, filepath.Join(dir, sessionsFile)}
}

// openNew opens an empty directory.
func openNew(t *testing.T, chainID uint64) (store *tsstore.Store, dir string) {
	t.Helper()
	dir = t.TempDir()
	store, err := tsstore.OpenPlaintext(dir, chainID)
	require.NoError(t, err)
	return store, dir
}

// chain shows the root it was given last.
type chain struct{ root common.Hash }

func (c *chain) SessionRoot(context.Context, common.Address) (common.Hash, error) { return c.root, nil }
func (c *chain) SessionRootAndNonce(context.Context, common.Address, *uint256.Int) (session.OnChain, error) {
	return session.OnChain{Root: c.root, NonceUsed: true}, nil
}

func (c *chain) SessionContracts() (entryPoint, manager common.Address) {
	d := contracts.Deployed()
	return d.EntryPoint, d.SessionKeyManager
}

// requireProves requires that the leaf signs, and that its proof leads to root.
func requireProves(t *testing.T, sess *session.Sessions, i int, root common.Hash) {
	t.Helper()
	leaf, err := sess.Leaf(i).Leaf()
	require.NoError(t, err)
	proof, err := sess.Proof(i)
	require.NoError(t, err)
	require.True(t, merkle.Verify(root, leaf.Hash(), proof))
}

// What the SDK leaves behind when it revokes, and the tree of the root it then sets. The roots are its own.
var revocations = map[string]struct {
	revoked []int
	granted int // after it
	root    string
	tree    []int
	once    string
}{
	"one":                       {[]int{2}, 0, "0xd0c04110a147394da86d7bd34bc45e29160b6b214cd46a79f4a52ca8685b4a1f", []int{0, 1, 2, 3, 0, 1, 3}, "all more than once but b1973e1c20"},
	"two in one call":           {[]int{1, 2}, 0, "0xd0c04110a147394da86d7bd34bc45e29160b6b214cd46a79f4a52ca8685b4a1f", []int{0, 1, 2, 3, 0, 1, 3}, "all more than once but b1973e1c20"},
	"two one by one":            {[]int{1, 2}, 0, "0x4d769077d871f7ddda4db63fd1edfb6b9d972f7e57a4827dd13ceea5834b7234", []int{0, 1, 2, 3, 0, 2, 3, 0, 1, 3}, "all of them more than once"},
	"an ID that does not exist": {nil, 0, "0xa24c7ed1b6f03302d4fabfc8a30eed5fb7aa19814de6508cb098d658ed4c095e", []int{0, 1, 2, 3, 0, 1, 2, 3}, "all of them more than once"},
	"one, then a grant":         {[]int{1}, 1, "0xe1e5a95cf64d545478be03b21f013a8f51e30000f37fdbb8ea6db1d489f1c42a", []int{0, 1, 2, 3, 0, 2, 3, 4}, "all more than once but 33f0601aec, 64c5d83796"},
	"status not yet written":    {nil, 0, "0xd0c04110a147394da86d7bd34bc45e29160b6b214cd46a79f4a52ca8685b4a1f", []int{0, 1, 2, 3, 0, 1, 3}, "all more than once but b1973e1c20"},
}

// openRevoked opens files as the SDK's revokeSessions leaves them.
func openRevoked(t *testing.T, name string) (*tsstore.Store, sdk) {
	store, file := openFiles(t, "sdk-revoked")
	file.change(func(f object) {
		nodes := f["leafNodes"].([]any)
		for range revocations[name].granted {
			added := maps.Clone(nodes[0].(object))
			added["sessionID"], added["validUntil"] = "64c5d83796", 1900000004
			nodes = append(nodes, added)
		}
		for i, node := range nodes {
			node.(object)["status"] = "PENDING"
			if slices.Contains(revocations[name].revoked, i) {
				node.(object)["status"] = "REVOKED"
			}
		}
		f["leafNodes"], f["merkleRoot"] = nodes, revocations[name].root
	})
	return store, file
}

func TestRecognisesRevocationsOfTheSDK(t *testing.T) {
	for name, test := range revocations {
		t.Run(name, func(t *testing.T) {
			store, _ := openRevoked(t, name)
			report, err := store.Inspect(t.Context(), ref)
			require.NoError(t, err)
			require.Equal(t, test.tree, report.Tree)
			err = report.Err()
			require.ErrorIs(t, err, session.ErrRootMismatch)
			require.ErrorIs(t, err, policy.ErrInvalid)
			require.ErrorContains(t, err, "the TypeScript SDK's files of "+ref.String()+" cannot be taken over: merkleRoot: fatal: "+test.root+" is the root that the SDK's revokeSessions makes: its tree has ")
			require.ErrorContains(t, err, test.once+", so that each can still be proven on chain, the revoked too; export with RepeatLeaves, then have the owner grant or revoke, which sets a root without them (repeated-leaves)")
			for i, leaf := range report.Leaves {
				require.True(t, leaf.InTree, "leaf %d", i)
			}
		})
	}
}

// inTheirTime runs a test in a time before the sessions of the files end.
func inTheirTime(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// The leaves stay provable under the root on chain, and the next root leaves out what was revoked.
func TestTransferWithRepeatedLeaves(t *testing.T) {
	for name, test := range revocations {
		inTheirTime(t, name, func(t *testing.T) {
			store, _ := openRevoked(t, name)
			root, memory := common.HexToHash(test.root), memstore.New()
			sess, report, err := tsstore.Transfer(t.Context(), store, ref, memory, nil, tsstore.RepeatLeaves())
			require.NoError(t, err)
			require.NoError(t, report.Err())
			require.Equal(t, root, sess.Root())

			require.NoError(t, sess.On(&chain{root}).Reconcile(t.Context()))
			require.NoError(t, sess.Refresh(t.Context()))
			var stay []common.Hash
			for i, leaf := range sess.Leaves() {
				_, again := strings.CutSuffix(leaf.ID, "'")
				if again || slices.Contains(test.revoked, i) {
					require.Equal(t, session.StatusRevoked, leaf.Status, "leaf %d", i)
					continue
				}
				require.Equal(t, session.StatusActive, leaf.Status, "leaf %d", i)
				requireProves(t, sess, i, root)
				stay = append(stay, leaf.Hash())
				_, err := memory.SignDigest(t.Context(), session.SignRequest{Ref: ref, Key: leaf.Key})
				require.NoError(t, err)
			}
			next, err := sess.PlanRevoke(sess.Leaves()[0].ID)
			require.NoError(t, err)
			require.Equal(t, merkle.New(stay[1:]).Root(), next.Root(), "the next root has what is in force, once")
		})
	}
}

// What no known way leads to is taken over with a root of its own, which the chain does not show.
func TestTransferWithRootOfLeaves(t *testing.T) {
	for name, spoil := range map[string]func(file object){
		"cleared":  func(file object) { file["leafNodes"] = file["leafNodes"].([]any)[1:3] },
		"revoked":  func(object) {},
		"no spoil": func(file object) { file["merkleRoot"] = "" },
	} {
		t.Run(name, func(t *testing.T) {
			store, file := openFiles(t, "sdk-revoked")
			file.change(spoil)
			sess, report, err := tsstore.Transfer(t.Context(), store, ref, memstore.New(), nil, tsstore.RootOfLeaves())
			require.NoError(t, err)
			require.NoError(t, report.Err())
			require.Equal(t, report.LeavesRoot, sess.Root())
			require.Equal(t, file.ids(), idsOf(sess.Leaves()), "each leaf node once")
			require.ErrorIs(t, sess.Confirm(t.Context(), &chain{report.Root}, 0), session.ErrRootMismatch)
		})
	}
	store, file := openFiles(t, "sdk-revoked")
	file.change(func(f object) { f["leafNodes"] = f["leafNodes"].([]any)[1:3] })
	_, _, err := tsstore.Transfer(t.Context(), store, ref, memstore.New(), nil, tsstore.RepeatLeaves())
	require.ErrorIs(t, err, session.ErrRootMismatch, "leaves are not repeated under a root that nobody knows")
	_, _, err = store.Export(t.Context(), ref, tsstore.RepeatLeaves(), tsstore.RootOfLeaves())
	require.EqualError(t, err, "invalid input: export of "+ref.String()+" with both RepeatLeaves and RootOfLeaves; choose one")
}

// The chain decides where the SDK wrote down what never landed.
func TestTransferByTheChain(t *testing.T) {
	store, file := openFiles(t, "sdk")
	leaves := mustLoad(t, store).Leaves
	landed := rootOf(leaves[:2])
	sess, report, err := tsstore.Transfer(t.Context(), store, ref, memstore.New(), nil, tsstore.WithChain(&chain{landed}))
	require.NoError(t, err)
	require.Equal(t, landed, *report.Chain)
	require.Equal(t, []int{0, 1}, report.Tree)
	require.Equal(t, landed, sess.Root())
	require.Equal(t, file.ids()[:2], idsOf(sess.Leaves()))

	unreachable := errors.New("unreachable")
	_, err = store.Inspect(t.Context(), ref, tsstore.WithChain(brokenChain{err: unreachable}))
	require.ErrorIs(t, err, unreachable)
	require.EqualError(t, err, "read session root of "+ref.String()+": unreachable")
}

type brokenChain struct {
	session.Chain
	err error
}

func (c brokenChain) SessionRoot(context.Context, common.Address) (common.Hash, error) {
	return common.Hash{}, c.err
}

// From the SDK's files into a store and back, all that the SDK reads is the same.
func TestRoundTrip(t *testing.T) {
	for _, testdata := range []string{"sdk", "sdk-spoilt"} {
		t.Run(testdata, func(t *testing.T) {
			store, before := openFiles(t, testdata)
			sess, _, err := tsstore.Transfer(t.Context(), store, ref, memstore.New(), nil)
			require.NoError(t, err)
			back, dir := openNew(t, ref.ChainID)
			again, err := tsstore.TransferBack(t.Context(), sess, back)
			require.NoError(t, err)
			require.Equal(t, sess.Root(), again.Root())

			after := sdk{t, filepath.Join(dir, sessionsFile)}
			require.Equal(t, before.read()["merkleRoot"], after.read()["merkleRoot"])
			require.Equal(t, before.meaning(), after.meaning())
			signers, err := os.ReadFile(filepath.Join(dir, signersFile))
			require.NoError(t, err)
			want, err := os.ReadFile(filepath.Join(filepath.Dir(before.path), signersFile))
			require.NoError(t, err)
			require.JSONEq(t, string(want), string(signers))
		})
	}
}

// meaning returns what the leaf nodes say, in one spelling. A status is the store's to decide.
func (s sdk) meaning() (nodes []object) {
	for _, raw := range s.read()["leafNodes"].([]any) {
		node := object{}
		for _, field := range []string{"sessionID", "validUntil", "validAfter", "sessionPublicKey", "sessionValidationModule", "sessionKeyData"} {
			node[field] = raw.(object)[field]
			if text, ok := node[field].(string); ok {
				node[field] = strings.ToLower(text)
			}
		}
		nodes = append(nodes, node)
	}
	return nodes
}

// A session whose tree has another order than its leaves, and leaves outside the tree, is written so that the
// SDK proves with it: its tree are all leaf nodes in their order.
func TestTransferBackIsInTheOrderOfTheTree(t *testing.T) {
	memory := memstore.New()
	var leaves []session.Leaf
	for _, id := range []string{"a", "b", "c", "apart"} {
		key, err := memory.NewKey(t.Context(), ref)
		require.NoError(t, err)
		compiled, err := policy.Raw{Module: common.HexToAddress("0x51"), Key: key, Data: []byte(id), Window: policy.Forever()}.Compile(policy.Modules{})
		require.NoError(t, err)
		leaves = append(leaves, session.Leaf{ID: id, Status: session.StatusActive, InTree: id != "apart", Key: key, Compiled: compiled})
	}
	order := []session.Leaf{leaves[1], leaves[2], leaves[0]}
	header := session.Header{Root: rootOf(order), Order: idsOf(order)}
	_, err := memory.Apply(t.Context(), ref, 0, &session.Change{Header: header, Put: leaves})
	require.NoError(t, err)
	sess, err := session.Open(t.Context(), memory, ref)
	require.NoError(t, err)

	files, dir := openNew(t, ref.ChainID)
	for range 2 { // the second time changes nothing
		back, err := tsstore.TransferBack(t.Context(), sess, files)
		require.NoError(t, err)
		require.Equal(t, header.Root, back.Root())
		file := sdk{t, filepath.Join(dir, sessionsFile)}
		require.Equal(t, header.Order, file.ids())
		require.Equal(t, header.Root, rootOf(mustLoad(t, files).Leaves))
		keys, err := files.Keys(t.Context(), ref)
		require.NoError(t, err)
		require.Len(t, keys, 3, "the key of the leaf outside the tree stays where it is")
	}

	noSealer, err := session.Open(t.Context(), memory, ref, session.WithKeyring(onlyKeyring{memory}))
	require.NoError(t, err)
	_, err = tsstore.TransferBack(t.Context(), noSealer, files)
	require.ErrorIs(t, err, session.ErrNoKey)
	require.EqualError(t, err, "session key missing: the keyring of "+ref.String()+" does not hand out keys")
	wrongChain, dir := openNew(t, 1)
	_, err = tsstore.TransferBack(t.Context(), sess, wrongChain)
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.ErrorContains(t, err, "transfer to "+dir+": ")
}

// onlyKeyring and onlyStore hide what else a store can do.
type (
	onlyKeyring struct{ session.Keyring }
	onlyStore   struct{ session.Store }
)

// failingStore loses every change, as a crash before the leaves are stored does.
type failingStore struct{ *memstore.Store }

var errCrash = errors.New("crash")

func (failingStore) Apply(context.Context, session.Ref, uint64, *session.Change) (uint64, error) {
	return 0, errCrash
}

func TestTransferCanBeRepeated(t *testing.T) {
	from, _ := openSDK(t)
	memory := memstore.New()
	_, report, err := tsstore.Transfer(t.Context(), from, ref, failingStore{memory}, nil)
	require.ErrorIs(t, err, errCrash)
	require.NotNil(t, report)
	keys, err := memory.Keys(t.Context(), ref)
	require.NoError(t, err)
	require.Len(t, keys, 3, "keys are there first")
	version, err := memory.Version(t.Context(), ref)
	require.NoError(t, err)
	require.Zero(t, version)

	first, _, err := tsstore.Transfer(t.Context(), from, ref, memory, nil)
	require.NoError(t, err)
	state, err := memory.Load(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, session.StatusPending, state.Leaves[0].Status, "the chain was not asked yet, whatever the SDK calls it")
	again, _, err := tsstore.Transfer(t.Context(), from, ref, memory, nil)
	require.NoError(t, err)
	require.Equal(t, first.Leaves(), again.Leaves())
	after, err := memory.Load(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, state, after, "the second time changes nothing")
	keys, err = memory.Keys(t.Context(), ref)
	require.NoError(t, err)
	require.Len(t, keys, 3)
}

func TestTransferRefuses(t *testing.T) {
	conflict := session.Leaf{ID: "other", Status: session.StatusActive, InTree: true, Key: common.HexToAddress("0x52"), Compiled: policy.Compiled{Module: common.HexToAddress("0x51")}}
	for name, test := range map[string]struct {
		spoil func(t *testing.T, from *tsstore.Store, file sdk, to *memstore.Store)
		want  error
		text  string
	}{
		"fatal finding": {func(t *testing.T, _ *tsstore.Store, file sdk, _ *memstore.Store) {
			file.change(func(f object) { f["leafNodes"].([]any)[1].(object)["status"] = "DONE" })
		}, policy.ErrInvalid, "the TypeScript SDK's files of " + ref.String() + ` cannot be taken over: leafNodes[1].status (session 46921cb70b): fatal: unknown status "DONE"; correct it, or remove the leaf node if its root was never set (malformed)`},
		"other sessions": {func(t *testing.T, _ *tsstore.Store, _ sdk, to *memstore.Store) {
			_, err := to.Apply(t.Context(), ref, 0, &session.Change{Header: session.Header{Root: conflict.Hash()}, Put: []session.Leaf{conflict}})
			require.NoError(t, err)
		}, session.ErrConflict, "transfer to another store: session store changed meanwhile: the store has 1 other sessions of " + ref.String() + "; adopt the document if the chain shows its root"},
		"waits for the chain": {func(t *testing.T, from *tsstore.Store, _ sdk, _ *memstore.Store) {
			header := mustLoad(t, from).Header
			header.Pending = &session.PendingRoot{Root: common.HexToHash("0x77")}
			mustApply(t, from, session.Change{Header: header})
		}, session.ErrPending, "session is pending: export of " + ref.String() + "; open its sessions with a chain and call Reconcile first"},
		"no leaf in the tree": {func(t *testing.T, from *tsstore.Store, _ sdk, _ *memstore.Store) {
			leaves := mustLoad(t, from).Leaves
			for i := range leaves {
				leaves[i].Status, leaves[i].InTree = session.StatusRevoked, false
			}
			mustApply(t, from, session.Change{Put: leaves})
		}, session.ErrNoLeaf, "no such session leaf: there is nothing to take over of " + ref.String() + ", no leaf is in its tree"},
	} {
		t.Run(name, func(t *testing.T) {
			from, file := openFiles(t, "sdk")
			to := memstore.New()
			test.spoil(t, from, file, to)
			before, err := to.Version(t.Context(), ref)
			require.NoError(t, err)
			sess, report, err := tsstore.Transfer(t.Context(), from, ref, to, nil)
			require.Nil(t, sess)
			require.NotNil(t, report)
			require.ErrorIs(t, err, test.want)
			require.EqualError(t, err, test.text)

			after, err := to.Version(t.Context(), ref)
			require.NoError(t, err)
			require.Equal(t, before, after)
			keys, err := to.Keys(t.Context(), ref)
			require.NoError(t, err)
			require.Empty(t, keys, "nothing is half done")
		})
	}
	empty, dir := openNew(t, ref.ChainID)
	_, report, err := tsstore.Transfer(t.Context(), empty, ref, memstore.New(), nil)
	require.ErrorIs(t, err, session.ErrNotFound)
	require.Nil(t, report)
	require.EqualError(t, err, "no files in "+dir+": no session stored for "+ref.String()+"; grant or import one first")
}

func TestTransferIntoAnotherKeyring(t *testing.T) {
	from, _ := openSDK(t)
	store, keys := onlyStore{memstore.New()}, memstore.New()
	_, _, err := tsstore.Transfer(t.Context(), from, ref, store, nil)
	require.ErrorIs(t, err, session.ErrNoKey)
	require.EqualError(t, err, "transfer to another store: import session document: session key missing: the store of "+ref.String()+" keeps no keys; import with WithKeyring")

	sess, _, err := tsstore.Transfer(t.Context(), from, ref, store, keys)
	require.NoError(t, err)
	held, err := keys.Keys(t.Context(), ref)
	require.NoError(t, err)
	require.ElementsMatch(t, []common.Address{sess.Leaves()[0].Key, sess.Leaves()[1].Key, sess.Leaves()[2].Key}, held)
}

// Keys of leaves that are revoked, and of none, stay behind.
func TestExportedKeys(t *testing.T) {
	from, file := openFiles(t, "sdk")
	_, err := from.NewKey(t.Context(), ref)
	require.NoError(t, err)
	file.change(func(f object) { f["leafNodes"].([]any)[0].(object)["status"] = "REVOKED" })
	leaves := mustLoad(t, from).Leaves
	require.NoError(t, from.RemoveKey(t.Context(), ref, leaves[2].Key))

	aead, err := seal.NewKeyAEAD(make([]byte, 32))
	require.NoError(t, err)
	document, _, err := from.Export(t.Context(), ref, tsstore.WithKeys(aead))
	require.NoError(t, err)
	require.Len(t, document.Keys, 1)
	require.Equal(t, leaves[1].Key, document.Keys[0].Address)
	sess, err := session.Import(t.Context(), memstore.New(), document, session.WithSealedKeys(aead))
	require.NoError(t, err)
	require.Equal(t, session.StatusRevoked, sess.Leaves()[0].Status)

	document, _, err = from.Export(t.Context(), ref)
	require.NoError(t, err)
	require.Empty(t, document.Keys, "no keys unless they are asked for")
}

// Names of functions come along, so that the next store can speak of arguments by their names.
func TestExportNamesFunctions(t *testing.T) {
	from, _ := openFiles(t, "sdk-spoilt")
	transfer, err := abi.ParseFunction("transfer(address to, uint256 amount)")
	require.NoError(t, err)
	document, _, err := from.Export(t.Context(), ref, tsstore.WithFunctions(transfer))
	require.NoError(t, err)
	require.Equal(t, "function transfer(address to, uint256 amount)", document.Leaves[0].Function)
	require.Empty(t, document.Leaves[5].Function, "of another selector")
}

func TestSealKey(t *testing.T) {
	store, _ := openSDK(t)
	key := mustLoad(t, store).Leaves[0].Key
	aead, err := seal.NewKeyAEAD(make([]byte, 32))
	require.NoError(t, err)
	sealed, err := store.SealKey(t.Context(), ref, key, aead)
	require.NoError(t, err)
	opened, err := seal.OpenKey(aead, sealed, seal.AssociatedData(ref.ChainID, ref.Account, key), key)
	require.NoError(t, err)
	require.Equal(t, key, opened.Address())

	_, err = store.SealKey(t.Context(), ref, common.HexToAddress("0x77"), aead)
	require.ErrorIs(t, err, session.ErrNoKey)
	_, err = store.SealKey(t.Context(), session.Ref{ChainID: 1, Account: ref.Account}, key, aead)
	require.ErrorIs(t, err, policy.ErrInvalid)

	digest := crypto.Keccak256Hash([]byte("digest"))
	sig, err := store.SignDigest(t.Context(), session.SignRequest{Ref: ref, Key: key, Digest: digest})
	require.NoError(t, err)
	err = storekit.CheckSignature(sig, digest, key)
	require.NoError(t, err, "a local keyring's signatures are not recovered once more, so they must be right")
}
