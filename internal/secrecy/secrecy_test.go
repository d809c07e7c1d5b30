package secrecy

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/tsstore"
	"github.com/go-sesame/sesame/userop"
)

// The secrets that are searched for.
var (
	sessionKey = accounttest.Key("session")
	ownerKey   = accounttest.Key("owner")
	sealingKey = crypto.Keccak256([]byte("sealing key"))
	passphrase = []byte("correct horse battery staple")
	apiKey     = []byte("api-key-4711")
)

// secrets are all of them by name, as bytes.
func secrets() map[string][]byte {
	return map[string][]byte{
		"session key": crypto.FromECDSA(sessionKey),
		"owner's key": crypto.FromECDSA(ownerKey),
		"sealing key": sealingKey,
		"passphrase":  passphrase,
		"API key":     apiKey,
	}
}

// holders returns a value of each exported type that has a secret within reach, in use, so that what is made
// or opened on first use is there.
func holders(t *testing.T) map[string]any {
	all := make(map[string]any)
	for _, add := range []func(*testing.T, map[string]any){addSeals, addStores, addSessions, addAccounts, addOnesOwn} {
		add(t, all)
	}
	return all
}

func newSealer(t *testing.T) *seal.KeyAEAD {
	t.Helper()
	aead, err := seal.NewKeyAEAD(sealingKey)
	require.NoError(t, err)
	return aead
}

func addSeals(t *testing.T, all map[string]any) {
	key, err := seal.CopyKey(sessionKey)
	require.NoError(t, err)
	phrase, err := seal.NewPassphrase(passphrase, seal.Cost{Time: 1, MemoryKiB: 64, Threads: 1})
	require.NoError(t, err)
	_, err = key.Seal(phrase, nil) // derives a key
	require.NoError(t, err)
	all["seal.Key"] = key
	all["seal.KeyAEAD"] = newSealer(t)
	all["seal.Passphrase"] = phrase
	all["seal.Envelope"] = seal.Envelope{KEK: newSealer(t)}
	all["seal.Envelope by passphrase"] = &seal.Envelope{KEK: phrase}
	all["seal.Any"] = seal.Any{newSealer(t), phrase}
}

func addStores(t *testing.T, all map[string]any) {
	dir := t.TempDir()
	open := func(open func(string, filestore.Config) (*filestore.Store, error)) *filestore.Store {
		store, err := open(filepath.Join(dir, "file"), filestore.Config{Sealer: newSealer(t)})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		return store
	}
	file := open(filestore.Open)
	plain, err := tsstore.OpenPlaintext(filepath.Join(dir, "ts"), testRef.ChainID)
	require.NoError(t, err)
	all["memstore.Store"] = importInto(t, memstore.New())
	all["filestore.Store"] = importInto(t, file)
	all["filestore.Store to read"] = useKey(t, open(filestore.OpenReadOnly))
	all["filestore.Config"] = filestore.Config{Sealer: newSealer(t)}
	all["pgstore.Config"] = pgstore.Config{Sealer: newSealer(t)}
	all["tsstore.Store"] = importInto(t, plain)
	all["tsstore.ExportOption"] = tsstore.WithKeys(newSealer(t))
}

var testRef = session.Ref{ChainID: 80002, Account: accounttest.Address("account")}

// importInto puts the session key into a keyring and has it sign.
func importInto(t *testing.T, keys session.Keyring) session.Keyring {
	t.Helper()
	_, err := keys.ImportKey(t.Context(), testRef, sessionKey)
	require.NoError(t, err)
	return useKey(t, keys)
}

func useKey(t *testing.T, keys session.Keyring) session.Keyring {
	t.Helper()
	key := crypto.PubkeyToAddress(sessionKey.PublicKey)
	_, err := keys.SignDigest(t.Context(), session.SignRequest{Ref: testRef, Key: key, Digest: common.Hash{1}})
	require.NoError(t, err)
	return keys
}

