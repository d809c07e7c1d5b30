package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
)

const inspectAbout = `Looks into a store and changes nothing. Without -account it lists the accounts, the changes that wait for the
chain, the sends that are open, and the stops. With -account it says in words what each session allows and what
is risky about it; with -node also, whether the chain agrees. Of the TypeScript SDK's files it says first what
was spoilt in them. With -sessions it lists single sessions, of which -key, -status, -standing and -ends-within
choose.

  sesame inspect -store ./sessions
  sesame inspect -store ./sessions -account 0x… -node @node.url
  sesame inspect -store ts:./sdk -chain 137 -account 0x…
  sesame inspect -store ./sessions -sessions -status active -ends-within 24h

Exit code 3 says that something needs action; the output says what.
`

// inspection is what inspect was asked for.
type inspection struct {
	*storeFlags
	node       string
	sessions   bool
	key        *common.Address
	status     session.Status
	standing   bool
	endsWithin time.Duration
}

func inspectCommand() command {
	return command{
		name: "inspect", summary: "say what is in a store: accounts, sessions, what waits, what is risky", about: inspectAbout,
		define: func(f *flags) action {
			in := &inspection{storeFlags: f.store().of(f).keys(f)}
			f.StringVar(&in.node, "node", "", nodeUsage)
			f.BoolVar(&in.sessions, "sessions", false, "list single sessions")
			in.key = f.address("key", "list the sessions of the session key with this `address`")
			f.Func("status", "list the sessions in this `status`: pending, active, revoked or expired", func(text string) error {
				return in.status.UnmarshalText([]byte(text))
			})
			f.BoolVar(&in.standing, "standing", false, "list the sessions that were stopped here and stand on chain")
			f.DurationVar(&in.endsWithin, "ends-within", 0, "list the sessions that end within this `time` from now")
			return in.run
		},
	}
}

// lists reports whether single sessions are asked for.
func (in *inspection) lists() bool {
	return in.sessions || *in.key != (common.Address{}) || in.status != 0 || in.standing || in.endsWithin != 0
}

func (in *inspection) run(ctx context.Context, c *call) error {
	o, err := in.open(ctx, c, toRead)
	if err != nil {
		return err
	}
	defer o.close()
	switch {
	case in.lists():
		return in.list(ctx, c, o)
	case *in.account != (common.Address{}):
		return in.accounts(ctx, c, o)
	case in.node != "":
		return usagef("-node goes with -account: which account is the chain asked about?")
	}
	return in.overview(ctx, c, o)
}

// todo is something that needs action.
type todo struct {
	What string `json:"what"`
	Do   string `json:"do"`
}

// todos are several of them.
type todos []todo

func (t *todos) add(do, format string, args ...any) {
	*t = append(*t, todo{What: fmt.Sprintf(format, args...), Do: do})
}

// print writes them, or that there are none.
func (t todos) print(p *printer) {
	if len(t) == 0 {
		p.write("\n" + p.paint(good, "Nothing needs action.") + "\n")
		return
	}
	p.title("Needs action")
	for _, one := range t {
		p.text(2, "%s: %s", one.What, one.Do)
	}
}

// listedJSON is one session of a listing.
type listedJSON struct {
	ChainID uint64         `json:"chainID"`
	Account common.Address `json:"account"`
	sessionJSON
}

// sessionJSON is one session.
type sessionJSON struct {
	Position   int            `json:"position"`
	ID         string         `json:"id"`
	Status     string         `json:"status"`
	Standing   bool           `json:"standing"`
	InTree     bool           `json:"inTree"`
	Key        common.Address `json:"key"`
	ValidAfter *time.Time     `json:"validAfter,omitempty"`
	ValidUntil *time.Time     `json:"validUntil,omitempty"`
	Hash       common.Hash    `json:"hash"`
	Allows     string         `json:"allows"`
}

func newSessionJSON(position int, leaf *session.Leaf, allows string, now time.Time) sessionJSON {
	return sessionJSON{
		Position: position, ID: leaf.ID, Status: leaf.StatusAt(now).String(), Standing: leaf.Standing(), InTree: leaf.InTree,
		Key: leaf.Key, ValidAfter: moment(leaf.ValidAfter), ValidUntil: moment(leaf.ValidUntil), Hash: leaf.Hash(), Allows: allows,
	}
}

// moment is a time in unix seconds, nil for 0.
func moment(seconds uint64) *time.Time {
	if seconds == 0 {
		return nil
	}
	at := time.Unix(int64(seconds), 0).UTC()
	return &at
}

// ends says when something ends that does at at, nil for never.
func ends(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return at.Format(time.RFC3339)
}

// word is the status of a session in a word, in its colour.
func (s *sessionJSON) word() cell {
	switch {
	case s.Standing:
		return cell{"revoked, standing", alarm}
	case s.Status == session.StatusActive.String():
		return cell{s.Status, good}
	case s.Status == session.StatusPending.String():
		return cell{s.Status, caution}
	}
	return cell{s.Status, plain}
}

// list lists single sessions.
func (in *inspection) list(ctx context.Context, c *call, o *opened) error {
	now := c.now()
	query := session.Query{ChainID: in.chain, Account: *in.account, Key: *in.key, Status: in.status, Standing: in.standing, At: now}
	if in.endsWithin != 0 {
		query.ExpiresAfter, query.ExpiresBefore = now, now.Add(in.endsWithin)
	}
	found, standing := []listedJSON{}, 0
	err := eachLeaf(ctx, o, query, func(l *session.Listed) {
		allows := l.Leaf.Describe(modulesOf(l.Ref.ChainID))
		found = append(found, listedJSON{l.Ref.ChainID, l.Ref.Account, newSessionJSON(l.Position, &l.Leaf, allows, now)})
		if l.Leaf.Standing() {
			standing++
		}
	})
	if err != nil {
		return err
	}
	if c.json {
		err = c.out.value(map[string]any{"store": o.what, "sessions": found})
	} else {
		t := &table{head: []string{"CHAIN", "ACCOUNT", "ID", "STATUS", "KEY", "ENDS", "ALLOWS"}}
		for i := range found {
			s := &found[i]
			t.row(s.ChainID, s.Account, s.ID, s.word(), s.Key, ends(s.ValidUntil), s.Allows)
		}
		c.out.line("%s", counted(len(found), "session"))
		c.out.table(0, t)
	}
	if err != nil || !in.standing {
		return err
	}
	return needsAction(standing)
}

// join is texts as a list in a sentence.
func join(texts []string) string { return strings.Join(texts, ", ") }
