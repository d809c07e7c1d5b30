package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// maxUnused is how many keys a user can have made for grants that were never signed.
const maxUnused = 16

// prepared is an operation for the wallet to sign. What is kept of it is in the ticket, stamped: the browser
// brings it back beside the rest, and cannot bring another one.
type prepared struct {
	Operation *account.Prepared     `json:"operation"`
	Says      []string              `json:"says"`
	Request   account.WalletRequest `json:"request"`
	Ticket    string                `json:"ticket"`
}

// ticketPurpose is what tickets are stamped for.
const ticketPurpose = "ticket"

// create prepares a grant: the first half of a session, whose key is made here.
func (s *service) create(r *http.Request, owner *account.OwnedAccount, in *permission) (*prepared, error) {
	ctx := r.Context()
	if _, err := s.shop.policies(in, owner.Address(), owner.Address()); err != nil {
		return nil, err // before there is a key for it
	}
	if err := s.tidy(ctx, owner); err != nil {
		return nil, err
	}
	key, err := s.store.NewKey(ctx, owner.Ref())
	if err != nil {
		return nil, err
	}
	policies, err := s.shop.policies(in, key, owner.Address())
	if err != nil {
		return nil, err
	}
	p, err := owner.PrepareGrant(ctx, s.store, policies, append(in.options(), account.SignWithin(s.signWithin))...)
	if err != nil {
		return nil, errors.Join(err, s.store.RemoveKey(ctx, owner.Ref(), key))
	}
	return s.toSign(owner, p), nil
}

// tidy removes the keys of grants that were never signed, once there are many: what was prepared with one of
// them is to be prepared anew.
func (s *service) tidy(ctx context.Context, owner *account.OwnedAccount) error {
	unused, err := session.UnusedKeys(ctx, s.store, owner.Ref())
	if err != nil || len(unused) < maxUnused {
		return err
	}
	for _, key := range unused {
		if err := s.store.RemoveKey(ctx, owner.Ref(), key); err != nil && !errors.Is(err, session.ErrNoKey) {
			return err
		}
	}
	return nil
}

// revoke prepares the end of a session on chain. It is stopped here at once, signed or not.
func (s *service) revoke(r *http.Request, owner *account.OwnedAccount, _ *struct{}) (*prepared, error) {
	sess, leaves, err := s.session(r, owner)
	if err != nil {
		return nil, err
	}
	p, err := owner.PrepareRevokeEach(r.Context(), sess, ids(leaves), account.StopNow(), account.Sponsored(), account.SignWithin(s.signWithin))
	if err != nil {
		return nil, err
	}
	return s.toSign(owner, p), nil
}

func (s *service) toSign(owner *account.OwnedAccount, p *account.Prepared) *prepared {
	kept := owner.Owner().Address().Hex() + p.Hash().Hex()
	return &prepared{
		Operation: p, Says: p.Describe(), Request: p.Request(),
		Ticket: s.login.stamp(ticketPurpose, kept, p.Deadline().Add(loginLasts)), // Submit says what is late
	}
}

type submission struct {
	Operation json.RawMessage `json:"operation"`
	Ticket    string          `json:"ticket"`
	Signature hexutil.Bytes   `json:"signature"`
}

// outcome is what became of an operation so far.
type outcome struct {
	// Status is "done", or "pending" for what goes on without anybody asking; asking again tells more.
	Status      string      `json:"status"`
	Operation   common.Hash `json:"operation,omitzero"`
	Transaction common.Hash `json:"transaction,omitzero"`
}

// submit takes the wallet's signature of what was prepared, here or in another process. Submitted again it
// tells how the first submission goes.
func (s *service) submit(r *http.Request, owner *account.OwnedAccount, in *submission) (*outcome, error) {
	kept, err := s.login.unstamp(ticketPurpose, in.Ticket)
	if err != nil {
		return nil, refusef(http.StatusBadRequest, "ticket", "the ticket: %v; prepare it anew", err)
	}
	text, ours := strings.CutPrefix(kept, owner.Owner().Address().Hex())
	if !ours {
		return nil, refusef(http.StatusForbidden, "ticket", "it was prepared for somebody else")
	}
	p, err := account.ParsePrepared(in.Operation)
	if err != nil {
		return nil, err
	}
	submitted, err := s.client.Submit(r.Context(), s.store, p, in.Signature,
		account.Kept(common.HexToHash(text), owner.Address()), account.Once("signed/"+text))
	if err != nil {
		return nil, err
	}
	op := p.Operations()[0].UserOpHash
	return s.outcome(r.Context(), op, func(ctx context.Context) (*userop.Receipt, error) { return submitted.Wait(ctx) })
}

