package failover_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/internal/failover"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is a member that answers as it is told to.
type service struct {
	mu     sync.Mutex
	asked  int
	proved int
	answer func(ctx context.Context, n int) error
	prove  error
}

func (s *service) ask(ctx context.Context) (int, error) {
	s.mu.Lock()
	s.asked++
	n, answer := s.asked, s.answer
	s.mu.Unlock()
	if answer == nil {
		return n, nil
	}
	return n, answer(ctx, n)
}

func (s *service) set(answer func(context.Context, int) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// trouble is what a service fails with, and tells of it.
type trouble struct {
	delivered, sent bool
	delay           time.Duration
}

func (e trouble) Error() string             { return "503 Service Unavailable" }
func (e trouble) Temporary() bool           { return true }
func (e trouble) MayBeDelivered() bool      { return e.delivered }
func (e trouble) Unsent() bool              { return !e.sent && !e.delivered }
func (e trouble) RetryDelay() time.Duration { return e.delay }

// refusal is an answer.
type refusal struct{}

func (refusal) Error() string        { return "AA24 signature error" }
func (refusal) Temporary() bool      { return false }
func (refusal) MayBeDelivered() bool { return false }

var (
	down      = func(context.Context, int) error { return trouble{} }
	lost      = func(context.Context, int) error { return trouble{delivered: true} }
	refused   = func(context.Context, int) error { return refusal{} }
	elsewhere = func(context.Context, int) error { return errors.New("no such method") }
	hangs     = func(ctx context.Context, _ int) error { <-ctx.Done(); return context.Cause(ctx) }
)

func judge(err error) failover.Verdict {
	if errors.As(err, new(refusal)) {
		return failover.Answered
	}
	return failover.JudgeUnknown(err)
}

func newGroup(t *testing.T, times failover.Times, services ...*service) *failover.Group[*service] {
	t.Helper()
	var members []failover.Member[*service]
	for i, s := range services {
		members = append(members, failover.Member[*service]{Name: string(rune('a' + i)), Service: s})
	}
	group, err := failover.New(failover.Config[*service]{Kind: "service", Times: times, Prove: func(_ context.Context, s *service) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.proved++
		return s.prove
	}}, members)
	require.NoError(t, err)
	return group
}

func ask(ctx context.Context, group *failover.Group[*service], class failover.Class) (failover.Told, error) {
	_, told, err := failover.Ask(ctx, group, failover.Question{What: "it", Class: class, Judge: judge},
		func(ctx context.Context, s *service) (int, error) { return s.ask(ctx) })
	return told, err
}

func TestAsk(t *testing.T) {
	for name, test := range map[string]struct {
		a, b      func(context.Context, int) error
		class     failover.Class
		by        int // -1 for none
		err       string
		delivered bool
	}{
		"the preferred one answers":          {nil, down, failover.Read, 0, "", false},
		"it refuses, and that is an answer":  {refused, nil, failover.Read, 0, "a: AA24 signature error", false},
		"it is down":                         {down, nil, failover.Read, 1, "", false},
		"it does not have it":                {elsewhere, nil, failover.Read, 1, "", false},
		"it is down, and the other refuses":  {down, refused, failover.Write, 1, "b: AA24 signature error", false},
		"lost, and the other has it":         {lost, nil, failover.Write, 1, "", false},
		"lost, and the other refuses":        {lost, refused, failover.Write, -1, "none of 2 services will do: a: 503 Service Unavailable; b: AA24 signature error", true},
		"a read has no doubts":               {lost, refused, failover.Read, 1, "b: AA24 signature error", false},
		"both are down":                      {down, down, failover.Write, -1, "none of 2 services will do: a: 503 Service Unavailable; b: 503 Service Unavailable", false},
		"one may have it, the other is down": {lost, down, failover.Write, -1, "none of 2 services will do: a: 503 Service Unavailable; b: 503 Service Unavailable", true},
	} {
		a, b := &service{answer: test.a}, &service{answer: test.b}
		told, err := ask(t.Context(), newGroup(t, failover.Times{}, a, b), test.class)
		require.Equal(t, test.by, told.By, name)
		if test.err == "" {
			require.NoError(t, err, name)
			continue
		}
		require.EqualError(t, err, test.err, name)
		require.Equal(t, test.delivered, failover.MayBeDelivered(err), name)
	}
}