// granted returns a session of one leaf, for the session key.
func granted(t *testing.T, store session.Store) *session.Sessions {
	t.Helper()
	compiled, err := mintPolicy().Compile(policy.Modules{}.WithDefaults())
	require.NoError(t, err)
	leaf := session.Leaf{ID: "a", Status: session.StatusActive, InTree: true, Key: mintPolicy().Key, Compiled: compiled}
	root := merkle.New([]common.Hash{leaf.Hash()}).Root()
	_, err = store.Apply(t.Context(), testRef, 0, &session.Change{Header: session.Header{Root: root}, Put: []session.Leaf{leaf}})
	require.NoError(t, err)
	sess, err := session.Open(t.Context(), store, testRef)
	require.NoError(t, err)
	return sess
}

func mintPolicy() policy.ABI {
	return policy.ABI{
		Key: crypto.PubkeyToAddress(sessionKey.PublicKey), Contract: accounttest.Address("NFT"),
		Function: "safeMint(address to)", Window: policy.Forever(),
	}
}

func addSessions(t *testing.T, all map[string]any) {
	store := memstore.New()
	importInto(t, store)
	sess := granted(t, store)
	plan, err := sess.PlanGrant(policy.Modules{}, session.Named("b", mintPolicy()))
	require.NoError(t, err)
	signer, err := session.NewSigner(policy.Modules{}, sess.Leaf(0))
	require.NoError(t, err)
	document, err := sess.ExportWithKeys(t.Context(), newSealer(t))
	require.NoError(t, err)
	require.Len(t, document.Keys, 1)
	_, missing := store.SignDigest(t.Context(), session.SignRequest{Ref: testRef})

	all["session.Sessions"] = sess
	all["session.RootChange"] = plan
	all["session.LeafRef"] = sess.Leaf(0)
	all["session.Signer"] = signer
	all["session.Signer forced"] = signer.Force()
	all["session.Option"] = session.WithKeyring(store)
	all["session.ImportOption"] = session.WithSealedKeys(newSealer(t))
	all["session.Document"] = document
	all["session.SealedKey"] = document.Keys[0]
	all["error of a keyring"] = missing
	all["userop.Draft"] = userop.Draft{Signer: signer}
}

// locked is a keystore that holds a key and signs with it.
type locked struct{ key *seal.Key }

func (l locked) SignHash(_ accounts.Account, hash []byte) ([]byte, error) {
	return l.key.Sign(common.BytesToHash(hash))
}

func addAccounts(t *testing.T, all map[string]any) {
	url := "http://127.0.0.1:1/v2/80002/" + string(apiKey)
	node, err := ethclient.Dial(url)
	require.NoError(t, err)
	t.Cleanup(node.Close)
	services := account.Config{ChainID: 80002, Chain: node, Bundler: bundler.New(url), Paymaster: paymaster.New(url)}
	client, err := account.NewClient(services)
	require.NoError(t, err)
	lanes := client.NewLanes(account.LanesConfig{})
	t.Cleanup(func() { require.NoError(t, lanes.Close(context.Background())) })
	owner := account.KeyOwner(ownerKey)
	owned := client.OwnedAccount(owner)
	key, err := seal.CopyKey(ownerKey)
	require.NoError(t, err)
	files := keystore.NewKeyStore(t.TempDir(), keystore.LightScryptN, keystore.LightScryptP)
	entry, err := files.ImportECDSA(ownerKey, string(passphrase))
	require.NoError(t, err)
	require.NoError(t, files.Unlock(entry, string(passphrase)))
	_, failed := owned.Send(t.Context(), []account.Call{{To: testRef.Account}})
	require.Error(t, failed)

	all["account.Client"] = client
	all["account.Account"] = client.Account(testRef.Account)
	all["account.Lanes"] = lanes
	all["account.Owner"] = owner
	all["account.Owner of a keystore"] = account.KeystoreOwner(files, entry)
	all["account.Owner of another keystore"] = account.KeystoreOwner(locked{key}, entry)
	all["account.OwnedAccount"] = owned
	all["account.OwnedAccount, multichain"] = client.OwnedAccount(owner, account.Multichain(), account.ActiveModule(client.ECDSAModule(owner)))
	all["account.Module"] = client.ECDSAModule(owner)
	all["account.Leg"] = account.Leg{Account: owned}
	all["account.GrantLeg"] = account.GrantLeg{Account: owned}
	all["account.Granted"] = account.Granted{Tx: client.Sender().Watch(common.Hash{1})}
	all["account.Option"] = account.WithSigner(owned.Signer())
	all["account.OwnedOption"] = account.DefaultModule(client.ECDSAModule(owner))
	all["userop.Signer of an owner"] = owned.Signer()
	all["userop.Draft of an owner"] = userop.Draft{Signer: owned.Signer()}
	all["userop.Sender"] = client.Sender()
	all["userop.SenderConfig"] = userop.SenderConfig{ChainID: 80002, Bundler: services.Bundler, Paymaster: services.Paymaster}
	all["userop.Pending"] = client.Sender().Watch(common.Hash{1})
	all["bundler.Client"] = services.Bundler
	all["paymaster.Client"] = services.Paymaster
	all["error of a send"] = failed
}

