package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
)

func TestMain(m *testing.M) {
	var opts []goleak.Option
	for _, function := range accounttest.LeftGoroutines() {
		opts = append(opts, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(m, opts...)
}

const testSecret = "a secret for logins of tests alone"

// backend is a running service.
type backend struct {
	url  string
	stop func() error
}

// start runs the program on a devnet, until the test ends or stop is called.
func start(t *testing.T, devnet *accounttest.Devnet, args ...string) *backend {
	t.Helper()
	at := freeAddress(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	args = append([]string{"-listen", at, "-rpc", devnet.RPC, "-bundler", devnet.Services.Bundler, "-paymaster", devnet.Services.Paymaster}, args...)
	go func() { ended <- run(ctx, args, io.Discard) }()
	b := &backend{url: "http://" + at}
	var once bool
	b.stop = func() error {
		if once {
			return nil
		}
		once = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { require.NoError(t, b.stop()) })
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", at)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 30*time.Second, 20*time.Millisecond)
	return b
}

// freeAddress is for a process that takes it a moment later: its port is below those that connections, and
// listeners that take any, are given meanwhile.
func freeAddress(t *testing.T) string {
	t.Helper()
	for {
		listener, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10_000+mathrand.IntN(10_000)))
		if err == nil {
			require.NoError(t, listener.Close())
			return listener.Addr().String()
		}
		require.ErrorIs(t, err, syscall.EADDRINUSE)
	}
}

// user is somebody with a wallet and a browser.
type user struct {
	t    *testing.T
	url  string
	key  *ecdsa.PrivateKey
	http http.Client
}

func (b *backend) user(t *testing.T, name string) *user {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	u := &user{t: t, url: b.url, key: accounttest.Key(name), http: http.Client{Jar: jar, Transport: &http.Transport{}}}
	t.Cleanup(u.http.CloseIdleConnections)
	return u
}

func (b *backend) signedIn(t *testing.T, name string) *user {
	t.Helper()
	u := b.user(t, name)
	u.signIn()
	return u
}

func (u *user) address() common.Address { return crypto.PubkeyToAddress(u.key.PublicKey) }

func (u *user) sign(message []byte) hexutil.Bytes { return signWith(u.t, u.key, message) }

func signWith(t *testing.T, key *ecdsa.PrivateKey, message []byte) hexutil.Bytes {
	t.Helper()
	sig, err := crypto.Sign(accounts.TextHash(message), key)
	require.NoError(t, err)
	return sig
}

func (u *user) signIn() {
	u.t.Helper()
	var text textAnswer
	u.must("POST", "/api/sign-in/text", textRequest{u.address()}, &text)
	u.must("POST", "/api/sign-in", signInRequest{u.sign([]byte(text.Text))}, nil)
}

// do makes a call, and returns the status and the code of a refusal.
func (u *user) do(method, path string, in, out any, header ...string) (status int, code string) {
	u.t.Helper()
	content, err := json.Marshal(in)
	require.NoError(u.t, err)
	request, err := http.NewRequestWithContext(u.t.Context(), method, u.url+path, bytes.NewReader(content))
	require.NoError(u.t, err)
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return u.send(request, out)
}

func (u *user) send(request *http.Request, out any) (status int, code string) {
	u.t.Helper()
	answer, err := u.http.Do(request)
	require.NoError(u.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(u.t, err)
	if answer.StatusCode != http.StatusOK {
		var no refusal
		require.NoError(u.t, json.Unmarshal(text, &no), "%s", text)
		require.NotEmpty(u.t, no.Message)
		u.t.Logf("%s: %d %s: %s", request.URL.Path, answer.StatusCode, no.Code, no.Message)
		return answer.StatusCode, no.Code
	}
	if out != nil {
		require.NoError(u.t, json.Unmarshal(text, out), "%s", text)
	}
	return answer.StatusCode, ""
}

func (u *user) must(method, path string, in, out any, header ...string) {
	u.t.Helper()
	status, code := u.do(method, path, in, out, header...)
	require.Equal(u.t, http.StatusOK, status, "%s: %s", path, code)
}

// preparedView is a prepared operation as a browser sees it.
type preparedView struct {
	Operation json.RawMessage
	Says      []string
	Request   struct{ Params []string }
	Ticket    string
}

func (p *preparedView) signed(t *testing.T, key *ecdsa.PrivateKey) submission {
	return submission{p.Operation, p.Ticket, signWith(t, key, hexutil.MustDecode(p.Request.Params[0]))}
}

var everything = permission{NFTs: true, Tokens: 100, Together: true, Hours: 24}

// grant grants a session, and returns its path.
func (u *user) grant(p permission) string {
	u.t.Helper()
	var made preparedView
	u.must("POST", "/api/sessions", p, &made)
	var end outcome
	u.must("POST", "/api/submit", made.signed(u.t, u.key), &end)
	require.Equal(u.t, "done", end.Status)
	return "/api/sessions/" + u.sessions()[0].Key.Hex()
}

func (u *user) sessions() []*sessionView {
	u.t.Helper()
	var list sessionList
	u.must("GET", "/api/sessions", nil, &list)
	return list.Sessions
}

func (u *user) act(path string, o order, key string) (code string) {
	u.t.Helper()
	_, code = u.do("POST", path+"/act", o, nil, idempotencyHeader, key)
	return code
}

// holds is how much of the NFTs and of the token the user's account has.
func (u *user) holds(devnet *accounttest.Devnet) (nfts, tokens string) {
	u.t.Helper()
	var who me
	u.must("GET", "/api/me", nil, &who)
	held, err := devnet.Client.Account(who.Account).Balances(u.t.Context(), devnet.Chain.Contracts.Token)
	require.NoError(u.t, err)
	return nftsOf(u.t, devnet, who.Account), held[1].Amount.Dec()
}

// The story: grant, mint, batch, stop, revoke, refused.
func TestStory(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	b := start(t, devnet)
	u := b.signedIn(t, "anna")
	require.Empty(t, u.sessions())

	var made preparedView
	u.must("POST", "/api/sessions", everything, &made)
	t.Log(strings.Join(made.Says, "\n"))
	require.Empty(t, u.sessions(), "preparing stores nothing")
	signed := made.signed(t, u.key)
	for range 2 { // the second time tells how the first went
		var end outcome
		u.must("POST", "/api/submit", signed, &end)
		require.Equal(t, "done", end.Status)
		require.NotZero(t, end.Transaction)
	}
	views := u.sessions()
	require.Len(t, views, 1)
	require.Equal(t, "active", views[0].Status)
	require.Len(t, views[0].Allows, 2)
	t.Log(views[0].Allows[0].Says, "/", views[0].Allows[1].Says)
	path := "/api/sessions/" + views[0].Key.Hex()

	for range 2 {
		require.Empty(t, u.act(path, order{NFTs: 1}, "first"))
	}
	require.Equal(t, "key_reused", u.act(path, order{NFTs: 2}, "first"))
	require.Empty(t, u.act(path, order{NFTs: 1, Tokens: 10}, "second"))
	require.Equal(t, "not_allowed", u.act(path, order{Tokens: 101}, "third"))
	require.Equal(t, "no_key", u.act(path, order{NFTs: 1}, ""))
	require.Equal(t, "no_key", u.act(path, order{NFTs: 1}, "not UTF-8: \xff"))
	require.Equal(t, "no_key", u.act(path, order{NFTs: 1}, strings.Repeat("x", 101)))
	nfts, tokens := u.holds(devnet)
	require.Equal(t, []string{"2", "10000000000000000000"}, []string{nfts, tokens})
	did := u.sessions()[0].Did
	require.Len(t, did, 2)
	require.Equal(t, "an NFT and 10 tokens", did[0].What)
	require.Equal(t, []string{"landed", "landed"}, []string{did[0].State, did[1].State})

	u.must("POST", path+"/suspend", struct{}{}, nil)
	require.Equal(t, "stopped", u.act(path, order{NFTs: 1}, "fourth"))
	require.Equal(t, "revoked", u.sessions()[0].Status)
	require.True(t, u.sessions()[0].Standing)
	var ending preparedView
	u.must("POST", path+"/revoke", struct{}{}, &ending)
	u.must("POST", "/api/submit", ending.signed(t, u.key), nil)
	require.False(t, u.sessions()[0].Standing)
	require.Equal(t, "stopped", u.act(path, order{NFTs: 1}, "fifth"))
	require.Empty(t, u.act(path, order{NFTs: 1}, "first"), "what was done stays done")
	nfts, _ = u.holds(devnet)
	require.Equal(t, "2", nfts)
}

// Of another user's sessions nothing is seen, used, stopped or submitted.
func TestUsersAreApart(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	b := start(t, devnet)
	anna, ben, nobody := b.signedIn(t, "anna"), b.signedIn(t, "ben"), b.user(t, "carl")
	path := anna.grant(everything)
	bens := ben.grant(permission{NFTs: true, Hours: 1})

	require.Len(t, ben.sessions(), 1)
	require.Empty(t, anna.act(path, order{NFTs: 2}, "two"))
	require.Equal(t, "not_allowed", ben.act(bens, order{NFTs: 2}, "two"), "one call at a time was granted")
	require.Equal(t, "not_allowed", ben.act(bens, order{Tokens: 1}, "three"))
	for _, call := range []struct {
		path string
		in   any
	}{
		{path + "/act", order{NFTs: 1}},
		{path + "/suspend", struct{}{}},
		{path + "/revoke", struct{}{}},
	} {
		status, code := ben.do("POST", call.path, call.in, nil, idempotencyHeader, "1")
		require.Equal(t, 404, status, call.path)
		require.Equal(t, "not_found", code)
		status, code = nobody.do("POST", call.path, call.in, nil, idempotencyHeader, "1")
		require.Equal(t, 401, status, call.path)
		require.Equal(t, "sign_in", code)
	}
	for _, path := range []string{"/api/me", "/api/sessions"} {
		status, _ := nobody.do("GET", path, nil, nil)
		require.Equal(t, 401, status)
	}
	for _, path := range []string{"/api/sessions", "/api/submit"} {
		status, _ := nobody.do("POST", path, struct{}{}, nil)
		require.Equal(t, 401, status)
	}

	// What was prepared for one is not submitted by another, also with the right signature.
	var made preparedView
	anna.must("POST", path+"/revoke", struct{}{}, &made)
	status, code := ben.do("POST", "/api/submit", made.signed(t, anna.key), nil)
	require.Equal(t, 403, status)
	require.Equal(t, "ticket", code)
	var other preparedView
	ben.must("POST", bens+"/revoke", struct{}{}, &other)
	mixed := other.signed(t, ben.key)
	mixed.Operation = made.Operation // another one than the ticket's
	status, code = ben.do("POST", "/api/submit", mixed, nil)
	require.Equal(t, 400, status)
	require.Equal(t, "invalid", code)
	require.Equal(t, "revoked", anna.sessions()[0].Status)
	anna.must("POST", "/api/submit", made.signed(t, anna.key), nil)

	ben.must("POST", "/api/sign-out", struct{}{}, nil)
	status, _ = ben.do("GET", "/api/sessions", nil, nil)
	require.Equal(t, 401, status)
}

// What the wallet may do wrong.
func TestWrongSignatures(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	b := start(t, devnet, "-sign-within", "3s")
	u := b.user(t, "anna")
	var text textAnswer
	u.must("POST", "/api/sign-in/text", textRequest{u.address()}, &text)
	_, code := u.do("POST", "/api/sign-in", signInRequest{signWith(t, accounttest.Key("ben"), []byte(text.Text))}, nil)
	require.Equal(t, "wrong_wallet", code)
	_, code = u.do("POST", "/api/sign-in", signInRequest{[]byte{1}}, nil)
	require.Equal(t, "signature", code)
	u.signIn()
	_, code = u.do("POST", "/api/sign-in", signInRequest{u.sign([]byte(text.Text))}, nil)
	require.Equal(t, "sign_in", code, "a text is good once")

	var made preparedView
	u.must("POST", "/api/sessions", everything, &made)
	_, code = u.do("POST", "/api/submit", made.signed(t, accounttest.Key("ben")), nil)
	require.Equal(t, "wrong_wallet", code)
	forged := made.signed(t, u.key)
	forged.Ticket = forged.Ticket[:20] + "A" + forged.Ticket[21:]
	_, code = u.do("POST", "/api/submit", forged, nil)
	require.Equal(t, "ticket", code)
	late, err := account.ParsePrepared(made.Operation)
	require.NoError(t, err)
	for !time.Now().After(late.Deadline().Add(time.Second)) {
		time.Sleep(50 * time.Millisecond)
	}
	_, code = u.do("POST", "/api/submit", made.signed(t, u.key), nil)
	require.Equal(t, "too_late", code)
	require.Empty(t, u.sessions())
}

// What another site, or another program, may try.
func TestRequestsThatAreRefused(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	b := start(t, devnet)
	u := b.signedIn(t, "anna")
	for _, tt := range []struct {
		name, path, kind, body, header, value string
		status                                int
		code                                  string
	}{
		{"another site's page", "/api/sessions", "application/json", "{}", "Origin", "https://evil.example", 403, "other_site"},
		{"another site's page, as the browser says", "/api/sessions", "application/json", "{}", "Sec-Fetch-Site", "cross-site", 403, "other_site"},
		{"a form", "/api/sign-out", "application/x-www-form-urlencoded", "", "", "", 415, "content_type"},
		{"text", "/api/sign-out", "text/plain", "{}", "", "", 415, "content_type"},
		{"a long body", "/api/submit", "application/json", `{"ticket":"` + strings.Repeat("x", maxBody) + `"}`, "", "", 413, "too_long"},
		{"an unknown field", "/api/sessions", "application/json", `{"everything":true}`, "", "", 400, "invalid"},
		{"two bodies", "/api/sessions", "application/json", `{} {}`, "", "", 400, "invalid"},
		{"no JSON", "/api/sessions", "application/json", `{`, "", "", 400, "invalid"},
		{"nothing allowed", "/api/sessions", "application/json", `{"hours":1}`, "", "", 400, "invalid"},
		{"too long a time", "/api/sessions", "application/json", `{"nfts":true,"hours":100000}`, "", "", 400, "invalid"},
		{"no such call", "/api/all", "application/json", `{}`, "", "", 404, "not_found"},
		{"no key", "/api/sessions/x/suspend", "application/json", `{}`, "", "", 404, "not_found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), "POST", b.url+tt.path, strings.NewReader(tt.body))
			require.NoError(t, err)
			request.Header.Set("Content-Type", tt.kind)
			if tt.header != "" {
				request.Header.Set(tt.header, tt.value)
			}
			status, code := u.send(request, nil)
			require.Equal(t, tt.status, status)
			require.Equal(t, tt.code, code)
		})
	}
	request, err := http.NewRequestWithContext(t.Context(), "GET", b.url+"/api/sessions", nil)
	require.NoError(t, err)
	_, unknown := u.do("GET", "/api/all", nil, nil)
	require.Equal(t, "not_found", unknown)
	request.Host = "evil.example" // a name that was made to lead here
	status, code := u.send(request, nil)
	require.Equal(t, 421, status)
	require.Equal(t, "other_host", code)
}

// The page loads and runs nothing but what comes with it.
func TestPage(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	b := start(t, devnet)
	u := b.user(t, "anna")
	for path, kind := range map[string]string{"/": "text/html", "/app.js": "text/javascript", "/style.css": "text/css", "/icon.svg": "image/svg+xml"} {
		answer, err := u.http.Get(b.url + path)
		require.NoError(t, err)
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, 200, answer.StatusCode)
		require.Contains(t, answer.Header.Get("Content-Type"), kind)
		require.Contains(t, answer.Header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'")
		require.NotContains(t, strings.ReplaceAll(string(text), "http://www.w3.org/2000/svg", ""), "://", path)
	}
	var text textAnswer
	u.must("POST", "/api/sign-in/text", textRequest{u.address()}, &text)
	require.Regexp(t, `^127\.0\.0\.1:\d+ wants you to sign in with your Ethereum account:
0x[0-9a-fA-F]{40}

Sign in to see [^\n]*

URI: http://127\.0\.0\.1:\d+
Version: 1
Chain ID: \d+
Nonce: [A-Z0-9]{26}
Issued At: \S+Z
Expiration Time: \S+Z$`, text.Text)
	answer, err := u.http.Post(b.url+"/api/sign-in/text", "application/json", strings.NewReader(`{"address":"`+u.address().Hex()+`"}`))
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Regexp(t, `; HttpOnly; SameSite=Strict$`, answer.Header.Get("Set-Cookie"))
}

// A kept store goes on where it was, in one process after another or in two at once.
func TestKeptStore(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	t.Setenv(passphraseEnv, "correct horse")
	t.Setenv(secretEnv, testSecret)
	origin := []string{"-origin", "http://localhost:1"}
	for name, store := range map[string]func(*testing.T) string{
		"filestore": func(t *testing.T) string { return filepath.Join(t.TempDir(), "store") },
		"postgres":  database,
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"-store", store(t)}, origin...)
			first := start(t, devnet, args...)
			u := first.user(t, name)
			u.http.Transport = toHost{u.http.Transport, "localhost:1"}
			u.signIn()
			var made preparedView
			u.must("POST", "/api/sessions", everything, &made)
			if name == "filestore" {
				require.NoError(t, first.stop())
			}
			second := start(t, devnet, args...)
			u.moveTo(second)
			u.must("POST", "/api/submit", made.signed(t, u.key), nil)
			path := "/api/sessions/" + u.sessions()[0].Key.Hex()
			require.Empty(t, u.act(path, order{NFTs: 1}, "1"))
			if name == "postgres" {
				u.moveTo(first)
				require.Empty(t, u.act(path, order{NFTs: 1}, "1"))
				u.must("POST", path+"/suspend", struct{}{}, nil)
				u.moveTo(second)
				require.Equal(t, "stopped", u.act(path, order{NFTs: 1}, "2"))
			}
			nfts, _ := u.holds(devnet)
			require.Equal(t, "1", nfts)
		})
	}
}

