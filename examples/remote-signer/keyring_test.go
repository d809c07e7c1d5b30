package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storekit"
	"github.com/go-sesame/sesame/session/storetest"
)

const token = "a secret of both sides"

var testRef = session.Ref{ChainID: 80002, Account: common.HexToAddress("0xacc")}

func testSealer(t *testing.T) seal.AEAD {
	t.Helper()
	aead, err := seal.NewKeyAEAD(make([]byte, seal.KeySize))
	require.NoError(t, err)
	return aead
}

// keyringOf returns a keyring of a signer that the handler plays.
func keyringOf(t *testing.T, signer http.Handler, change ...func(*KeyringConfig)) *Keyring {
	t.Helper()
	server := httptest.NewServer(signer)
	t.Cleanup(server.Close)
	cfg := KeyringConfig{URL: server.URL, Token: token, Sealer: testSealer(t), Timeout: time.Minute}
	for _, change := range change {
		change(&cfg)
	}
	keys, err := NewKeyring(cfg)
	require.NoError(t, err)
	t.Cleanup(keys.Close)
	return keys
}

// TestConformance runs the suite for stores on one that keeps sessions here and keys remotely.
func TestConformance(t *testing.T) {
	storetest.Run(t, storetest.Config{
		Open: func(t *testing.T) session.Store {
			signer := &service{keys: memstore.New(), token: token, aead: testSealer(t)}
			return struct {
				session.Store
				session.Keyring
			}{memstore.New(), keyringOf(t, signer.handler())}
		},
		Leaves: 100,
	})
}

// TestNoKeyOnTheWire reads all that is said about a key that is imported and used.
func TestNoKeyOnTheWire(t *testing.T) {
	signer := &service{keys: memstore.New(), token: token, aead: testSealer(t)}
	var said bytes.Buffer
	keys := keyringOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		r.Body = io.NopCloser(io.TeeReader(r.Body, &said))
		signer.handler().ServeHTTP(answer, r)
		said.Write(answer.Body.Bytes())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	private, err := crypto.GenerateKey()
	require.NoError(t, err)
	key, err := keys.ImportKey(t.Context(), testRef, private)
	require.NoError(t, err)
	_, err = keys.SignDigest(t.Context(), session.SignRequest{Ref: testRef, Key: key, Digest: common.Hash{1}})
	require.NoError(t, err)
	require.Contains(t, said.String(), "signature")
	require.NotContains(t, said.String(), common.Bytes2Hex(crypto.FromECDSA(private)))
}

// TestConcurrency has more callers than there may be requests.
func TestConcurrency(t *testing.T) {
	const most, callers = 3, 12
	var (
		mu        sync.Mutex
		now, peak int
		full      = make(chan struct{})
		fill      sync.Once
	)
	count := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		now += by
		if peak = max(peak, now); now == most {
			fill.Do(func() { close(full) })
		}
	}
	keys := keyringOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		count(1)
		defer count(-1)
		<-full
		time.Sleep(time.Millisecond) // gives one too many the chance to come
		_, _ = io.WriteString(w, "{}")
	}), func(c *KeyringConfig) { c.Concurrency = most })
	var group errgroup.Group
	for range callers {
		group.Go(func() error { return second(keys.Keys(t.Context(), testRef)) })
	}
	require.NoError(t, group.Wait())
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, most, peak)
}

func TestDeadline(t *testing.T) {
	ended := make(chan struct{})
	hang := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-ended:
		}
	})
	defer close(ended)
	keys := keyringOf(t, hang, func(c *KeyringConfig) { c.Timeout, c.Concurrency = 20*time.Millisecond, 1 })
	_, err := keys.SignDigest(t.Context(), session.SignRequest{Ref: testRef})
	require.EqualError(t, err, keys.String()+": sign: the signer is unavailable: no answer within 20ms: context deadline exceeded")
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	require.True(t, keys.signer.slots.TryAcquire(1), "the slot is free again")
	_, err = keys.SignDigest(t.Context(), session.SignRequest{Ref: testRef})
	require.EqualError(t, err, keys.String()+": sign: the signer is unavailable: other requests are under way: no answer within 20ms: context deadline exceeded")
	keys.signer.slots.Release(1)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = keys.Keys(ctx, testRef)
	require.ErrorIs(t, err, context.Canceled)
}