// What users bring may hold its secret by value, and know how to print itself only where it is asked.
type (
	ownAEAD    struct{ key string }
	ownKeyring struct {
		session.Keyring
		key string
	}
	ownStore struct {
		session.Store
		key string
	}
	ownChain struct {
		account.Chain
		url string
	}
	ownBundler struct {
		userop.Bundler
		url string
	}
	ownPaymaster struct {
		userop.Paymaster
		url string
	}
	ownOwner    struct{ key string }
	ownKeystore struct{ key string }
	ownSigner   struct {
		userop.Signer
		key string
	}
)

func (a ownAEAD) Encrypt(plaintext, _ []byte) ([]byte, error) { return bytes.Clone(plaintext), nil }

func (a ownAEAD) Decrypt(sealed, _ []byte) ([]byte, error) { return bytes.Clone(sealed), nil }

func (ownOwner) Address() common.Address { return testRef.Account }

func (ownOwner) SignMessage(context.Context, []byte) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

func (ownKeystore) SignHash(accounts.Account, []byte) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

// asked is a value that prints itself without the secret where it is asked, which printers do not do in
// fields that are not exported.
type asked struct{ value any }

func addOnesOwn(t *testing.T, all map[string]any) {
	aead := ownAEAD{string(apiKey)}
	file, err := filestore.Open(filepath.Join(t.TempDir(), "file"), filestore.Config{Sealer: aead})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	all["own AEAD in a filestore.Store"] = importInto(t, file)
	all["own AEAD in a session.ImportOption"] = session.WithSealedKeys(aead)
	all["own AEAD in a tsstore.ExportOption"] = tsstore.WithKeys(aead)

	store := memstore.New()
	keys := ownKeyring{importInto(t, store), string(apiKey)}
	granted(t, store)
	sess, err := session.Open(t.Context(), ownStore{store, string(apiKey)}, testRef, session.WithKeyring(keys))
	require.NoError(t, err)
	signer, err := session.NewSigner(policy.Modules{}, sess.Leaf(0))
	require.NoError(t, err)
	plan, err := sess.PlanGrant(policy.Modules{}, session.Named("b", mintPolicy()))
	require.NoError(t, err)
	all["own keyring in a session.Option"] = session.WithKeyring(keys)
	all["own store in a session.Sessions"] = asked{sess}
	all["own store in a session.LeafRef"] = asked{sess.Leaf(0)}
	all["own store in a session.Signer"] = asked{signer}
	all["own store in a session.RootChange"] = asked{plan}

	url := "http://127.0.0.1:1/" + string(apiKey)
	client, err := account.NewClient(account.Config{ChainID: 80002, Chain: ownChain{url: url}, Bundler: ownBundler{url: url}, Paymaster: ownPaymaster{url: url}})
	require.NoError(t, err)
	lanes := client.NewLanes(account.LanesConfig{})
	t.Cleanup(func() { require.NoError(t, lanes.Close(context.Background())) })
	owned := client.OwnedAccount(ownOwner{string(apiKey)})
	all["own services in an account.Client"] = asked{client}
	all["own services in an account.Account"] = asked{client.Account(testRef.Account)}
	all["own services in account.Lanes"] = asked{lanes}
	all["own services in a userop.Sender"] = asked{client.Sender()}
	all["own services in a userop.Pending"] = asked{client.Sender().Watch(common.Hash{1})}
	all["own owner in an account.OwnedAccount"] = asked{owned}
	all["own owner in an account.Option"] = asked{account.WithSigner(owned.Signer())}
	all["own keystore in an account.Owner"] = asked{account.KeystoreOwner(ownKeystore{string(apiKey)}, accounts.Account{})}
	other := account.Module{Address: testRef.Account, Signer: ownSigner{key: string(apiKey)}}
	all["own signer in a userop.Signer"] = asked{client.OwnedAccount(account.KeyOwner(ownerKey), account.ActiveModule(other)).Signer()}
	all["own owner in an account.Module"] = asked{client.ECDSAModule(ownOwner{string(apiKey)})}
	all["own owner in a userop.Signer"] = asked{owned.Signer()}
	all["own owner in a userop.Draft"] = asked{userop.Draft{Signer: owned.Signer()}}
	all["own owner in an account.OwnedOption"] = asked{account.DefaultModule(client.ECDSAModule(ownOwner{string(apiKey)}))}
}