// What an error of several tells is what its members tell: one doubt is a doubt.
func TestErrorsOfSeveral(t *testing.T) {
	members := func(errs ...error) *failover.Error {
		e := &failover.Error{Kind: "service"}
		for i, err := range errs {
			e.Members = append(e.Members, &failover.MemberError{Member: string(rune('a' + i)), Err: err})
		}
		return e
	}
	late := trouble{delay: 5 * time.Second}
	for name, test := range map[string]struct {
		err                          *failover.Error
		delivered, temporary, unsent bool
		delay                        time.Duration
	}{
		"down":                   {members(trouble{}, trouble{}), false, true, true, 0},
		"one may have it":        {members(trouble{}, trouble{delivered: true}), true, true, false, 0},
		"refused":                {members(refusal{}, refusal{}), false, false, false, 0},
		"one that cannot tell":   {members(refusal{}, errors.New("what")), true, false, false, 0},
		"all to be left alone":   {members(late, trouble{delay: 2 * time.Second}), false, true, true, 2 * time.Second},
		"one to be left alone":   {members(late, trouble{}), false, true, true, 0},
		"one of them, by itself": {members(late), false, true, true, 5 * time.Second},
	} {
		require.Equal(t, test.delivered, test.err.MayBeDelivered(), name)
		require.Equal(t, test.temporary, test.err.Temporary(), name)
		require.Equal(t, test.unsent, test.err.Unsent(), name)
		require.Equal(t, test.delay, test.err.RetryDelay(), name)
	}
	require.ErrorIs(t, members(trouble{}, fmt.Errorf("x: %w", net.ErrClosed)), net.ErrClosed)
}

// A dead member costs a handful of requests, however often it is not asked, and is found when it is back.
func TestADeadMemberIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &service{answer: func(context.Context, int) error { return trouble{sent: true} }}, new(service)
		group := newGroup(t, failover.Times{}, a, b)
		for range 100 { // over 50 seconds
			told, err := ask(t.Context(), group, failover.Write)
			require.NoError(t, err)
			require.Equal(t, 1, told.By)
			time.Sleep(500 * time.Millisecond)
		}
		require.LessOrEqual(t, a.asked, 10)
		require.Equal(t, 100, b.asked)
		a.set(nil)
		time.Sleep(75 * time.Second) // the longest pause, and a quarter
		told, err := ask(t.Context(), group, failover.Write)
		require.NoError(t, err)
		require.Zero(t, told.By)
		require.Greater(t, a.proved, 2, "it says who it is after it failed")
	})
}

// While all are down, that is told at once, with the cause of each and when to ask again.
func TestAllDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &service{answer: down}, &service{answer: func(context.Context, int) error { return trouble{delay: 20 * time.Second} }}
		group := newGroup(t, failover.Times{}, a, b)
		_, err := ask(t.Context(), group, failover.Write)
		require.Error(t, err)
		start := time.Now()
		_, err = ask(t.Context(), group, failover.Write)
		require.EqualError(t, err, "none of 2 services will do: a: not asked for now, as it failed before: 503 Service Unavailable; b: not asked for now, as it failed before: 503 Service Unavailable")
		require.Zero(t, time.Since(start))
		require.Equal(t, 2, a.asked+b.asked)
		var several *failover.Error
		require.ErrorAs(t, err, &several)
		require.True(t, several.Temporary() && several.Unsent() && !several.MayBeDelivered())
		require.InDelta(t, 500*time.Millisecond, several.RetryDelay(), float64(130*time.Millisecond))

		b.set(nil)
		time.Sleep(19 * time.Second)
		_, err = ask(t.Context(), group, failover.Write)
		require.Error(t, err, "it asked for longer")
		require.Equal(t, 1, b.asked)
		time.Sleep(2 * time.Second)
		told, err := ask(t.Context(), group, failover.Write)
		require.NoError(t, err)
		require.Equal(t, 1, told.By)
	})
}

// Of many at once, one tries a member that was down, and the others do not wait for it.
func TestOneTriesWhatWasDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &service{answer: down}, new(service)
		group := newGroup(t, failover.Times{}, a, b)
		_, err := ask(t.Context(), group, failover.Read)
		require.NoError(t, err)
		a.set(func(context.Context, int) error { time.Sleep(time.Second); return nil })
		time.Sleep(time.Second)
		var wg sync.WaitGroup
		start := time.Now()
		var mu sync.Mutex
		took := make(map[time.Duration]int)
		for range 64 {
			wg.Go(func() {
				_, err := ask(t.Context(), group, failover.Read)
				require.NoError(t, err)
				mu.Lock()
				defer mu.Unlock()
				took[time.Since(start)]++
			})
		}
		wg.Wait()
		require.Equal(t, map[time.Duration]int{0: 63, time.Second: 1}, took)
	})
}

