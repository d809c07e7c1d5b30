package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
)

const stopsAbout = `Lists the stops of a store: what is not signed for by any process that shares it, since somebody threw the kill
switch with sesame stop, or a program with session.Switch.
`

func stopsCommand() command {
	return command{
		name: "stops", summary: "list what the kill switch stops", about: stopsAbout,
		define: func(f *flags) action {
			store := f.store()
			return func(ctx context.Context, c *call) error {
				return withSwitch(ctx, c, store, toRead, func(s session.Switch, what string) error {
					stops, err := s.Stops(ctx)
					if err != nil {
						return err
					}
					if c.json {
						return c.out.value(map[string]any{"store": what, "stops": newStopsJSON(stops)})
					}
					c.out.line("%s: %s", what, counted(len(stops), "stop"))
					printStops(c.out, newStopsJSON(stops))
					return nil
				})
			}
		},
	}
}

// withSwitch calls do with the kill switch of the store that the flags name.
func withSwitch(ctx context.Context, c *call, flags *storeFlags, mode storeMode, do func(s session.Switch, what string) error) error {
	o, err := flags.open(ctx, c, mode)
	if err != nil {
		return err
	}
	defer o.close()
	s, ok := o.store.(session.Switch)
	if !ok {
		return usagef("%s have no kill switch; sesame suspend stops sessions there", o.what)
	}
	return do(s, o.what)
}

// stopJSON is a stop. Without an account it is about all, and without a key about all keys.
type stopJSON struct {
	Name    string          `json:"name"`
	ChainID uint64          `json:"chainID,omitempty"`
	Account *common.Address `json:"account,omitempty"`
	Key     *common.Address `json:"key,omitempty"`
	Final   bool            `json:"final"`
	Who     string          `json:"who"`
	Why     string          `json:"why"`
	At      time.Time       `json:"at"`
	what    string
}

func newStopJSON(s session.Stop) stopJSON {
	said := stopJSON{Name: s.Name, ChainID: s.Ref.ChainID, Final: s.Final, Who: s.Who, Why: s.Why, At: s.At.UTC(), what: stopped(&s)}
	if s.Ref != (session.Ref{}) {
		said.Account = &s.Ref.Account
	}
	if s.Key != (common.Address{}) {
		said.Key = &s.Key
	}
	return said
}

func newStopsJSON(stops []session.Stop) []stopJSON {
	said := make([]stopJSON, len(stops))
	for i, s := range stops {
		said[i] = newStopJSON(s)
	}
	return said
}

func printStops(p *printer, stops []stopJSON) {
	t := &table{head: []string{"NAME", "STOPS", "SINCE", "BY", "WHY"}}
	for i := range stops {
		s := &stops[i]
		t.row(s.Name, s.what, s.At.Format(time.RFC3339), s.Who, s.Why)
	}
	p.table(2, t)
}

// stopped says what a stop is about.
func stopped(s *session.Stop) string {
	text := "everything"
	switch {
	case s.Key != common.Address{} && s.Ref != session.Ref{}:
		text = fmt.Sprintf("key %s of %s", s.Key, s.Ref)
	case s.Key != common.Address{}:
		text = "key " + s.Key.Hex()
	case s.Ref != session.Ref{}:
		text = s.Ref.String()
	}
	if s.Final {
		text += ", for good"
	}
	return text
}