func TestNoSecretIsPrinted(t *testing.T) {
	for name, value := range holders(t) {
		t.Run(name, func(t *testing.T) {
			text := printed(t, value)
			for secret, raw := range secrets() {
				requireAbsent(t, secret, raw, text)
			}
		})
	}
}

// printed returns everything that the standard library's printers make of a value, alone and inside others.
func printed(t *testing.T, value any) string {
	t.Helper()
	type exported struct{ Value any }
	type hidden struct{ value any }
	var out strings.Builder
	values := []any{value, &value, exported{value}, &exported{value}, hidden{value}, []any{value}, map[string]any{"key": value}}
	if _, ok := value.(asked); ok {
		value = value.(asked).value
		values = []any{value, &value, exported{value}, &exported{value}, []any{value}, map[string]any{"key": value}}
	}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%b", "%c", "%U", "%e", "%g", "%t", "%p"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, v)
		text, err := json.Marshal(v)
		fmt.Fprintf(&out, "%s %v\n", text, err)
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).InfoContext(context.Background(), "printed", "value", v, slog.Group("in", "value", v))
		}
	}
	if named, ok := value.(fmt.Stringer); ok {
		fmt.Fprintln(&out, named.String())
	}
	if named, ok := value.(fmt.GoStringer); ok {
		fmt.Fprintln(&out, named.GoString())
	}
	return out.String()
}

// requireAbsent searches the text for a secret in every form that a printer gives bytes and numbers.
func requireAbsent(t *testing.T, name string, secret []byte, text string) {
	t.Helper()
	for _, form := range forms(secret) {
		// Not with require.NotContains: a failure would print the text.
		if strings.Contains(text, form) {
			t.Errorf("the %s shows, as %.16s…", name, form)
		}
	}
}

func forms(secret []byte) []string {
	number := common.BytesToHash(secret).Big()
	all := []string{
		string(secret),
		fmt.Sprintf("%q", secret)[1:],
		fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("% x", secret), fmt.Sprintf("%#v", secret),
		strings.Trim(fmt.Sprint(secret), "[]"),
		base64.StdEncoding.EncodeToString(secret), base64.RawURLEncoding.EncodeToString(secret),
		number.String(), number.Text(8), number.Text(2),
	}
	for _, word := range number.Bits() { // as %v prints a big.Int from within
		if word > 1<<32 {
			all = append(all, fmt.Sprintf("%d", uint(word)), fmt.Sprintf("%x", uint(word)), fmt.Sprintf("%X", uint(word)))
		}
	}
	return all
}

// TestSearchFinds sees to it that the search would find each secret in a value that prints it.
func TestSearchFinds(t *testing.T) {
	for name, raw := range secrets() {
		for form, value := range map[string]any{
			"bytes": raw, "text": string(raw), "number": common.BytesToHash(raw).Big(), "error": fmt.Errorf("key %x", raw),
			"field": struct{ key []byte }{raw}, "key": sessionKey,
		} {
			if form == "key" && name != "session key" {
				continue
			}
			text, found := printed(t, value), false
			for _, f := range forms(raw) {
				found = found || strings.Contains(text, f)
			}
			require.True(t, found, "%s as %s", name, form)
		}
	}
}