// One that does not answer leaves time for the next, and what its caller ends says nothing about it.
func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &service{answer: hangs}, new(service)
		group := newGroup(t, failover.Times{Try: 4 * time.Second, Total: 20 * time.Second}, a, b)
		start := time.Now()
		told, err := ask(t.Context(), group, failover.Read)
		require.NoError(t, err)
		require.Equal(t, 1, told.By)
		require.Equal(t, 4*time.Second, time.Since(start))
		require.ErrorIs(t, told.Failed[0], context.DeadlineExceeded)
		require.ErrorContains(t, told.Failed[0], "a: no answer within 4s")

		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start = time.Now()
		_, err = ask(ctx, group, failover.Read)
		require.NoError(t, err)
		require.Equal(t, 1500*time.Millisecond, time.Since(start), "half of what the caller has")

		b.set(hangs)
		fresh := newGroup(t, failover.Times{Total: 20 * time.Second}, b)
		start = time.Now()
		_, err = ask(t.Context(), fresh, failover.Read)
		require.ErrorContains(t, err, "no answer within 20s")
		require.Equal(t, 20*time.Second, time.Since(start))
	})
	synctest.Test(t, func(t *testing.T) {
		a, b := &service{answer: hangs}, new(service)
		group := newGroup(t, failover.Times{}, a, b)
		for range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, cancel)
			_, err := ask(ctx, group, failover.Read)
			require.ErrorIs(t, err, context.Canceled)
		}
		a.set(nil)
		told, err := ask(t.Context(), group, failover.Read)
		require.NoError(t, err)
		require.Zero(t, told.By)
		require.Zero(t, b.asked)
	})
}

// Who has time is not told that a member does not say what it serves because another one who asked had none.
func TestProvingForThoseWithAndWithoutTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := new(service), new(service)
		group, err := failover.New(failover.Config[*service]{Kind: "service", Prove: func(ctx context.Context, _ *service) error {
			select {
			case <-time.After(200 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}}, []failover.Member[*service]{{Name: "a", Service: a}, {Name: "b", Service: b}})
		require.NoError(t, err)
		var wg sync.WaitGroup
		for n := range 10 {
			wg.Go(func() {
				within := 50 * time.Millisecond
				if n > 4 {
					within = time.Minute
					time.Sleep(time.Duration(n) * time.Millisecond)
				}
				ctx, cancel := context.WithTimeout(t.Context(), within)
				defer cancel()
				told, err := ask(ctx, group, failover.Read)
				if n > 4 {
					require.NoError(t, err)
					require.Zero(t, told.By)
				}
			})
		}
		wg.Wait()
		require.Equal(t, 5, a.asked)
	})
}

// Who has little time is answered by the next member, too, and says nothing about the one that has not
// answered in it.
func TestCallersWithLittleTime(t *testing.T) {
	for _, within := range []time.Duration{30 * time.Millisecond, 900 * time.Millisecond, 1100 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			a, b := &service{answer: hangs}, new(service)
			group := newGroup(t, failover.Times{}, a, b)
			for range 10 {
				ctx, cancel := context.WithTimeout(t.Context(), within)
				told, err := ask(ctx, group, failover.Read)
				cancel()
				require.NoError(t, err)
				require.Equal(t, 1, told.By)
			}
			a.set(nil)
			told, err := ask(t.Context(), group, failover.Read)
			require.NoError(t, err)
			require.Zero(t, told.By)
		})
	}
}

