package failover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/go-sesame/sesame/internal/observe"
	"github.com/go-sesame/sesame/internal/oneline"
)

// Verdict is what an error says about the member that it came from.
type Verdict int

const (
	// Answered: it is the answer, which another member would give as well, or is not to be asked for.
	Answered Verdict = iota
	// Elsewhere: the member is well, and another one may do what it does not.
	Elsewhere
	// Failed: the member is not well; another one is asked.
	Failed
)

// JudgeUnknown is the verdict on an error that a service's package does not know: it says of itself that the
// service failed, or leaves that open.
func JudgeUnknown(err error) Verdict {
	if temporary(err) || denied(err) || unsent(err) || ofNetwork(err) {
		return Failed
	}
	return Elsewhere
}

// Class is what becomes of a question that fails.
type Class int

const (
	// Read is a question that changes nothing.
	Read Class = iota
	// Write hands something over: who failed may have it.
	Write
)

// Bounds of the times in a [Config].
const (
	defaultTry   = 10 * time.Second
	defaultTotal = 30 * time.Second
	defaultFirst = 500 * time.Millisecond
	defaultLast  = time.Minute
	// shortestTry is what a try has where half of the time that is left is less, but not more than two thirds
	// of it, and enough to tell a member that does not answer from a caller without time.
	shortestTry = time.Second
	// longestProbe bounds the question for a member's identity.
	longestProbe = 5 * time.Second
)

// Times bound questions and the pauses of members that failed; zero fields have their defaults.
type Times struct {
	// Try bounds the try of a member while another one can be asked, 10 seconds by default, and Total all
	// tries of a question whose context has no deadline, 30 seconds by default.
	Try, Total time.Duration
	// FirstPause is how long a member that failed is left alone at first, half a second by default. Each
	// failure after that doubles it, up to LongestPause, a minute by default. Both vary by a quarter.
	FirstPause, LongestPause time.Duration
}

func (t Times) withDefaults() (Times, error) {
	if min(t.Try, t.Total, t.FirstPause, t.LongestPause) < 0 {
		return t, errors.New("a negative duration")
	}
	t.Try, t.Total = cmp.Or(t.Try, defaultTry), cmp.Or(t.Total, defaultTotal)
	t.FirstPause = cmp.Or(t.FirstPause, defaultFirst)
	t.LongestPause = cmp.Or(t.LongestPause, max(defaultLast, t.FirstPause))
	if t.FirstPause > t.LongestPause {
		return t, fmt.Errorf("a first pause of %s above the longest of %s", t.FirstPause, t.LongestPause)
	}
	return t, nil
}

// Config makes a [Group].
type Config[S any] struct {
	// Kind is what the members are: "bundler".
	Kind  string
	Times Times
	// Prove returns an error for a member that does not say that it serves what the group is for. It is asked
	// before the member's first question, and before the first one after it failed. Nil takes any.
	Prove func(ctx context.Context, service S) error
	// Once returns a context with which the member's client does not try again by itself, nil where there is
	// none such: another member is asked instead.
	Once func(ctx context.Context) context.Context
	// Logger is told which member was asked, at debug level, and which failed, as a warning; nil for silence.
	Logger *slog.Logger
}

// Member is a service with its name.
type Member[S any] struct {
	Name    string
	Service S
}

// Group are services in order of preference. It is safe for concurrent use.
type Group[S any] struct {
	cfg     Config[S]
	members []*member[S]
	told    observe.Members
}

// member has a circuit for each kind of questions, since some may fail while others do not, and one for its
// identity.
type member[S any] struct {
	Member[S]
	newCircuit func() *circuit
	identity   *circuit
	probes     singleflight.Group

	mu       sync.Mutex
	circuits map[string]*circuit // by what is asked
	proven   bool
}

// circuit is that of a kind of questions.
func (m *member[S]) circuit(what string) *circuit {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.circuits[what]
	if c == nil {
		c = m.newCircuit()
		m.circuits[what] = c
	}
	return c
}