// TestRetries counts what a signer sees that fails before it answers.
func TestRetries(t *testing.T) {
	private, err := crypto.GenerateKey()
	require.NoError(t, err)
	for name, test := range map[string]struct {
		call func(*Keyring) error
		want int
	}{
		"sign":   {func(k *Keyring) error { return second(k.SignDigest(t.Context(), session.SignRequest{Ref: testRef})) }, 3},
		"list":   {func(k *Keyring) error { return second(k.Keys(t.Context(), testRef)) }, 3},
		"import": {func(k *Keyring) error { return second(k.ImportKey(t.Context(), testRef, private)) }, 3},
		"new":    {func(k *Keyring) error { return second(k.NewKey(t.Context(), testRef)) }, 1},
		"remove": {func(k *Keyring) error { return k.RemoveKey(t.Context(), testRef, common.Address{1}) }, 1},
	} {
		for _, fault := range []struct {
			does func(w http.ResponseWriter)
			text string
		}{
			{func(w http.ResponseWriter) { http.Error(w, "overloaded", http.StatusServiceUnavailable) }, "HTTP status 503"},
			{func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "EOF"},
		} {
			t.Run(name+" "+fault.text, func(t *testing.T) {
				bodies := make(chan string, 9)
				signer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					bodies <- string(body)
					fault.does(w)
				})
				err := test.call(keyringOf(t, signer))
				require.ErrorIs(t, err, ErrUnavailable)
				require.ErrorContains(t, err, fault.text)
				require.Len(t, bodies, test.want)
				for first := <-bodies; len(bodies) > 0; {
					require.Equal(t, first, <-bodies, "the same is asked again")
				}
			})
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestOverloadPasses has a signer that is itself again at the third try.
func TestOverloadPasses(t *testing.T) {
	signer := &service{keys: memstore.New(), token: token}
	key, err := signer.keys.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	var tries atomic.Int64
	keys := keyringOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tries.Add(1) < 3 {
			http.Error(w, "overloaded", http.StatusTooManyRequests)
			return
		}
		signer.handler().ServeHTTP(w, r)
	}))
	sig, err := keys.SignDigest(t.Context(), session.SignRequest{Ref: testRef, Key: key, Digest: common.Hash{1}})
	require.NoError(t, err)
	err = storekit.CheckSignature(sig, common.Hash{1}, key)
	require.NoError(t, err)
}

func TestAnswers(t *testing.T) {
	key := common.HexToAddress("0xbeef")
	for name, test := range map[string]struct {
		status int
		body   string
		is     error
		want   string
	}{
		"refused":        {403, `{"code":"refused","message":"too\u0000 often"}`, ErrRefused, "the signer refuses: too  often"},
		"refused, long":  {403, `{"code":"refused","message":"` + strings.Repeat("é", 1000) + `"}`, ErrRefused, "the signer refuses: " + strings.Repeat("é", 128)},
		"no key":         {404, `{"code":"no_key"}`, session.ErrNoKey, "session key missing: no key " + key.Hex() + " for " + testRef.String() + "; import it into the keyring or grant a session to a key it holds"},
		"invalid":        {400, `{"code":"invalid","message":"no"}`, policy.ErrInvalid, "invalid input: no"},
		"wrong token":    {401, `{"code":"unauthorized"}`, ErrRefused, "the signer refuses: it does not know the token"},
		"not a signer":   {200, `<html>`, ErrUnavailable, "the signer is unavailable: the answer is not a signer's; is this its URL?"},
		"a page missing": {404, `<html>`, ErrUnavailable, "the signer is unavailable: HTTP status 404"},
		"broken":         {500, `{"code":"failed"}`, ErrUnavailable, "the signer is unavailable: HTTP status 500"},
		"too long":       {200, strings.Repeat(" ", maxBody+1), ErrUnavailable, "the signer is unavailable: the answer is longer than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			keys := keyringOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}))
			_, err := keys.SignDigest(t.Context(), session.SignRequest{Ref: testRef, Key: key})
			require.EqualError(t, err, keys.String()+": sign: "+test.want)
			require.ErrorIs(t, err, test.is)
		})
	}
}