// A service that ends lets go of what does not end in time, and the next one goes on with it.
func TestHandsOver(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	t.Setenv(passphraseEnv, "correct horse")
	t.Setenv(secretEnv, testSecret)
	args := []string{"-store", filepath.Join(t.TempDir(), "store"), "-origin", "http://localhost:1", "-grace", "10ms"}
	first := start(t, devnet, args...)
	u := first.user(t, "anna")
	u.http.Transport = toHost{u.http.Transport, "localhost:1"}
	u.signIn()
	path := u.grant(everything)
	devnet.Bundler.Pause()
	told := make(chan string, 1)
	go func() {
		var end outcome
		_, code := u.do("POST", path+"/act", order{NFTs: 1}, &end, idempotencyHeader, "1")
		told <- cmp.Or(code, end.Status)
	}()
	look := *u
	require.Eventually(t, func() bool { return len(look.sessions()[0].Did) == 1 }, time.Minute, 10*time.Millisecond)
	require.NoError(t, first.stop())
	require.Contains(t, []string{"pending", "try_again"}, <-told, "by how far it was")

	devnet.Bundler.Resume()
	u.moveTo(start(t, devnet, args...))
	require.Eventually(t, func() bool { return u.sessions()[0].Did[0].State == "landed" }, time.Minute, 50*time.Millisecond, "nobody asks for it")
	nfts, _ := u.holds(devnet)
	require.Equal(t, "1", nfts)
}

