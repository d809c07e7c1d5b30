package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop/outbox"
)

// storeJSON is what inspect says of a whole store.
type storeJSON struct {
	Store    string         `json:"store"`
	Accounts []*accountJSON `json:"accounts"`
	Changes  []changeJSON   `json:"changes"`
	Sends    []sendJSON     `json:"sends"`
	Stops    []stopJSON     `json:"stops"`
	Actions  todos          `json:"actions"`
}

// accountJSON counts the sessions of an account.
type accountJSON struct {
	ChainID  uint64         `json:"chainID"`
	Account  common.Address `json:"account"`
	Sessions int            `json:"sessions"`
	Active   int            `json:"active"`
	Pending  int            `json:"pending"`
	Revoked  int            `json:"revoked"`
	Expired  int            `json:"expired"`
	Standing int            `json:"standing"`
	NextEnd  *time.Time     `json:"nextEnd,omitempty"`
}

// count takes one more session in.
func (a *accountJSON) count(leaf *session.Leaf, now time.Time) {
	a.Sessions++
	switch leaf.StatusAt(now) {
	case session.StatusActive:
		a.Active++
		if end := moment(leaf.ValidUntil); end != nil && (a.NextEnd == nil || end.Before(*a.NextEnd)) {
			a.NextEnd = end
		}
	case session.StatusPending:
		a.Pending++
	case session.StatusRevoked:
		a.Revoked++
	case session.StatusExpired:
		a.Expired++
	}
	if leaf.Standing() {
		a.Standing++
	}
}

// changeJSON is a change of an account's root that waits for the chain.
type changeJSON struct {
	ChainID   uint64         `json:"chainID"`
	Account   common.Address `json:"account"`
	Operation common.Hash    `json:"operation"`
	Root      common.Hash    `json:"root"`
	Add       []string       `json:"add,omitempty"`
	Remove    []string       `json:"remove,omitempty"`
	Until     *time.Time     `json:"until,omitempty"`
}

func newChangeJSON(ref session.Ref, p *session.PendingRoot) changeJSON {
	return changeJSON{ref.ChainID, ref.Account, p.OpHash, p.Root, p.Add, p.Remove, moment(p.Until)}
}

// sendJSON is a send of an idempotency key that has not ended.
type sendJSON struct {
	ChainID   uint64         `json:"chainID"`
	Account   common.Address `json:"account"`
	Key       string         `json:"key"`
	Kind      string         `json:"kind"`
	Operation common.Hash    `json:"operation"`
	Attempts  int            `json:"attempts"`
	Created   time.Time      `json:"created"`
	// Abandoned says that no process has it.
	Abandoned bool `json:"abandoned"`
}

// modulesOf are the session contracts of a chain.
func modulesOf(chain uint64) policy.Modules { return account.DefaultContracts(chain).Session }

const progressEvery = 5000

// overview says what is in the whole store.
func (in *inspection) overview(ctx context.Context, c *call, o *opened) error {
	said := &storeJSON{Store: o.what, Accounts: []*accountJSON{}, Changes: []changeJSON{}, Sends: []sendJSON{}, Stops: []stopJSON{}, Actions: todos{}}
	now, seen := c.now(), 0
	err := eachLeaf(ctx, o, session.Query{ChainID: in.chain, At: now}, func(l *session.Listed) {
		n := len(said.Accounts)
		if n == 0 || said.Accounts[n-1].ChainID != l.Ref.ChainID || said.Accounts[n-1].Account != l.Ref.Account {
			said.Accounts = append(said.Accounts, &accountJSON{ChainID: l.Ref.ChainID, Account: l.Ref.Account})
			n++
		}
		said.Accounts[n-1].count(&l.Leaf, now)
		if seen++; seen%progressEvery == 0 {
			c.note.line("%d sessions of %d accounts so far", seen, n)
		}
	})
	if err != nil {
		return err
	}
	if said.Changes, err = changes(ctx, o, in.chain); err != nil {
		return err
	}
	if said.Sends, err = openSends(ctx, o, in.chain, now); err != nil {
		return err
	}
	if s, ok := o.store.(session.Switch); ok {
		stops, err := s.Stops(ctx)
		if err != nil {
			return err
		}
		said.Stops = newStopsJSON(stops)
	}
	said.judge()
	if c.json {
		err = c.out.value(said)
	} else {
		said.print(c.out)
	}
	if err != nil {
		return err
	}
	return needsAction(len(said.Actions))
}

