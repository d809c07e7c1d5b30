package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

func TestService(t *testing.T) {
	signer := &service{keys: memstore.New(), token: token}
	for name, test := range map[string]struct {
		method, path, token, body string
		status                    int
		want                      string
	}{
		"no token":        {"POST", pathNew, "", "{}", 401, `{"code":"unauthorized","message":"wrong token"}`},
		"wrong token":     {"POST", pathNew, "Bearer a secret of both side", "{}", 401, `{"code":"unauthorized","message":"wrong token"}`},
		"another method":  {"GET", pathNew, "Bearer " + token, "", 405, "Method Not Allowed"},
		"another path":    {"POST", "/v1/expose", "Bearer " + token, "{}", 404, "404 page not found"},
		"not JSON":        {"POST", pathSign, "Bearer " + token, "{", 400, `{"code":"invalid","message":"the request cannot be read: unexpected EOF"}`},
		"too long":        {"POST", pathSign, "Bearer " + token, `{"sealed":"` + strings.Repeat("0", maxBody), 400, `{"code":"invalid","message":"the request cannot be read: http: request body too large"}`},
		"no account":      {"POST", pathNew, "Bearer " + token, `{"chainID":1}`, 400, `{"code":"invalid","message":"session reference without an account"}`},
		"no import":       {"POST", pathImport, "Bearer " + token, `{"chainID":1}`, 403, `{"code":"refused","message":"this signer makes its keys itself"}`},
		"nobody's key":    {"POST", pathSign, "Bearer " + token, `{"chainID":1}`, 404, `{"code":"no_key","message":"session key missing: no key 0x0000000000000000000000000000000000000000 for account 0x0000000000000000000000000000000000000000 on chain 1; import it into the keyring or grant a session to a key it holds"}`},
		"nothing to list": {"POST", pathList, "Bearer " + token, `{"chainID":1}`, 200, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
			r.Header.Set("Authorization", test.token)
			w := httptest.NewRecorder()
			signer.handler().ServeHTTP(w, r)
			require.Equal(t, test.status, w.Code)
			require.Equal(t, test.want, strings.TrimSpace(w.Body.String()))
		})
	}
}

// failing is a keyring whose errors are nobody's business.
type failing struct{ session.Keyring }

func (failing) NewKey(context.Context, session.Ref) (common.Address, error) {
	return common.Address{}, errors.New("disk /dev/secret is full")
}

func TestServiceHidesItsFaults(t *testing.T) {
	keys := keyringOf(t, (&service{keys: failing{}, token: token}).handler())
	_, err := keys.NewKey(t.Context(), testRef)
	require.EqualError(t, err, keys.String()+": new: the signer is unavailable: HTTP status 500")
}

func TestServiceWithoutATokenServesNobody(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, pathNew, strings.NewReader("{}"))
	r.Header.Set("Authorization", "Bearer ")
	w := httptest.NewRecorder()
	(&service{keys: memstore.New()}).handler().ServeHTTP(w, r)
	require.Equal(t, http.StatusUnauthorized, w.Code)
}

// TestMovedKey imports a sealed key under another account than it was sealed for.
func TestMovedKey(t *testing.T) {
	signer := &service{keys: memstore.New(), token: token, aead: testSealer(t)}
	keys := keyringOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signer.serve(w, r, func(ctx context.Context, req *request) (answer, error) {
			req.Account = common.HexToAddress("0xbad")
			return signer.importKey(ctx, req)
		})
	}))
	private, err := crypto.GenerateKey()
	require.NoError(t, err)
	_, err = keys.ImportKey(t.Context(), testRef, private)
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.ErrorContains(t, err, "was sealed by another key, or was changed or moved")
}

func TestBoundTo(t *testing.T) {
	entryPoint := common.HexToAddress("0xe9")
	allows := boundTo(entryPoint)
	good := func() *session.SignRequest {
		op := &userop.Operation{Sender: testRef.Account, CallData: []byte{1, 2, 3, 4}}
		hash := op.Hash(entryPoint, testRef.ChainID)
		return &session.SignRequest{Ref: testRef, Digest: session.MessageDigest(hash), UserOpHash: hash, Operation: op}
	}
	require.NoError(t, allows(good()))
	for want, change := range map[string]func(*session.SignRequest){
		"no operation comes with the digest": func(r *session.SignRequest) { r.Operation = nil },
		"userOpHash is not the operation's":  func(r *session.SignRequest) { r.Operation.CallData[0]++ },
		"the digest is not userOpHash's":     func(r *session.SignRequest) { r.Digest = r.UserOpHash },
		"the operation is of 0x0000000000000000000000000000000000000Bad, the key of " + testRef.String(): func(r *session.SignRequest) {
			r.Operation.Sender = common.HexToAddress("0xbad")
		},
	} {
		req := good()
		change(req)
		require.EqualError(t, allows(req), want)
	}
	req := good()
	req.Ref.ChainID++
	require.EqualError(t, allows(req), "userOpHash is not the operation's", "another chain's")
}

func TestAtMost(t *testing.T) {
	ask := func(allows rule, key, digest byte) error {
		return allows(&session.SignRequest{Ref: testRef, Key: common.Address{key}, Digest: common.Hash{digest}})
	}
	allows := atMost(2, time.Hour)
	require.NoError(t, ask(allows, 1, 1))
	require.NoError(t, ask(allows, 1, 2))
	require.NoError(t, ask(allows, 1, 1), "the same once more")
	require.EqualError(t, ask(allows, 1, 3), "key 0x0100000000000000000000000000000000000000 has signed 2 operations within 1h0m0s, and may not sign more")
	require.NoError(t, ask(allows, 2, 3), "another key")

	allows = atMost(1, 0)
	require.NoError(t, ask(allows, 1, 1))
	require.NoError(t, ask(allows, 1, 2), "long ago")
}