// A process that is told to end while it opens its store or waits for its node has not failed.
func TestToldToEndBeforeItStarts(t *testing.T) {
	told, tell := context.WithCancel(t.Context())
	tell()
	for name, place := range map[string]func(t *testing.T) string{
		"directory": func(t *testing.T) string { return filepath.Join(t.TempDir(), "store") },
		"database":  database,
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(passphraseEnv, "correct horse")
			t.Setenv(secretEnv, testSecret)
			t.Setenv(storeEnv, place(t))
			require.NoError(t, run(told, nil, io.Discard))
		})
	}
	t.Run("no node", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		said, says := io.Pipe()
		defer said.Close()
		ended := make(chan error, 1)
		go func() {
			ended <- run(ctx, []string{"-rpc", "http://127.0.0.1:1"}, says)
			_ = says.Close()
		}()
		lines := bufio.NewScanner(said)
		require.True(t, lines.Scan())
		require.Contains(t, lines.Text(), "waiting for the node")
		cancel()
		for lines.Scan() { // to its end
		}
		require.NoError(t, <-ended)
	})
}

// moveTo goes on at another replica: both are behind one name, which cookies belong to.
func (u *user) moveTo(b *backend) {
	from, err := url.Parse(u.url)
	require.NoError(u.t, err)
	to, err := url.Parse(b.url)
	require.NoError(u.t, err)
	u.http.Jar.SetCookies(to, u.http.Jar.Cookies(from))
	u.url = b.url
}

