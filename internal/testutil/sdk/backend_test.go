package sdk_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/internal/testutil/sdk"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/tsstore"
)

const passphrase = "of the tests"

// stage is a chain, the example backend's store, the SDK's files, and an owner.
type stage struct {
	t            *testing.T
	devnet       *accounttest.Devnet
	bundler      *accounttest.Bundler // of the kind that the SDK knows
	program      string
	store, files string
	owner        *ecdsa.PrivateKey
	account      common.Address
}

func newStage(t *testing.T, owner string) *stage {
	t.Helper()
	dir := t.TempDir()
	s := &stage{t: t, devnet: accounttest.NewDevnet(t, accounttest.DevnetConfig{}), owner: accounttest.Key(owner),
		program: filepath.Join(dir, "backend"), store: filepath.Join(dir, "store"), files: filepath.Join(dir, "files")}
	s.bundler = accounttest.NewBundler(t, accounttest.BundlerConfig{Chain: s.devnet.Chain, Vendor: bundlertest.Biconomy})
	s.account = s.devnet.Client.OwnedAccount(account.KeyOwner(s.owner)).Address()
	require.NoError(t, os.Mkdir(s.files, 0o700))
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", s.program, "github.com/go-sesame/sesame/examples/backend").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return s
}

// job is one for the SDK, which must succeed.
func (s *stage) job(job sdk.Job) *sdk.Result {
	s.t.Helper()
	job.RPC, job.Bundler, job.Paymaster, job.Dir = s.devnet.RPC, s.bundler.URL(), s.devnet.Services.Paymaster, s.files
	job.Account, job.NFT = s.account, s.devnet.Chain.Contracts.NFT
	result, err := sdk.Run(s.t.Context(), s.t, &job)
	require.NoError(s.t, err)
	require.Equal(s.t, "true", result.Success)
	return result
}

// held opens both stores while no backend runs, and the sessions of the backend's if it has any.
func (s *stage) held(do func(ctx context.Context, ours *filestore.Store, theirs *tsstore.Store)) {
	s.t.Helper()
	sealer, err := seal.NewPassphrase([]byte(passphrase), seal.Cost{})
	require.NoError(s.t, err)
	ours, err := filestore.Open(s.store, filestore.Config{Sealer: sealer})
	require.NoError(s.t, err)
	defer func() { require.NoError(s.t, ours.Close()) }()
	theirs, err := tsstore.OpenPlaintext(s.files, s.devnet.Chain.ChainID())
	require.NoError(s.t, err)
	do(s.t.Context(), ours, theirs)
}

func (s *stage) ref() session.Ref {
	return session.Ref{ChainID: s.devnet.Chain.ChainID(), Account: s.account}
}

// balance is what the account has of a contract's tokens.
func (s *stage) balance(of common.Address) string {
	s.t.Helper()
	const balanceOf = "function balanceOf(address holder) view returns (uint256)"
	call, err := abi.Pack(balanceOf, s.account)
	require.NoError(s.t, err)
	data, err := s.devnet.Node.CallContract(s.t.Context(), ethereum.CallMsg{To: &of, Data: call}, nil)
	require.NoError(s.t, err)
	result, err := abi.UnpackResult(balanceOf, data)
	require.NoError(s.t, err)
	return result[0].(*big.Int).String()
}

// browser is the owner's, at a running backend.
type browser struct {
	*stage
	url    string
	client http.Client
}

// serve runs the backend while the owner is signed in and does something.
func (s *stage) serve(do func(b *browser)) {
	s.t.Helper()
	port, err := testutil.FreePort()
	require.NoError(s.t, err)
	at := fmt.Sprint("127.0.0.1:", port)
	cmd := exec.Command(s.program, "-listen", at, "-store", s.store,
		"-rpc", s.devnet.RPC, "-bundler", s.devnet.Services.Bundler, "-paymaster", s.devnet.Services.Paymaster)
	cmd.Env = append(os.Environ(), "SESAME_PASSPHRASE="+passphrase)
	logs, err := cmd.StderrPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, cmd.Start())
	lines := bufio.NewScanner(logs)
	for lines.Scan() && !strings.Contains(lines.Text(), "the page is at") {
		s.t.Log(lines.Text())
	}
	said := make(chan struct{})
	go func() {
		defer close(said)
		_, _ = io.Copy(io.Discard, logs)
	}()
	defer func() {
		require.NoError(s.t, cmd.Process.Signal(syscall.SIGTERM))
		<-said
		require.NoError(s.t, cmd.Wait())
	}()
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	b := &browser{stage: s, url: "http://" + at, client: http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}}
	var text struct{ Text string }
	b.call("POST", "/api/sign-in/text", map[string]any{"address": crypto.PubkeyToAddress(s.owner.PublicKey)}, &text)
	b.call("POST", "/api/sign-in", map[string]any{"signature": b.sign([]byte(text.Text))}, nil)
	do(b)
}