// New returns a group; an error says what is wrong with its configuration. Names that several members have
// get a number.
func New[S any](cfg Config[S], members []Member[S]) (*Group[S], error) {
	if len(members) == 0 {
		return nil, fmt.Errorf("no %s is named", cfg.Kind)
	}
	times, err := cfg.Times.withDefaults()
	if err != nil {
		return nil, err
	}
	if cfg.Prove == nil {
		cfg.Prove = func(context.Context, S) error { return nil }
	}
	cfg.Times = times
	g := &Group[S]{cfg: cfg, told: observe.Members{Kind: cfg.Kind, Logger: cfg.Logger}}
	for i, given := range members {
		if any(given.Service) == nil {
			return nil, fmt.Errorf("%s %d is nil", cfg.Kind, i+1)
		}
		m := &member[S]{Member: given, circuits: make(map[string]*circuit)}
		m.Name = g.unique(cmp.Or(strings.TrimSpace(oneline.Of(given.Name)), fmt.Sprintf("%s %d", cfg.Kind, i+1)))
		m.newCircuit = func() *circuit {
			return newCircuit(times.FirstPause, times.LongestPause, func(why error) {
				m.setProven(false)
				g.told.Failed(m.Name, why)
			})
		}
		m.identity = m.newCircuit()
		g.members = append(g.members, m)
	}
	return g, nil
}

// unique is the name, with a number where another member has it.
func (g *Group[S]) unique(name string) string {
	for unique, n := name, 2; ; unique, n = fmt.Sprintf("%s (%d)", name, n), n+1 {
		if !slices.ContainsFunc(g.members, func(m *member[S]) bool { return m.Name == unique }) {
			return unique
		}
	}
}

// Len is how many members there are.
func (g *Group[S]) Len() int { return len(g.members) }

// Member returns a member by its place.
func (g *Group[S]) Member(i int) Member[S] { return g.members[i].Member }

// Place is that of the member with a name, -1 for none.
func (g *Group[S]) Place(name string) int {
	return slices.IndexFunc(g.members, func(m *member[S]) bool { return m.Name == name })
}

// String names the members in their order.
func (g *Group[S]) String() string {
	names := make([]string, len(g.members))
	for i, m := range g.members {
		names[i] = m.Name
	}
	return g.cfg.Kind + "s " + strings.Join(names, ", ")
}

// Order are the places of all members, those that are named first, and the others as they are preferred.
func (g *Group[S]) Order(first ...int) []int {
	order := slices.Clone(first)
	for i := range g.members {
		if !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	return order
}

// OrderWithLast are the places of all members as they are preferred, but for one that comes last.
func (g *Group[S]) OrderWithLast(last int) []int {
	order := slices.DeleteFunc(g.Order(), func(place int) bool { return place == last })
	return append(order, last)
}

// Rested are the places of all members as they are preferred, but that those come last which are not asked
// such questions for now.
func (g *Group[S]) Rested(what string) []int {
	var ready, rested []int
	for i, m := range g.members {
		if max(m.circuit(what).rest(), m.identity.rest()) == 0 {
			ready = append(ready, i)
		} else {
			rested = append(rested, i)
		}
	}
	return append(ready, rested...)
}

// Question is how members are asked.
type Question struct {
	// What is asked, one of a few kinds: a method's name.
	What string
	// Order are the places of the members to ask, nil for all as they are preferred.
	Order []int
	// More says that others are asked in questions of their own after these, in the time that is left.
	More  bool
	Class Class
	// Judge tells what an error says of a member.
	Judge func(error) Verdict
}

// Told says who answered a question.
type Told struct {
	// By is the place of the member that answered, -1 for none.
	By int
	// Failed are the failures of those that were asked before it, or of all.
	Failed []*MemberError
}

// Ask asks one member after the other, until one answers. One that another question tries, after it had
// failed, comes after all others, and is waited for then. An answer that is an error is a [*MemberError];
// after another member failed that may have got what was handed over, it is no answer but part of an
// [*Error], as are the failures of all.
func Ask[S, T any](ctx context.Context, g *Group[S], q Question, ask func(context.Context, S) (T, error)) (T, Told, error) {
	if q.Order == nil {
		q.Order = g.Order()
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, g.cfg.Times.Total, notWithin(g.cfg.Times.Total))
		defer cancel()
	}
	failed := &Error{Kind: g.cfg.Kind}
	order := q.Order
	for n := 0; n < len(order); n++ {
		place, patient := order[n], n >= len(q.Order)
		m := g.members[place]
		last := n == len(q.Order)-1 || n == len(order)-1
		answer, verdict, err := askMember(ctx, g, m, q, last && !q.More, patient, ask)
		if !patient && !q.More && beingTried(err) {
			// Who refused at once would end the questions beside it, and with them the one that finds out.
			order = append(order[:len(order):len(order)], place)
			continue
		}
		g.told.Asked(ctx, m.Name, q.What, err)
		if err == nil {
			return answer, Told{place, failed.Members}, nil
		}
		failure := &MemberError{Member: m.Name, Err: err}
		if verdict == Answered && (q.Class == Read || !failed.any(MayBeDelivered)) {
			return answer, Told{place, failed.Members}, failure
		}
		failed.Members = append(failed.Members, failure)
		if verdict == Answered || ctx.Err() != nil {
			break
		}
	}
	return *new(T), Told{-1, failed.Members}, failed
}