// toHost names another host than the one that it connects to, as behind a proxy.
type toHost struct {
	http.RoundTripper
	host string
}

func (h toHost) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Host = h.host
	return h.RoundTripper.RoundTrip(r)
}

// Sessions that another application granted end only where the user says so.
func TestAnotherApplicationsSessions(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	start(t, devnet).signedIn(t, "anna").grant(everything) // one with a store of its own
	u := start(t, devnet).signedIn(t, "anna")
	_, code := u.do("POST", "/api/sessions", everything, nil)
	require.Equal(t, "root_mismatch", code)
	replacing := everything
	replacing.ReplaceRoot = true
	path := u.grant(replacing)
	require.Len(t, u.sessions(), 1)
	require.Empty(t, u.act(path, order{NFTs: 1}, "1"))
}

// Who has given an account away acts for it no more, though its sessions go on.
func TestAccountThatChangedHands(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	u := start(t, devnet).signedIn(t, "anna")
	path := u.grant(everything)
	require.Empty(t, u.act(path, order{NFTs: 1}, "1"))
	tx, err := devnet.Client.OwnedAccount(account.KeyOwner(u.key)).TransferOwnership(t.Context(),
		crypto.PubkeyToAddress(accounttest.Key("ben").PublicKey), account.Sponsored())
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, "wrong_owner", u.act(path, order{NFTs: 1}, "2"))
	nfts, _ := u.holds(devnet)
	require.Equal(t, "1", nfts)
}

