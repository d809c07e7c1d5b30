package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop/outbox"
)

// me is who is signed in, and the names of what sentences speak of.
type me struct {
	Owner   common.Address            `json:"owner"`
	Account common.Address            `json:"account"`
	ChainID uint64                    `json:"chainID"`
	Names   map[common.Address]string `json:"names"`
}

func (s *service) me(_ *http.Request, owner *account.OwnedAccount, _ *struct{}) (*me, error) {
	return &me{
		Owner: owner.Owner().Address(), Account: owner.Address(), ChainID: s.client.ChainID(),
		Names: map[common.Address]string{
			owner.Address(): "your account", owner.Owner().Address(): "your wallet",
			s.shop.nft: "the NFTs", s.shop.token: "the token",
			s.client.Contracts().Session.Manager: "by Biconomy", s.client.Contracts().Session.Router: "by Biconomy",
		},
	}, nil
}

// sessionView is a session as the page shows it: all that one key may do.
type sessionView struct {
	Key    common.Address `json:"key"`
	Status string         `json:"status"`
	// Standing says that it is stopped here and still stands on chain.
	Standing bool       `json:"standing,omitempty"`
	Until    *time.Time `json:"until,omitempty"` // nil for no end
	Allows   []allowed  `json:"allows"`
	Did      []deed     `json:"did"`
}

// allowed is one thing that the key may do, and the sentence of it that is read from what is signed on chain.
type allowed struct {
	ID   string `json:"id"`
	What string `json:"what"` // nft, token or other
	Says string `json:"says"`
}

// deed is something that was done with the key.
type deed struct {
	What        string      `json:"what"`
	State       string      `json:"state"` // open, landed, reverted or ended
	At          time.Time   `json:"at"`
	Transaction common.Hash `json:"transaction,omitzero"`
}

type sessionList struct {
	Sessions []*sessionView `json:"sessions"`
	// Changing says that a grant or revocation is on its way to the chain.
	Changing bool `json:"changing"`
}

// list tells of the sessions, the newest first.
func (s *service) list(r *http.Request, owner *account.OwnedAccount, _ *struct{}) (*sessionList, error) {
	sess, err := session.OpenOrNew(r.Context(), s.store, owner.Ref())
	if err != nil {
		return nil, err
	}
	all := &sessionList{Sessions: []*sessionView{}, Changing: sess.Pending() != nil}
	deeds, err := s.deeds(r.Context(), owner)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	for _, leaf := range sess.Leaves() {
		at := slices.IndexFunc(all.Sessions, func(v *sessionView) bool { return v.Key == leaf.Key })
		if at < 0 {
			at, all.Sessions = len(all.Sessions), append(all.Sessions, &sessionView{Key: leaf.Key, Did: deeds[leaf.Key]})
		}
		view := all.Sessions[at]
		view.Status, view.Standing = leaf.StatusAt(now).String(), view.Standing || leaf.Standing()
		if leaf.ValidUntil != 0 {
			until := time.Unix(int64(leaf.ValidUntil), 0).UTC()
			view.Until = &until
		}
		modules := s.client.Contracts().Session
		view.Allows = append(view.Allows, allowed{leaf.ID, s.shop.what(&leaf, modules), leaf.Compiled.Describe(modules)})
	}
	slices.Reverse(all.Sessions)
	return all, nil
}

// maxDeeds is how many of the account's last operations are looked through.
const maxDeeds = 200

// deeds are what was done with each key of the account, the newest first, as the outbox has it written down.
func (s *service) deeds(ctx context.Context, owner *account.OwnedAccount) (map[common.Address][]deed, error) {
	entries, err := s.store.Outbox().List(ctx, outbox.Query{ChainID: owner.Ref().ChainID, Account: owner.Address(), Limit: maxDeeds})
	if err != nil {
		return nil, err
	}
	all := make(map[common.Address][]deed)
	for _, entry := range entries {
		named, isAct := strings.CutPrefix(entry.Key, "act/")
		key, _, ok := strings.Cut(named, "/")
		if !isAct || !ok || !common.IsHexAddress(key) {
			continue // a grant or revocation
		}
		calls, err := owner.Decode(entry.Latest().Operation.CallData)
		if err != nil {
			return nil, err
		}
		at := common.HexToAddress(key)
		all[at] = append(all[at], deed{What: s.shop.words(calls), State: entry.State.String(), At: entry.CreatedAt.UTC(), Transaction: entry.Outcome.Transaction})
	}
	return all, nil
}