// idempotencyHeader names the caller's key of an act: the same again does nothing twice.
const idempotencyHeader = "Idempotency-Key"

// act mints with a session's key. The idempotency key belongs to the session.
func (s *service) act(r *http.Request, owner *account.OwnedAccount, in *order) (*outcome, error) {
	once := r.Header.Get(idempotencyHeader)
	if outbox.CheckKey(once) != nil || len(once) > 100 {
		return nil, refusef(http.StatusBadRequest, "no_key", "the header %s has to name the order, in up to 100 characters that can be printed", idempotencyHeader)
	}
	calls, err := s.shop.calls(in, owner.Address())
	if err != nil {
		return nil, err
	}
	sess, leaves, err := s.session(r, owner)
	if err != nil {
		return nil, err
	}
	refs, err := leavesFor(calls, sess, leaves, s.client.Contracts().Session)
	if err != nil {
		return nil, err
	}
	if err := s.stillOwns(r.Context(), owner); err != nil {
		return nil, err
	}
	tx, err := s.client.Account(owner.Address()).Send(r.Context(), calls,
		account.WithSession(refs...), account.Sponsored(), account.Once(actKey(leaves[0].Key, once)))
	if err != nil {
		return nil, err
	}
	return s.outcome(r.Context(), tx.Hash(), func(ctx context.Context) (*userop.Receipt, error) { return tx.Wait(ctx) })
}

// stillOwns refuses an account that has been given to another owner: its address still follows from the first
// one's, and its sessions go on. What is prepared the library compares with the chain by itself.
func (s *service) stillOwns(ctx context.Context, owner *account.OwnedAccount) error {
	state, err := s.client.Account(owner.Address()).State(ctx)
	if err != nil {
		return err
	}
	wallet := owner.Owner().Address()
	if state.Deployed && !slices.ContainsFunc(state.Owners, func(o account.Ownership) bool { return o.Owner == wallet }) {
		return refusef(http.StatusForbidden, "wrong_owner", "account %s does not belong to %s any more", owner.Address(), wallet)
	}
	return nil
}

// actKey is the key of an act in the outbox.
func actKey(key common.Address, once string) string { return actPrefix(key) + once }

func actPrefix(key common.Address) string { return "act/" + key.Hex() + "/" }

// outcome waits for a while.
func (s *service) outcome(ctx context.Context, op common.Hash, wait func(context.Context) (*userop.Receipt, error)) (*outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	receipt, err := wait(ctx)
	switch {
	case err == nil && receipt == nil: // nothing had to be sent
		return &outcome{Status: "done"}, nil
	case err == nil:
		return &outcome{Status: "done", Operation: receipt.UserOpHash, Transaction: receipt.TransactionHash}, nil
	case ctx.Err() != nil: // of the request, of the wait, or of this service
		return &outcome{Status: "pending", Operation: op}, nil
	}
	return nil, err
}

// suspend stops a session here, for good, at once, and without a wallet.
func (s *service) suspend(r *http.Request, owner *account.OwnedAccount, _ *struct{}) (*struct{}, error) {
	sess, leaves, err := s.session(r, owner)
	if err == nil {
		err = sess.Suspend(r.Context(), ids(leaves)...)
	}
	return &struct{}{}, err
}

// session opens the sessions of the account, and finds those of the key that the path names.
func (s *service) session(r *http.Request, owner *account.OwnedAccount) (*session.Sessions, []session.Leaf, error) {
	text := r.PathValue("key")
	if !common.IsHexAddress(text) {
		return nil, nil, refusef(http.StatusNotFound, "not_found", "a session is named by the address of its key")
	}
	key := common.HexToAddress(text)
	sess, err := session.Open(r.Context(), s.store, owner.Ref())
	if err != nil {
		return nil, nil, err
	}
	leaves := slices.DeleteFunc(sess.Leaves(), func(l session.Leaf) bool { return l.Key != key })
	if len(leaves) == 0 {
		return nil, nil, refusef(http.StatusNotFound, "not_found", "no session of yours has key %s", key)
	}
	return sess, leaves, nil
}

func ids(leaves []session.Leaf) []string {
	all := make([]string, len(leaves))
	for i := range leaves {
		all[i] = leaves[i].ID
	}
	return all
}