// Processes that share a database and no secret would send users away from one another: that is said.
func TestSecretThatIsNotShared(t *testing.T) {
	t.Setenv(passphraseEnv, "correct horse")
	for secret, says := range map[string]bool{"": true, testSecret: false} {
		t.Setenv(secretEnv, secret)
		var log bytes.Buffer
		require.Error(t, run(t.Context(), []string{"-store", "postgres://127.0.0.1:1/none"}, &log), "there is no database")
		require.Equal(t, says, strings.Contains(log.String(), secretEnv), log.String())
	}
}

// Keys of grants that nobody signs do not pile up.
func TestUnusedKeysAreRemoved(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	u := start(t, devnet).signedIn(t, "anna")
	var first, last preparedView
	u.must("POST", "/api/sessions", everything, &first)
	for range maxUnused {
		u.must("POST", "/api/sessions", everything, &last)
	}
	_, code := u.do("POST", "/api/submit", first.signed(t, u.key), nil)
	require.Equal(t, "changed", code)
	u.must("POST", "/api/submit", last.signed(t, u.key), nil)
}

func TestFlags(t *testing.T) {
	for _, test := range []struct {
		passphrase, secret, want string
		args                     []string
	}{
		{"", "", "-store keeps session keys, sealed by a passphrase: set SESAME_PASSPHRASE", []string{"-store", "dir"}},
		{"", "short", "SESAME_LOGIN_SECRET has 5 characters; 32 at least, at random, keep others from making logins", nil},
		{"", "", `-origin "ftp://x" is none; want https://host`, []string{"-origin", "ftp://x"}},
		{"", "", `-origin "http://shop.example": logins go over https, but on this machine`, []string{"-origin", "http://shop.example"}},
		{"", "", `-listen ":8080" does not tell what browsers see: name that with -origin`, []string{"-listen", ":8080"}},
		{"", "", `-listen "0.0.0.0:8080" does not tell what browsers see: name that with -origin`, []string{"-listen", "0.0.0.0:8080"}},
		{"", "", `-listen "127.0.0.1:0" does not tell what browsers see: name that with -origin`, []string{"-listen", "127.0.0.1:0"}},
		{"", "", "-sign-within 0s leaves a user no time to sign", []string{"-sign-within", "0s"}},
		{"", "", `unexpected argument "now"; -h explains the flags`, []string{"now"}},
		{"", "", "flag provided but not defined: -quick; -h explains the flags", []string{"-quick"}},
	} {
		t.Setenv(passphraseEnv, test.passphrase)
		t.Setenv(secretEnv, test.secret)
		require.EqualError(t, run(t.Context(), test.args, io.Discard), test.want)
	}
	var help bytes.Buffer
	t.Setenv(secretEnv, "")
	t.Setenv(storeEnv, "postgres://user:secret@host/database")
	require.NoError(t, run(t.Context(), []string{"-h"}, &help))
	require.NotContains(t, help.String(), "secret@")
	o, err := parse(nil, io.Discard)
	require.ErrorContains(t, err, "set SESAME_PASSPHRASE")
	require.Equal(t, accounttest.WellKnownContracts().NFT, o.nft)
	require.Equal(t, accounttest.WellKnownContracts().Token, o.token)
}