// changes returns the changes that wait for the chain.
func changes(ctx context.Context, o *opened, chain uint64) ([]changeJSON, error) {
	refs, err := pending(ctx, o, chain)
	found := []changeJSON{}
	for _, ref := range refs {
		state, failed := o.store.Load(ctx, ref)
		switch {
		case errors.Is(failed, session.ErrNotFound): // gone since
		case failed != nil:
			err = errors.Join(err, failed)
		case state.Pending != nil:
			found = append(found, newChangeJSON(ref, state.Pending))
		}
	}
	return found, err
}

// openSends returns the sends of the store's outbox that have not ended, the newest first.
func openSends(ctx context.Context, o *opened, chain uint64, now time.Time) ([]sendJSON, error) {
	found := []sendJSON{}
	store, ok := o.store.(account.Outbox)
	if !ok {
		return found, nil
	}
	const limit = 1000
	for query := (outbox.Query{ChainID: chain, State: outbox.StateOpen, Limit: limit}); ; {
		entries, err := store.Outbox().List(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			found = append(found, sendJSON{
				ChainID: e.ChainID, Account: e.Account, Key: e.Key, Kind: e.Kind, Operation: e.Latest().Hash, Attempts: len(e.Attempts),
				Created: e.CreatedAt.UTC(), Abandoned: !e.LeaseUntil.After(now),
			})
		}
		if len(entries) < limit {
			return found, nil
		}
		query.Before = entries[len(entries)-1].ID
	}
}

// judge says what needs action.
func (s *storeJSON) judge() {
	for _, change := range s.Changes {
		s.Actions.add("sesame reconcile settles it", "a change of sessions waits for the chain, %s", session.Ref{ChainID: change.ChainID, Account: change.Account})
	}
	for _, a := range s.Accounts {
		if a.Standing > 0 {
			s.Actions.add("have the owner revoke them (OwnedAccount.Revoke)", "%s of %s stopped here, standing on chain", counted(a.Standing, "session"), session.Ref{ChainID: a.ChainID, Account: a.Account})
		}
	}
	abandoned := 0
	for _, send := range s.Sends {
		if send.Abandoned {
			abandoned++
		}
	}
	if abandoned > 0 {
		s.Actions.add("run a program that goes on with them (Client.Run)", "%s with no process", counted(abandoned, "open send"))
	}
}

func (s *storeJSON) print(p *printer) {
	sessions := 0
	accounts := &table{head: []string{"CHAIN", "ACCOUNT", "SESSIONS", "ACTIVE", "PENDING", "REVOKED", "EXPIRED", "NEXT END"}}
	for _, a := range s.Accounts {
		sessions += a.Sessions
		next := ""
		if a.NextEnd != nil {
			next = ends(a.NextEnd)
		}
		accounts.row(a.ChainID, a.Account, a.Sessions, a.Active, a.Pending, a.Revoked, a.Expired, next)
	}
	p.line("%s: %s, %s", s.Store, counted(len(s.Accounts), "account"), counted(sessions, "session"))
	if len(s.Accounts) > 0 {
		p.write("\n")
		p.table(0, accounts)
	}
	if len(s.Changes) > 0 {
		p.title("Changes that wait for the chain")
		t := &table{head: []string{"CHAIN", "ACCOUNT", "OPERATION", "WHAT", "UNTIL"}}
		for _, change := range s.Changes {
			t.row(change.ChainID, change.Account, change.Operation, change.words(), ends(change.Until))
		}
		p.table(2, t)
	}
	if len(s.Sends) > 0 {
		p.title("Sends that are open")
		t := &table{head: []string{"CHAIN", "ACCOUNT", "KEY", "KIND", "OPERATION", "ATTEMPTS", "SINCE", "WITH"}}
		for _, send := range s.Sends {
			with := cell{"a process", plain}
			if send.Abandoned {
				with = cell{"nobody", alarm}
			}
			t.row(send.ChainID, send.Account, send.Key, send.Kind, send.Operation, send.Attempts, send.Created.Format(time.RFC3339), with)
		}
		p.table(2, t)
	}
	if len(s.Stops) > 0 {
		p.title("Stops")
		printStops(p, s.Stops)
	}
	s.Actions.print(p)
}

// words says what the change does.
func (c *changeJSON) words() string {
	var words []string
	if len(c.Add) > 0 {
		words = append(words, "adds "+join(c.Add))
	}
	if len(c.Remove) > 0 {
		words = append(words, "removes "+join(c.Remove))
	}
	if len(words) == 0 {
		return fmt.Sprintf("sets root %s", c.Root)
	}
	return join(words)
}