// askMember asks one member, if it can be asked now, or, of one that is patient, once another question has
// found out whether it can; last says that there is none after it.
func askMember[S, T any](ctx context.Context, g *Group[S], m *member[S], q Question, last, patient bool, ask func(context.Context, S) (T, error)) (answer T, verdict Verdict, err error) {
	trying, cancel := g.try(ctx, last)
	defer cancel()
	done, err := m.circuit(q.What).enterFor(trying, patient)
	if err != nil {
		return answer, Failed, err
	}
	ended := errNoVerdict
	defer func() {
		done(ended)
		if retryDelay(ended) > 0 || unsent(ended) { // whatever it is asked
			m.identity.fail(ended)
		}
	}()
	if err := g.prove(trying, ctx, m, patient); err != nil {
		return answer, Failed, err
	}
	begun := time.Now()
	answer, err = ask(trying, m.Service)
	switch {
	case err == nil:
		ended = nil
	case trying.Err() == nil:
		if verdict = q.Judge(err); verdict != Failed {
			ended = nil
			break
		}
		ended = err
	default: // it did not answer in time
		verdict, ended = Failed, g.lateOr(ctx, begun, err)
	}
	return answer, verdict, err
}

// lateOr is the failure of a question that was not answered in time, or [errNoVerdict] where the time was the
// caller's, or a part of it, and short.
func (g *Group[S]) lateOr(caller context.Context, begun time.Time, err error) error {
	if errors.Is(caller.Err(), context.Canceled) || time.Since(begun) < min(shortestTry, g.cfg.Times.Try) {
		return errNoVerdict
	}
	return err
}

// try bounds the try of a member: while there is another one, it has half of the time that is left.
func (g *Group[S]) try(ctx context.Context, last bool) (context.Context, context.CancelFunc) {
	if last {
		return context.WithCancel(ctx)
	}
	if g.cfg.Once != nil {
		ctx = g.cfg.Once(ctx)
	}
	within := g.cfg.Times.Try
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		within = min(within, max(left/2, min(shortestTry, left*2/3)))
	}
	return context.WithTimeoutCause(ctx, within, notWithin(within))
}

func notWithin(d time.Duration) error {
	return fmt.Errorf("no answer within %s: %w", d.Round(10*time.Millisecond), context.DeadlineExceeded)
}

// prove asks the member for its identity, unless it told since it failed last. Who asks at the same time
// shares the answer.
func (g *Group[S]) prove(ctx, caller context.Context, m *member[S], patient bool) error {
	for !m.isProven() {
		done, err := m.identity.enterFor(ctx, patient)
		if err != nil {
			return err
		}
		if m.isProven() { // to another question, meanwhile
			done(nil)
			return nil
		}
		begun := time.Now()
		telling := m.probes.DoChan("", func() (any, error) { // which ends with the context of who asks first
			asking, cancel := context.WithTimeoutCause(ctx, longestProbe, notWithin(longestProbe))
			defer cancel()
			err := g.cfg.Prove(asking, m.Service)
			switch {
			case err == nil:
				m.setProven(true)
			case ctx.Err() != nil:
				err = &askerGoneError{err}
			}
			return nil, err
		})
		select {
		case told := <-telling:
			err = told.Err
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		switch {
		case err == nil:
			done(nil)
			return nil
		case ctx.Err() != nil:
			done(g.lateOr(caller, begun, &unprovenError{err}))
		case errors.As(err, new(*askerGoneError)):
			done(errNoVerdict)
			continue
		default:
			done(&unprovenError{err})
		}
		return &unprovenError{err}
	}
	return nil
}

// askerGoneError is a member's silence until the time was over of who asked, for others, too.
type askerGoneError struct{ error }

func (e *askerGoneError) Unwrap() error { return e.error }

func (m *member[S]) isProven() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.proven
}

func (m *member[S]) setProven(proven bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.proven = proven
}
