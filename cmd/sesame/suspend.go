package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
)

const suspendAbout = `Stops sessions for good: those of the IDs, all of the account with -all, or all of a session key with -key, on
whatever account. They are stored as revoked, and no process that shares the store signs with them from then on.
Nothing makes a suspended session sign again. It needs the store alone, neither node nor owner.

On chain the sessions still stand, for whoever has the key elsewhere, until the owner revokes them. To stop
something for a while, use sesame stop.

  sesame suspend -store $DB -account 0x… minting trading
  sesame suspend -store $DB -account 0x… -all
  sesame suspend -store $DB -key 0x…
`

// suspension is what is to be suspended.
type suspension struct {
	*storeFlags
	all bool
	key *common.Address
}

func suspendCommand() command {
	return command{
		name: "suspend", args: "[ID...]", summary: "stop sessions for good, without node and owner", about: suspendAbout,
		define: func(f *flags) action {
			s := &suspension{storeFlags: f.store().of(f)}
			f.asks()
			f.BoolVar(&s.all, "all", false, "suspend all sessions of the account")
			s.key = f.address("key", "suspend all sessions of the session key with this `address`")
			return s.run
		},
	}
}

// suspendedJSON is a session that was suspended.
type suspendedJSON struct {
	ChainID uint64         `json:"chainID"`
	Account common.Address `json:"account"`
	ID      string         `json:"id"`
	Key     common.Address `json:"key"`
	Allows  string         `json:"allows"`
}

func (s *suspension) check(c *call) error {
	ways := 0
	for _, is := range []bool{len(c.args) > 0, s.all, *s.key != (common.Address{})} {
		if is {
			ways++
		}
	}
	if ways != 1 {
		return usagef("what is to be suspended? Give IDs, or -all, or -key")
	}
	if (s.all || len(c.args) > 0) && *s.account == (common.Address{}) {
		return usagef("missing -account: whose sessions?")
	}
	return nil
}

func (s *suspension) run(ctx context.Context, c *call) error {
	if err := s.check(c); err != nil {
		return err
	}
	o, err := s.open(ctx, c, toChange)
	if err != nil {
		return err
	}
	defer o.close()
	found, err := s.find(ctx, c, o)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		c.note.line("All of them are revoked already.")
	} else {
		s.announce(c, o, found)
		if err := c.confirm(ctx); err != nil {
			return err
		}
		if err := suspend(ctx, o, found); err != nil {
			return err
		}
	}
	if c.json {
		err = c.out.value(map[string]any{"store": o.what, "suspended": found})
	} else {
		c.out.line("Suspended: %s.", counted(len(found), "session"))
	}
	if err == nil && len(found) > 0 {
		c.note.line("On chain they stand until their owner revokes them: sesame inspect -standing lists such.")
	}
	return err
}

// find returns the sessions that are to be suspended and are not yet. An ID that the account does not have is
// an error before anything is done.
func (s *suspension) find(ctx context.Context, c *call, o *opened) ([]suspendedJSON, error) {
	query := session.Query{ChainID: s.chain, Account: *s.account, Key: *s.key}
	if *s.account != (common.Address{}) {
		ref, err := s.ref(ctx, o)
		if err != nil {
			return nil, err
		}
		query.ChainID, query.Account = ref.ChainID, ref.Account
	}
	found, known := []suspendedJSON{}, make(map[string]bool)
	err := eachLeaf(ctx, o, query, func(l *session.Listed) {
		known[l.Leaf.ID] = true
		if l.Leaf.Status == session.StatusRevoked || len(c.args) > 0 && !slices.Contains(c.args, l.Leaf.ID) {
			return
		}
		found = append(found, suspendedJSON{l.Ref.ChainID, l.Ref.Account, l.Leaf.ID, l.Leaf.Key, l.Leaf.Describe(modulesOf(l.Ref.ChainID))})
	})
	if err != nil {
		return nil, err
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("%w: the %s has no such sessions", session.ErrNotFound, o.what)
	}
	for _, id := range c.args {
		if !known[id] {
			return nil, fmt.Errorf("%w: account %s has no session %q on chain %d; nothing was suspended", session.ErrNoLeaf, query.Account, id, query.ChainID)
		}
	}
	return found, nil
}

func (s *suspension) announce(c *call, o *opened, found []suspendedJSON) {
	c.note.line("This stops %s of the %s, for good:", counted(len(found), "session"), o.what)
	t := &table{head: []string{"CHAIN", "ACCOUNT", "ID", "KEY", "ALLOWS"}}
	for _, one := range found {
		t.row(one.ChainID, one.Account, one.ID, one.Key, one.Allows)
	}
	c.note.table(2, t)
}

// suspend suspends the sessions, account by account. One account that fails keeps no other from being
// stopped.
func suspend(ctx context.Context, o *opened, found []suspendedJSON) error {
	var failed []error
	for len(found) > 0 {
		ref := session.Ref{ChainID: found[0].ChainID, Account: found[0].Account}
		var ids []string
		for len(found) > 0 && found[0].ChainID == ref.ChainID && found[0].Account == ref.Account {
			ids, found = append(ids, found[0].ID), found[1:]
		}
		failed = append(failed, session.Suspend(ctx, o.store, ref, ids...))
	}
	return errors.Join(failed...)
}