// A member that is another one than it should be is given nothing, and those who ask at once ask it once.
func TestProving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := errors.New("it serves chain 5")
		a, b := &service{prove: other}, new(service)
		group := newGroup(t, failover.Times{}, a, b)
		for range 3 {
			told, err := ask(t.Context(), group, failover.Write)
			require.NoError(t, err)
			require.Equal(t, 1, told.By)
			time.Sleep(2 * time.Second)
		}
		require.Zero(t, a.asked)
		require.Equal(t, 1, b.proved)
		b.prove, b.answer = other, down
		_, err := ask(t.Context(), group, failover.Write)
		require.ErrorIs(t, err, other)
		require.False(t, failover.MayBeDelivered(err), "neither was given anything")
	})
	synctest.Test(t, func(t *testing.T) {
		a := new(service)
		var proved int
		group, err := failover.New(failover.Config[*service]{Kind: "service", Prove: func(context.Context, *service) error {
			time.Sleep(time.Second)
			proved++
			return nil
		}}, []failover.Member[*service]{{Name: "a", Service: a}})
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := ask(t.Context(), group, failover.Read)
				require.NoError(t, err)
			})
		}
		wg.Wait()
		require.Equal(t, 1, proved)
	})
	synctest.Test(t, func(t *testing.T) { // one that does not tell keeps nobody longer than they have time
		a, b := new(service), new(service)
		group, err := failover.New(failover.Config[*service]{Kind: "service", Prove: func(ctx context.Context, s *service) error {
			if s == a {
				<-ctx.Done()
			}
			return ctx.Err()
		}}, []failover.Member[*service]{{Name: "a", Service: a}, {Name: "b", Service: b}})
		require.NoError(t, err)
		var wg sync.WaitGroup
		for within := range 10 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(within+2)*time.Second)
				defer cancel()
				told, err := ask(ctx, group, failover.Read)
				require.NoError(t, err)
				require.Equal(t, 1, told.By)
			})
		}
		wg.Wait()
		require.Zero(t, a.asked)
	})
}

// A member that does not answer one question is still asked others, unless it asks to be left alone, or
// cannot be reached at all.
func TestKindsOfQuestionsFailByThemselves(t *testing.T) {
	for _, test := range []struct {
		err   trouble
		other int // who answers another question
	}{{trouble{sent: true}, 0}, {trouble{sent: true, delay: time.Minute}, 1}, {trouble{}, 1}} {
		a, b := new(service), new(service)
		group := newGroup(t, failover.Times{FirstPause: time.Hour, LongestPause: time.Hour}, a, b)
		a.set(func(context.Context, int) error { return test.err })
		for range 2 {
			_, err := ask(t.Context(), group, failover.Write)
			require.NoError(t, err)
		}
		a.set(nil)
		_, told, err := failover.Ask(t.Context(), group, failover.Question{What: "other", Judge: judge}, func(context.Context, *service) (int, error) { return 0, nil })
		require.NoError(t, err)
		require.Equal(t, test.other, told.By)
		require.Equal(t, []int{1, 0}, group.Rested("it"))
	}
}

func TestWhatIsNoGroup(t *testing.T) {
	one := []failover.Member[any]{{Service: 1}}
	for want, cfg := range map[string]struct {
		members []failover.Member[any]
		times   failover.Times
	}{
		"no service is named":                          {},
		"service 2 is nil":                             {members: append(one, failover.Member[any]{})},
		"a negative duration":                          {one, failover.Times{Try: -1}},
		"a first pause of 1m0s above the longest of 1": {one, failover.Times{FirstPause: time.Minute, LongestPause: time.Second}},
	} {
		_, err := failover.New(failover.Config[any]{Kind: "service", Times: cfg.times}, cfg.members)
		require.ErrorContains(t, err, want)
	}
	named, err := failover.New(failover.Config[any]{Kind: "service"}, []failover.Member[any]{{Name: "x", Service: 1}, {Name: "x", Service: 2}, {Service: 3}, {Name: "\x1b[2J", Service: 4}})
	require.NoError(t, err)
	require.Equal(t, "services x, x (2), service 3, [2J", named.String())
}

// However members die and come back: while one is alive that is not left alone, a question is answered; a
// dead one gets few requests; and one that is back is found within the longest pause.
func TestMembersThatDieAndComeBack(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			services := []*service{{}, {}, {}}
			group := newGroup(t, failover.Times{LongestPause: 8 * time.Second}, services...)
			for range 40 {
				dead := random.IntN(8) // bits
				before := make([]int, 3)
				for i, s := range services {
					s.set(nil)
					if dead>>i&1 == 1 {
						s.set([]func(context.Context, int) error{down, lost, hangs}[random.IntN(3)])
					}
					before[i] = s.asked
				}
				const sends = 60
				begun := time.Now()
				for n := range sends {
					told, err := ask(t.Context(), group, failover.Write)
					if dead == 7 {
						require.Error(t, err)
					} else if n == sends-1 { // a minute later
						require.NoError(t, err)
						require.Zero(t, dead>>told.By&1)
					}
					time.Sleep(time.Second)
				}
				for i, s := range services {
					if dead>>i&1 == 1 {
						most := 8 + int(time.Since(begun)/(6*time.Second)) // pauses are 8 seconds, or a quarter less
						require.LessOrEqual(t, s.asked-before[i], most, "seed %d", seed)
					}
				}
			}
		})
	}
}

