package main

import (
	"context"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
)

const stopAbout = `Throws the kill switch of a store: from then on no process that shares it signs what the stop is about, until
sesame lift ends it. It needs neither node nor bundler. What was signed before and is on its way may land, and on
chain everything stays as it is: whoever has a session key elsewhere can use it until its session is revoked.

  sesame stop -store $DB -everything -why "leaked replica"
  sesame stop -store $DB -account 0x… -chain 137 -why "user asked"
  sesame stop -store $DB -key 0x… -final -why "key in a log"

Several of -account and -key stop what fits both. -final is for a key that somebody else may know: it is never
lifted. A directory is written by one process; where that runs, have it call session.Switch itself.
`

// stopping is a stop that was asked for.
type stopping struct {
	*storeFlags
	session.Stop
	everything bool
	key        *common.Address
}

func stopCommand() command {
	return command{
		name: "stop", summary: "throw the kill switch: nothing is signed for a key, an account, or at all", about: stopAbout,
		define: func(f *flags) action {
			s := &stopping{storeFlags: f.store().of(f)}
			f.asks()
			f.BoolVar(&s.everything, "everything", false, "stop all that is signed with the store")
			s.key = f.address("key", "`address` of the key to stop, session key or owner")
			f.StringVar(&s.Name, "name", "", "`name` to lift it by; it is made of what it stops by default")
			f.StringVar(&s.Who, "who", "", "`name` of who stops it; USER by default")
			f.StringVar(&s.Why, "why", "", "`reason`, for whoever finds it")
			f.BoolVar(&s.Final, "final", false, "stop it for good: it can never be lifted")
			return s.run
		},
	}
}

// complete checks what was asked for, and fills in what may be left out.
func (s *stopping) complete(c *call) error {
	s.Stop.Key = *s.key
	if *s.account != (common.Address{}) {
		if s.chain == 0 {
			return usagef("missing -chain: account %s on which chain? To stop it on all, stop its keys", *s.account)
		}
		s.Stop.Ref = session.Ref{ChainID: s.chain, Account: *s.account}
	}
	some := s.Stop.Ref != session.Ref{} || s.Stop.Key != common.Address{}
	switch {
	case some && s.everything:
		return usagef("-everything stops all; leave -account and -key out")
	case !some && !s.everything:
		return usagef("what is to be stopped? Name -account, -key, or -everything")
	case s.Why == "":
		return usagef("missing -why: whoever finds the stop has to know what it is for")
	}
	if s.Who == "" {
		s.Who = c.env("USER")
	}
	if s.Who == "" {
		return usagef("missing -who, and USER is not set: who stops it?")
	}
	if s.Name == "" {
		s.Name = s.defaultName()
	}
	return s.Validate()
}

// defaultName is the same for the same stop, so that throwing it again changes nothing.
func (s *stopping) defaultName() string {
	switch {
	case s.Stop.Ref != session.Ref{} && s.Stop.Key != common.Address{}:
		return s.Stop.Key.Hex() + " of " + s.Stop.Ref.String()
	case s.Stop.Key != common.Address{}:
		return s.Stop.Key.Hex()
	case s.Stop.Ref != session.Ref{}:
		return s.Stop.Ref.String()
	}
	return "everything"
}

func (s *stopping) run(ctx context.Context, c *call) error {
	if err := s.complete(c); err != nil {
		return err
	}
	return withSwitch(ctx, c, s.storeFlags, toChange, func(kill session.Switch, what string) error {
		c.note.line("This stops %s in the %s: no process that shares it signs it from then on.", stopped(&s.Stop), what)
		if s.Final {
			c.note.line("It is for good: nothing lifts it.")
		}
		if err := c.confirm(ctx); err != nil {
			return err
		}
		stored, err := kill.Stop(ctx, s.Stop)
		if err != nil {
			return err
		}
		if c.json {
			return c.out.value(map[string]any{"store": what, "stop": newStopJSON(stored)})
		}
		c.out.line("Stopped: %s.", stopped(&stored))
		if !stored.Final {
			c.out.line("sesame lift %q ends it.", stored.Name)
		}
		return nil
	})
}
