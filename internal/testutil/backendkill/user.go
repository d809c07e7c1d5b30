package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
)

// operations are how many a story sends: a grant, a mint, a batch and a revocation.
const operations = 4

// longestCall is how long a user tries, whatever is killed.
const longestCall = 3 * time.Minute

// user plays the story: somebody with a wallet and a browser.
type user struct {
	part    *part
	name    string
	key     *ecdsa.PrivateKey
	account common.Address
	client  http.Client
	replica int

	mu   sync.Mutex
	step string
}

func newUser(p *part, name string) (*user, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	u := &user{part: p, name: name, key: accounttest.Key(name)}
	u.account = p.devnet.Client.OwnedAccount(account.KeyOwner(u.key)).Address()
	u.client = http.Client{Jar: jar, Timeout: time.Minute, Transport: toReplica{u}}
	return u, nil
}

// toReplica takes requests for the public name to one of the replicas, as a load balancer does.
type toReplica struct{ *user }

func (t toReplica) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host, r.URL.Host, r.Close = publicHost, t.part.slots[t.replica].listen, true
	return http.DefaultTransport.RoundTrip(r)
}

func (u *user) doing() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.step
}

// play grants, mints, mints several at once, and revokes.
func (u *user) play(ctx context.Context) error {
	if err := u.signIn(ctx); err != nil {
		return err
	}
	if err := u.signed(ctx, "grants", "/api/sessions", map[string]any{"nfts": true, "tokens": 100, "together": true, "hours": 24}); err != nil {
		return err
	}
	view, err := u.session(ctx)
	if err != nil {
		return err
	}
	path := "/api/sessions/" + view.Key
	if err := u.until(ctx, "mints", path+"/act", map[string]any{"nfts": 1}, "mint"); err != nil {
		return err
	}
	if err := u.until(ctx, "mints several", path+"/act", map[string]any{"nfts": 1, "tokens": 10}, "batch"); err != nil {
		return err
	}
	return u.signed(ctx, "revokes", path+"/revoke", struct{}{})
}

func (u *user) signIn(ctx context.Context) error {
	var text struct{ Text string }
	address := crypto.PubkeyToAddress(u.key.PublicKey)
	if err := u.call(ctx, "signs in", "POST", "/api/sign-in/text", map[string]any{"address": address}, &text, ""); err != nil {
		return err
	}
	sig, err := u.sign([]byte(text.Text))
	if err != nil {
		return err
	}
	return u.call(ctx, "signs in", "POST", "/api/sign-in", map[string]any{"signature": sig}, nil, "")
}

func (u *user) sign(message []byte) (hexutil.Bytes, error) {
	return crypto.Sign(accounts.TextHash(message), u.key)
}

// signed has something prepared, signs it once, and submits that until it is done.
func (u *user) signed(ctx context.Context, step, path string, in any) error {
	var prepared struct {
		Operation json.RawMessage `json:"operation"`
		Request   struct{ Params []string }
		Ticket    string `json:"ticket"`
	}
	if err := u.call(ctx, step+": prepares", "POST", path, in, &prepared, ""); err != nil {
		return err
	}
	message, err := hexutil.Decode(prepared.Request.Params[0])
	if err != nil {
		return err
	}
	sig, err := u.sign(message)
	if err != nil {
		return err
	}
	return u.until(ctx, step+": submits", "/api/submit", map[string]any{"operation": prepared.Operation, "ticket": prepared.Ticket, "signature": sig}, "")
}

// until calls until the answer is that it is done.
func (u *user) until(ctx context.Context, step, path string, in any, key string) error {
	for end := time.Now().Add(longestCall); ; {
		var outcome struct{ Status string }
		if err := u.call(ctx, step, "POST", path, in, &outcome, key); err != nil {
			return err
		}
		if outcome.Status == "done" {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s: it is %q for ever", step, outcome.Status)
		}
	}
}

// call makes a call, again and at the other replica until there is an answer.
func (u *user) call(ctx context.Context, step, method, path string, in, out any, key string) error {
	u.mu.Lock()
	u.step = step
	u.mu.Unlock()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	for end := time.Now().Add(longestCall); ; {
		again, err := u.try(ctx, method, path, body, out, key)
		if err == nil || !again {
			return err
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("%s: %s: it never went through: %w", step, path, err)
		}
		for _, s := range u.part.slots {
			if err := s.alive(); err != nil {
				return err
			}
		}
		u.replica = (u.replica + 1) % len(u.part.slots)
		time.Sleep(50 * time.Millisecond)
	}
}

// try makes a call once, and says whether it can be made again after the error.
func (u *user) try(ctx context.Context, method, path string, body []byte, out any, key string) (again bool, err error) {
	at := url.URL{Scheme: "http", Host: publicHost, Path: path}
	request, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	answer, err := u.client.Do(request)
	if err != nil {
		return true, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return true, err
	}
	if answer.StatusCode != http.StatusOK {
		var no struct{ Code, Message string }
		_ = json.Unmarshal(text, &no)
		return no.Code == "try_again" || no.Code == "pending", fmt.Errorf("%s: %d %s: %s", path, answer.StatusCode, no.Code, no.Message)
	}
	if out == nil {
		return false, nil
	}
	return false, json.Unmarshal(text, out)
}

// view is the session as the list has it.
type view struct {
	Key, Status string
	Standing    bool
	Did         []struct{ What, State string }
}

// session is the user's only one.
func (u *user) session(ctx context.Context) (*view, error) {
	var list struct{ Sessions []*view }
	if err := u.call(ctx, "looks", "GET", "/api/sessions", nil, &list, ""); err != nil {
		return nil, err
	}
	if len(list.Sessions) != 1 {
		return nil, fmt.Errorf("%d sessions, want 1", len(list.Sessions))
	}
	return list.Sessions[0], nil
}

// check compares what the chain and the service say of the story with what was done.
func (u *user) check(ctx context.Context) error {
	chain, err := look(ctx, u.part.devnet, u.account)
	if err != nil {
		return err
	}
	if want := (sight{operations: operations, succeeded: operations, nfts: 2, tokens: 10}); chain != want {
		err = fmt.Errorf("the chain has %+v, want %+v", chain, want)
	}
	view, failed := u.session(ctx)
	if failed != nil {
		return errors.Join(err, failed)
	}
	if view.Status != "revoked" || view.Standing || len(view.Did) != 2 || view.Did[0].State != "landed" || view.Did[1].State != "landed" {
		err = errors.Join(err, fmt.Errorf("the service tells %+v", *view))
	}
	return err
}