// All were down, and are back: several questions of one caller, each of which ends the others if it fails,
// find that out, whatever an answer takes.
func TestQuestionsBesideEachOtherFindWhatIsBack(t *testing.T) {
	for name, what := range map[string][]string{"of one kind": {"it", "it", "it"}, "of several kinds": {"it", "chain", "fees"}} {
		for _, takes := range []time.Duration{0, time.Millisecond, time.Second} {
			synctest.Test(t, func(t *testing.T) {
				a, b := &service{answer: down}, &service{answer: down}
				group, err := failover.New(failover.Config[*service]{Kind: "service", Prove: func(ctx context.Context, _ *service) error {
					return slow(ctx, takes)
				}}, []failover.Member[*service]{{Name: "a", Service: a}, {Name: "b", Service: b}})
				require.NoError(t, err)
				asks := func() error {
					asking, ctx := errgroup.WithContext(t.Context())
					for _, what := range what {
						asking.Go(func() error {
							_, _, err := failover.Ask(ctx, group, failover.Question{What: what, Judge: judge}, func(ctx context.Context, s *service) (int, error) { return s.ask(ctx) })
							return err
						})
					}
					return asking.Wait()
				}
				for range 10 {
					require.Error(t, asks())
					time.Sleep(10 * time.Second)
				}
				for _, s := range []*service{a, b} {
					s.set(func(ctx context.Context, _ int) error { return slow(ctx, takes) })
				}
				time.Sleep(75 * time.Second) // the longest pause, and a quarter
				require.NoError(t, asks(), "%s, %s", name, takes)
			})
		}
	}
}

func slow(ctx context.Context, takes time.Duration) error {
	select {
	case <-time.After(takes):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// One question waits for what another one finds out only while no other member answers, and not for longer
// than its own time.
func TestOneThatIsBeingTriedComesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &service{answer: down}, &service{answer: down}
		group := newGroup(t, failover.Times{}, a, b)
		_, err := ask(t.Context(), group, failover.Read)
		require.Error(t, err)
		time.Sleep(time.Second)
		finds := make(chan error)
		a.set(func(context.Context, int) error { time.Sleep(3 * time.Second); return <-finds })
		var first error
		var asking sync.WaitGroup
		asking.Go(func() { _, first = ask(t.Context(), group, failover.Read) })
		synctest.Wait()

		begun := time.Now()
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = ask(soon, group, failover.Read)
		require.ErrorContains(t, err, "b: 503 Service Unavailable; a: not asked for now, as it failed before: 503 Service Unavailable; waited for another question to find out: context deadline exceeded")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(begun))

		finds <- nil
		asking.Wait()
		require.NoError(t, first)
	})
}

// Of two that are being tried, the second is asked once it is back, while the first hangs still.
func TestOneThatHangsLeavesTimeForOneThatIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &service{answer: down}, &service{answer: down}
		group := newGroup(t, failover.Times{}, a, b)
		_, err := ask(t.Context(), group, failover.Read)
		require.Error(t, err)
		time.Sleep(time.Second)
		a.set(hangs)
		b.set(func(ctx context.Context, _ int) error { return slow(ctx, 50*time.Millisecond) })
		trying, end := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		for range 2 { // one tries a, the other one b
			asking.Go(func() { _, _ = ask(trying, group, failover.Read) })
			synctest.Wait()
		}
		soon, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		told, err := ask(soon, group, failover.Read)
		require.NoError(t, err)
		require.Equal(t, 1, told.By)
		end()
		asking.Wait()
	})
}

// What a member answers is its answer, also if it is of a group of its own, of which one is being tried.
func TestAGroupInAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := &service{answer: down}, &service{answer: down}
		inner := newGroup(t, failover.Times{}, x, y)
		_, err := ask(t.Context(), inner, failover.Write)
		require.Error(t, err)
		time.Sleep(time.Second)
		y.set(hangs)
		x.set(func(_ context.Context, n int) error { return trouble{delivered: true} })
		trying, end := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		asking.Go(func() { _, _ = ask(trying, inner, failover.Write) }) // x fails, y is tried
		synctest.Wait()
		time.Sleep(3 * time.Second) // x may be asked again

		p := &service{answer: func(ctx context.Context, _ int) error { _, err := ask(ctx, inner, failover.Write); return err }}
		outer := newGroup(t, failover.Times{}, p, &service{answer: refused})
		_, err = ask(t.Context(), outer, failover.Write)
		require.True(t, failover.MayBeDelivered(err), "%v", err)
		require.Equal(t, 1, p.asked)
		end()
		asking.Wait()
	})
}