// TestSecrets searches what is printed, and errors, for the token and the path of the URL.
func TestSecrets(t *testing.T) {
	cfg := KeyringConfig{URL: "http://127.0.0.1:1/hidden-path", Token: token}
	keys, err := NewKeyring(cfg)
	require.NoError(t, err)
	_, err = keys.SignDigest(t.Context(), session.SignRequest{Ref: testRef})
	require.ErrorContains(t, err, "remote signer at 127.0.0.1:1: sign: the signer is unavailable: dial tcp 127.0.0.1:1: connect: connection refused")
	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		fmt.Fprintf(&printed, verb+verb, keys, struct{ hidden any }{keys})
		fmt.Fprintf(&printed, verb, err)
	}
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("keyring", "keys", keys, "error", err)
	for _, secret := range []string{token, fmt.Sprintf("%x", token), "hidden-path"} {
		require.NotContains(t, printed.String(), secret)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the token went elsewhere") }))
	defer elsewhere.Close()
	keys := keyringOf(t, http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	_, err := keys.Keys(t.Context(), testRef)
	require.ErrorContains(t, err, "HTTP status 307")
}

func TestConfig(t *testing.T) {
	const form = "invalid input: the signer's URL has to look like https://host"
	for url, want := range map[string]string{
		"":                         form,
		"signer:443":               form,
		"https://u:secret@signer/": form,
		"https://signer/?k=secret": form,
		"http://signer.example":    "invalid input: signer at signer.example: use https, the token goes with each request",
		"ftp://127.0.0.1":          "invalid input: signer at 127.0.0.1: use https, the token goes with each request",
	} {
		_, err := NewKeyring(KeyringConfig{URL: url, Token: token})
		require.EqualError(t, err, want, url)
	}
	_, err := NewKeyring(KeyringConfig{URL: "https://signer"})
	require.EqualError(t, err, "invalid input: signer at signer without a token")
	for _, url := range []string{"https://signer.example:8443/base", "http://localhost:1", "http://[::1]:1"} {
		_, err := NewKeyring(KeyringConfig{URL: url, Token: token})
		require.NoError(t, err)
	}
	keys, err := NewKeyring(KeyringConfig{URL: "https://signer", Token: token})
	require.NoError(t, err)
	private, err := crypto.GenerateKey()
	require.NoError(t, err)
	_, err = keys.ImportKey(t.Context(), testRef, private)
	require.EqualError(t, err, "the signer refuses: import session key of "+testRef.String()+": no Sealer is set to send it with")
}

// TestWrongSigner has a signer that signs with another key: the session must notice.
func TestWrongSigner(t *testing.T) {
	other := &service{keys: memstore.New(), token: token}
	wrong, err := other.keys.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	keys := keyringOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req request
		_ = json.NewDecoder(r.Body).Decode(&req)
		sig, _ := other.keys.SignDigest(r.Context(), session.SignRequest{Ref: testRef, Key: wrong, Digest: req.Digest})
		write(w, http.StatusOK, answer{Signature: sig})
	}))
	right := common.HexToAddress("0xbeef")
	sig, err := keys.SignDigest(t.Context(), session.SignRequest{Ref: testRef, Key: right, Digest: common.Hash{1}})
	require.NoError(t, err)
	err = storekit.CheckSignature(sig, common.Hash{1}, right)
	require.ErrorIs(t, err, session.ErrWrongKey)
	_, local := session.Keyring(keys).(session.LocalKeyring)
	require.False(t, local, "its signatures are checked")
}