func (b *browser) sign(message []byte) hexutil.Bytes {
	b.t.Helper()
	sig, err := crypto.Sign(accounts.TextHash(message), b.owner)
	require.NoError(b.t, err)
	return sig
}

func (b *browser) call(method, path string, in, out any) {
	b.t.Helper()
	body, err := json.Marshal(in)
	require.NoError(b.t, err)
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, bytes.NewReader(body))
	require.NoError(b.t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", "one")
	answer, err := b.client.Do(request)
	require.NoError(b.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(b.t, err)
	require.Equal(b.t, http.StatusOK, answer.StatusCode, "%s: %s", path, text)
	if out != nil {
		require.NoError(b.t, json.Unmarshal(text, out))
	}
}

// signed has something prepared, and submits it with the owner's signature.
func (b *browser) signed(path string, in any) {
	b.t.Helper()
	var prepared struct {
		Operation json.RawMessage
		Request   struct{ Params []string }
		Ticket    string
	}
	b.call("POST", path, in, &prepared)
	var end struct{ Status string }
	b.call("POST", "/api/submit", map[string]any{"operation": prepared.Operation, "ticket": prepared.Ticket,
		"signature": b.sign(hexutil.MustDecode(prepared.Request.Params[0]))}, &end)
	require.Equal(b.t, "done", end.Status)
}

// What the page of the example backend granted is used by the SDK, from the store that was exported to its
// files.
func TestThePagesGrantIsUsedByTheSDK(t *testing.T) {
	t.Parallel()
	s := newStage(t, "of the page")
	s.serve(func(b *browser) {
		b.signed("/api/sessions", map[string]any{"nfts": true, "tokens": 100, "together": true, "hours": 1})
	})
	s.held(func(ctx context.Context, ours *filestore.Store, theirs *tsstore.Store) {
		sess, err := session.Open(ctx, ours, s.ref())
		require.NoError(t, err)
		_, err = tsstore.TransferBack(ctx, sess, theirs)
		require.NoError(t, err)
	})
	s.job(sdk.Job{Do: "act"})
	require.Equal(t, "1", s.balance(s.devnet.Chain.Contracts.NFT))
	token := s.devnet.Chain.Contracts.Token
	s.job(sdk.Job{Do: "act", Token: &token})
	require.Equal(t, "2", s.balance(s.devnet.Chain.Contracts.NFT))
	require.Equal(t, "1000000000000000000", s.balance(token))
}

// What the SDK granted, the backend shows, uses and revokes, after its files were taken over.
func TestTheSDKsGrantIsUsedByTheBackend(t *testing.T) {
	t.Parallel()
	s := newStage(t, "of the SDK")
	granted := s.job(sdk.Job{Do: "grant", OwnerKey: hexutil.Encode(crypto.FromECDSA(s.owner))})
	require.Equal(t, s.account, granted.Account)
	s.held(func(ctx context.Context, ours *filestore.Store, theirs *tsstore.Store) {
		sess, report, err := tsstore.Transfer(ctx, theirs, s.ref(), ours, nil, tsstore.WithChain(s.devnet.Client))
		require.NoError(t, err, "%v", report)
		require.NoError(t, sess.On(s.devnet.Client).Reconcile(ctx))
	})
	s.serve(func(b *browser) {
		var list struct {
			Sessions []struct {
				Key      common.Address
				Status   string
				Standing bool
				Allows   []struct{ What, Says string }
			}
		}
		b.call("GET", "/api/sessions", nil, &list)
		require.Len(t, list.Sessions, 1)
		require.Equal(t, granted.Key, list.Sessions[0].Key)
		require.Equal(t, "active", list.Sessions[0].Status)
		require.Equal(t, "nft", list.Sessions[0].Allows[0].What)
		path := "/api/sessions/" + granted.Key.Hex()
		b.call("POST", path+"/act", map[string]any{"nfts": 1}, nil)
		require.Equal(t, "1", s.balance(s.devnet.Chain.Contracts.NFT))
		b.signed(path+"/revoke", struct{}{})
		b.call("GET", "/api/sessions", nil, &list)
		require.Equal(t, "revoked", list.Sessions[0].Status)
		require.False(t, list.Sessions[0].Standing)
	})
}
