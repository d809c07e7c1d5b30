package main

import (
	"context"
	"fmt"

	"github.com/go-sesame/sesame/session"
)

const liftAbout = `Lifts a stop by its name, as sesame stops lists it: what it stopped is signed again. A final one is never
lifted.
`

func liftCommand() command {
	return command{
		name: "lift", args: "NAME", summary: "lift a stop of the kill switch", about: liftAbout,
		define: func(f *flags) action {
			store := f.store()
			f.asks()
			return func(ctx context.Context, c *call) error {
				if len(c.args) != 1 {
					return usagef("which stop? Give its one name, as sesame stops lists it")
				}
				return withSwitch(ctx, c, store, toChange, func(s session.Switch, what string) error { return lift(ctx, c, s, what) })
			}
		},
	}
}

func lift(ctx context.Context, c *call, s session.Switch, what string) error {
	name := c.args[0]
	stops, err := s.Stops(ctx)
	if err != nil {
		return err
	}
	var found *session.Stop
	for i := range stops {
		if stops[i].Name == name {
			found = &stops[i]
		}
	}
	if found == nil {
		return fmt.Errorf("%w: the %s has no stop %q; sesame stops lists what there is", session.ErrNotFound, what, name)
	}
	c.note.line("This lets %s be signed again. %s stopped it: %s", stopped(found), found.Who, found.Why)
	if err := c.confirm(ctx); err != nil {
		return err
	}
	if err := s.Lift(ctx, name); err != nil {
		return err
	}
	if c.json {
		return c.out.value(map[string]any{"store": what, "lifted": newStopJSON(*found)})
	}
	c.out.line("Lifted: %s.", stopped(found))
	return nil
}