// A stamp vouches for one purpose, for a while, under one secret.
func TestStamps(t *testing.T) {
	origin, err := parseOrigin("https://shop.example/")
	require.NoError(t, err)
	l, err := newLogin(testSecret, origin, 1)
	require.NoError(t, err)
	token := l.stamp("a", "text", time.Now().Add(time.Minute))
	text, err := l.unstamp("a", token)
	require.NoError(t, err)
	require.Equal(t, "text", text)
	other, err := newLogin("", origin, 1)
	require.NoError(t, err)
	_, err = other.unstamp("a", token)
	require.ErrorIs(t, err, errStamp)
	_, err = l.unstamp("b", token)
	require.ErrorIs(t, err, errStamp)
	_, err = l.unstamp("a", token[1:])
	require.ErrorIs(t, err, errStamp)
	l.now = func() time.Time { return time.Now().Add(time.Hour) }
	_, err = l.unstamp("a", token)
	require.ErrorIs(t, err, errStamp)
	require.True(t, l.cookie("name", "value", time.Hour).Secure)
}

// A stamp of one service is none of another's, though they have the same secret.
func TestStampsOfOtherServices(t *testing.T) {
	of := func(text string, chainID uint64) *login {
		origin, err := parseOrigin(text)
		require.NoError(t, err)
		l, err := newLogin(testSecret, origin, chainID)
		require.NoError(t, err)
		return &l
	}
	token := of("https://shop.example", 1).stamp("a", "text", time.Now().Add(time.Minute))
	_, err := of("https://shop.example", 1).unstamp("a", token)
	require.NoError(t, err, "of another replica")
	for _, other := range []*login{of("https://test.shop.example", 1), of("https://shop.example", 137)} {
		_, err := other.unstamp("a", token)
		require.ErrorIs(t, err, errStamp)
	}
}

// Where browsers can be told to, they take the cookies from no other site, such as one of a subdomain.
func TestCookiesAreOfThisHost(t *testing.T) {
	for text, want := range map[string]string{"https://shop.example": "__Host-" + loginCookie, "http://localhost:8080": loginCookie} {
		origin, err := parseOrigin(text)
		require.NoError(t, err)
		l, err := newLogin(testSecret, origin, 1)
		require.NoError(t, err)
		answer := httptest.NewRecorder()
		_, err = l.end(answer, nil, nil)
		require.NoError(t, err)
		require.Equal(t, want, answer.Result().Cookies()[0].Name)

		owner := common.HexToAddress("0x1")
		r := httptest.NewRequest("GET", text, nil)
		r.AddCookie(l.cookie(loginCookie, l.stamp(loginCookie, owner.Hex(), time.Now().Add(time.Minute)), time.Minute))
		signedIn, err := l.owner(r)
		require.NoError(t, err)
		require.Equal(t, owner, signedIn)
	}
}

// An origin is what browsers make of it.
func TestOrigins(t *testing.T) {
	for text, want := range map[string]string{
		"https://shop.example":           "https://shop.example",
		"https://Shop.Example/":          "https://shop.example",
		"https://shop.example:443":       "https://shop.example",
		"https://shop.example:8443":      "https://shop.example:8443",
		"http://localhost:80":            "http://localhost",
		"http://[::1]:80":                "http://[::1]",
		"https://user:pass@shop.example": "",
		"https://shop.example?a":         "",
		"https://shop.example#a":         "",
		"https://:443":                   "",
	} {
		origin, err := parseOrigin(text)
		if want == "" {
			require.ErrorContains(t, err, "want https://host", text)
			require.NotContains(t, err.Error(), "pass")
			continue
		}
		require.NoError(t, err)
		require.Equal(t, want, origin.String())
	}
}

// database returns the URL of a database with an empty schema of the test's own.
func database(t *testing.T) string {
	t.Helper()
	root := cmp.Or(os.Getenv("SESAME_EXAMPLES_POSTGRES_URL"), os.Getenv("SESAME_TEST_POSTGRES_URL"))
	if root == "" {
		t.Skip("no PostgreSQL for tests: name a database in SESAME_TEST_POSTGRES_URL, as make test does")
	}
	schema := "backend_" + strings.ToLower(rand.Text())
	execute(t, root, "create schema "+schema)
	t.Cleanup(func() { execute(t, root, "drop schema "+schema+" cascade") })
	at, err := url.Parse(root)
	require.NoError(t, err)
	query := at.Query()
	query.Set("search_path", schema)
	at.RawQuery = query.Encode()
	return at.String()
}

func execute(t *testing.T, database, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // a cleanup's context has ended
	defer cancel()
	conn, err := pgx.Connect(ctx, database)
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	require.NoError(t, err)
}
