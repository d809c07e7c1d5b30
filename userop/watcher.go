package userop

import (
	"container/heap"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/time/rate"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/observe"
)

const (
	// Where many wait, all waits of a sender together make so many requests in a second, and in any one
	// second no more than the burst besides. A few are bounded by their own pauses: who sends one after
	// another to services that answer at once is not slowed down.
	requestsPerSecond = 80
	requestBurst      = 20
	// Besides, each operation that the sender hands over brings so many requests, for its receipt and its
	// logs: who sends pays for that with requests of his own. They are kept up to mostBrought.
	broughtBySend = 3
	mostBrought   = 256
	// So many waits are gone on with at once, and so many besides where the node has shown what ends them:
	// those ask no bundler, which may hang. So many functions of [Pending.Then] run at once.
	visitsAtOnce = 24
	urgentAtOnce = 8
	callsAtOnce  = 16
	// fewWaits is how many waits each ask by themselves, as if there were no others. What is begun for more
	// goes on until there are fewerWaits.
	fewWaits   = 16
	fewerWaits = 8
	// longestQuiet bounds how long all waits leave a bundler alone because it asked that of one.
	longestQuiet = time.Minute
	// Where many wait, a bundler that does not answer for one operation is given up on sooner, and asked for
	// that one less often: after so many times as long as it took.
	firstPatience = 5 * time.Second
	hungFactor    = 6
	hungAfter     = 4 * time.Second
	// lapsePause is how long after its time a wait of many ends, at the latest.
	lapsePause = 100 * time.Millisecond
)

// watcher goes on with all waits of a sender, each when it is due. It has a timer and, while there is
// something to do, a bounded number of goroutines; nothing is left of it while nobody waits.
type watcher struct {
	sender *Sender
	budget *rate.Limiter
	// brought are requests beside the budget that sends brought.
	brought atomic.Int64
	// firstAsk is after how long a wait asks first, in nanoseconds: see [watcher.learn].
	firstAsk atomic.Int64
	sweeper

	mu    sync.Mutex
	queue queue // of all waits, those that are being visited last
	// ctx is that of requests which are made for several waits. It ends when the last one does.
	ctx     context.Context
	stop    context.CancelFunc
	timer   *time.Timer
	working int // visits under way
	// lapses is when the next wait's time is over, or a moment later; zero for none.
	lapses    time.Time
	listening int // waits whose notice is looked at now and then
	listened  time.Time
	// quietUntil is until when the bundler asked to be left alone, singlesUntil until when it is taken for
	// one that takes no batches.
	quietUntil, singlesUntil time.Time
	// crowded says that many wait, resting that besides the new blocks tell what happens.
	crowded, resting bool
	ctxs             map[<-chan struct{}]*contextWatch

	callsMu sync.Mutex
	calls   []func()
	calling int
}

// contextWatch watches the end of a context that waits have in common.
type contextWatch struct {
	waits map[*wait]struct{}
	stop  func() bool
}

// watched is what the watcher has of a wait.
type watched struct {
	index int       // in the queue
	due   time.Time // zero for at once
	busy  bool      // is being visited
	asked bool      // is busy as one of a batch: nothing but the answer is waited for
	async bool
	// asksAgain says that it asked once already.
	asksAgain bool
	pause     time.Duration
	hung      int  // visits in a row that took long
	alone     bool // is asked about by itself the next time, or while it takes long
	told      bool // the bundler tells that there is something to ask about
	hint      *Receipt
	// notice is closed when there is something to ask the bundler for; nil where it is listened to
	// elsewhere, or was closed.
	notice  <-chan struct{}
	joined  uint64 // the block that was swept to when it began, 0 for none
	counted bool   // its confirmations are being counted
	ripe    uint64 // the block with which it has them
	// shownHint, where it is not nil, is closed when there is a hint: the visit pauses before a request.
	shownHint chan struct{}
}

// visit is how a wait is gone on with once.
type visit struct {
	reads   Chain
	crowded bool // many wait
	resting bool // the new blocks tell
	toldOf  bool // told, at the visit
	batched bool // its answer came with those of others
	event   *Receipt
	answer  *ReceiptAnswer
}

func (v *watcher) init(s *Sender) {
	v.sender = s
	v.budget = rate.NewLimiter(requestsPerSecond, requestBurst)
	v.firstAsk.Store(int64(firstPoll))
	v.sweeper.init()
}

// errShown ends a pause before a request that is not needed: the chain has shown what ends the wait.
var errShown = errors.New("the new blocks tell")

// pay waits until one more request may be made.
func (v *watcher) pay(ctx context.Context) error { return v.payFor(ctx, nil) }

// payFor is pay for a wait's question, which the new blocks may answer meanwhile; nil for none.
func (v *watcher) payFor(ctx context.Context, w *wait) error {
	v.mu.Lock()
	if !v.crowded || v.spend() {
		v.mu.Unlock()
		return nil
	}
	if w != nil && w.hint != nil {
		v.mu.Unlock()
		return errShown
	}
	r := v.budget.Reserve()
	delay := r.Delay()
	if delay == 0 {
		v.mu.Unlock()
		return nil
	}
	var shown chan struct{}
	if w != nil {
		shown = make(chan struct{})
		w.shownHint = shown
	}
	v.mu.Unlock()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	var err error
	select {
	case <-timer.C:
	case <-shown:
		err = errShown
	case <-ctx.Done():
		err = ctx.Err()
	}
	if w != nil {
		v.mu.Lock()
		w.shownHint = nil
		v.mu.Unlock()
	}
	if err != nil {
		r.Cancel()
	}
	return err
}

// use counts a request that others are waiting for, and that does not wait for them: they wait the longer.
func (v *watcher) use() {
	v.mu.Lock()
	crowded := v.crowded
	v.mu.Unlock()
	if crowded && !v.spend() {
		v.budget.Reserve()
	}
}

// overBudget is how long the next sweep waits where many wait and what was used is ahead of the budget by
// more than they ask for at once: they would wait for ever longer.
func (v *watcher) overBudget() time.Duration {
	ahead := -v.budget.Tokens() - (visitsAtOnce + urgentAtOnce)
	if !v.crowded || ahead <= 0 {
		return 0
	}
	return time.Duration(ahead * float64(time.Second) / requestsPerSecond)
}

// bring notes that an operation was handed over.
func (v *watcher) bring() {
	if v.brought.Add(broughtBySend) > mostBrought {
		v.brought.Store(mostBrought)
	}
}

// spend takes one of the requests that sends brought, if there are any.
func (v *watcher) spend() bool {
	for n := v.brought.Load(); n > 0; n = v.brought.Load() {
		if v.brought.CompareAndSwap(n, n-1) {
			return true
		}
	}
	return false
}

// learn notes whether the first question of a wait came after its operation was included: where it mostly
// does, as with services that include at once, the next waits ask sooner, and otherwise later again.
func (v *watcher) learn(found bool) {
	if found {
		v.firstAsk.Store(v.firstAsk.Load() / 2)
	} else {
		v.firstAsk.Store(min(2*v.firstAsk.Load()+int64(time.Millisecond), int64(firstPoll)))
	}
}

// add begins a wait.
func (v *watcher) add(w *wait) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.push(w)
}

// push puts a wait into the queue.
func (v *watcher) push(w *wait) {
	if len(v.queue) == 0 {
		v.ctx, v.stop = context.WithCancel(observe.Alone(context.WithoutCancel(w.ctx)))
		now := time.Now()
		if v.nextSweep = now.Add(sweepPause); v.beat.known(now) { // what is included at once is told by the bundler
			v.follow(now)
		}
	}
	w.joined = v.sweptTo()
	w.due = w.start.Add(jitter(time.Duration(v.firstAsk.Load())))
	v.lapseBy(w)
	if w.notice != nil {
		v.listening++
	}
	heap.Push(&v.queue, w)
	v.run()
}

// addAsync begins a wait whose context nobody else watches.
func (v *watcher) addAsync(w *wait) {
	w.async = true
	done := w.ctx.Done()
	v.mu.Lock()
	if done != nil {
		v.watch(w, done)
	}
	v.push(w)
	v.mu.Unlock()
	if w.ctx.Err() != nil { // perhaps since before it was added
		v.ended(done)
	}
}

// watch has a wait end with its context. It is in the queue before anybody looks.
func (v *watcher) watch(w *wait, done <-chan struct{}) {
	watch := v.ctxs[done]
	if watch == nil {
		if v.ctxs == nil {
			v.ctxs = make(map[<-chan struct{}]*contextWatch)
		}
		watch = &contextWatch{waits: make(map[*wait]struct{}), stop: context.AfterFunc(w.ctx, func() { v.ended(done) })}
		v.ctxs[done] = watch
	}
	watch.waits[w] = struct{}{}
}

// ended ends the waits of a context.
func (v *watcher) ended(done <-chan struct{}) {
	v.mu.Lock()
	var over []*wait
	if watch := v.ctxs[done]; watch != nil {
		for w := range watch.waits {
			if w.index >= 0 && !w.visited() {
				over = append(over, w)
			}
		}
	}
	for _, w := range over {
		v.remove(w)
	}
	v.mu.Unlock()
	for _, w := range over {
		w.end(nil, w.ctx.Err())
	}
}

// visited reports whether a visit goes on with the wait now, which ends it in time.
func (w *wait) visited() bool { return w.busy && !w.asked }

// lapseBy notes when the wait's time is over.
func (v *watcher) lapseBy(w *wait) {
	if !w.deadline.IsZero() && (v.lapses.IsZero() || w.deadline.Before(v.lapses)) {
		v.lapses = w.deadline
	}
}

// lapse ends the waits whose time is over, whatever others are waiting for.
func (v *watcher) lapse(now time.Time) {
	if v.lapses.IsZero() || now.Before(v.lapses) {
		return
	}
	v.lapses = time.Time{}
	var over []*wait
	for _, w := range v.queue {
		switch {
		case w.visited():
		case w.deadline.IsZero() || w.deadline.After(now):
			v.lapseBy(w)
		default:
			over = append(over, w)
		}
	}
	for _, w := range over {
		v.remove(w)
	}
	if soonest := now.Add(lapsePause); !v.lapses.IsZero() && v.crowded && v.lapses.Before(soonest) {
		v.lapses = soonest
	}
	if len(over) > 0 {
		go func() {
			for _, w := range over {
				w.end(nil, context.DeadlineExceeded)
			}
		}()
	}
}

// hurry makes waits due at once. Those that are being visited are looked at after that.
func (v *watcher) hurry(which func(*wait) bool) {
	found := false
	for _, w := range v.queue {
		if !w.busy && !w.due.IsZero() && which(w) {
			w.due, found = time.Time{}, true
		}
	}
	if found {
		heap.Init(&v.queue)
		v.run()
	}
}

// tell has a wait ask at once: its bundler has something.
func (v *watcher) tell(w *wait) {
	v.mu.Lock()
	defer v.mu.Unlock()
	w.told = true
	v.hasten(w)
}

// hasten makes a wait due at once, or again after its visit.
func (v *watcher) hasten(w *wait) {
	if !w.busy && w.index >= 0 {
		w.due = time.Time{}
		heap.Fix(&v.queue, w.index)
		v.run()
	}
}

// cancel ends a wait whose context has ended, at once where it is not being visited.
func (v *watcher) cancel(w *wait) {
	v.mu.Lock()
	if w.visited() || w.index < 0 {
		v.mu.Unlock()
		return
	}
	v.remove(w)
	v.mu.Unlock()
	w.end(nil, w.ctx.Err())
}

// remove takes a wait out of the queue.
func (v *watcher) remove(w *wait) {
	heap.Remove(&v.queue, w.index)
	if w.notice != nil {
		v.listening--
	}
	if watch := v.ctxs[w.ctx.Done()]; w.async && watch != nil {
		if delete(watch.waits, w); len(watch.waits) == 0 {
			watch.stop()
			delete(v.ctxs, w.ctx.Done())
		}
	}
	if len(v.queue) == 0 {
		v.stop()
		if v.timer != nil {
			v.timer.Stop()
			v.timer = nil
		}
		v.sweeper.reset()
		v.crowded, v.resting, v.lapses = false, false, time.Time{}
	}
}

// end ends a wait and tells who waits.
func (w *wait) end(found *Receipt, err error) {
	w.found, w.err, w.waited = found, err, time.Since(w.start)
	w.over()
}

// wake is what the timer does.
func (v *watcher) wake() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.run()
}

// run goes on with what is due, as far as there is room, and sets the timer for the rest.
func (v *watcher) run() {
	now := time.Now()
	if v.lapse(now); len(v.queue) == 0 {
		return
	}
	v.listen(now)
	v.judge(now)
	for ws := v.next(now); ws != nil; ws = v.next(now) {
		v.working++
		go v.visit(ws)
	}
	if v.sweeps() && v.sweepDue(now) {
		go v.sweep(v.ctx)
	}
	v.setTimer(now)
}

// sweeps reports whether the new blocks are to be read.
func (v *watcher) sweeps() bool { return v.crowded || v.sender.cfg.Chain != nil }

// judge judges how much the waits can share. Those that relied on the new blocks ask by themselves again
// where these do not tell any more.
func (v *watcher) judge(now time.Time) {
	few := !v.crowded
	v.crowded = len(v.queue) > fewWaits || v.crowded && len(v.queue) > fewerWaits
	if few && v.crowded && !v.begun {
		v.nextSweep = now // from then on the new blocks tell
	}
	rested := v.resting
	if v.resting = v.crowded && v.tells(now); !rested || v.resting {
		return
	}
	soon := now.Add(lastPoll)
	for _, w := range v.queue {
		if !w.busy && w.due.After(soon) {
			w.due, w.pause = now.Add(rand.N(lastPoll)), min(w.pause, lastPoll)
		}
	}
	heap.Init(&v.queue)
}

// setTimer sets the timer for what is due next. What is due already and has no room goes on when there is.
func (v *watcher) setTimer(now time.Time) {
	pause := time.Duration(-1)
	earlier := func(d time.Duration) {
		if pause < 0 || d < pause {
			pause = max(d, time.Millisecond)
		}
	}
	if first := v.queue[0]; first.due.After(now) {
		earlier(first.due.Sub(now))
	}
	if v.sweeps() && !v.sweeping {
		earlier(v.nextSweep.Sub(now))
	}
	if v.listening > 0 {
		earlier(firstPoll)
	}
	if !v.lapses.IsZero() {
		earlier(v.lapses.Sub(now))
	}
	switch {
	case pause < 0:
	case v.timer == nil:
		v.timer = time.AfterFunc(pause, v.wake)
	default:
		v.timer.Reset(pause)
	}
}

// listen looks which waits their bundler has something for.
func (v *watcher) listen(now time.Time) {
	if v.listening == 0 || now.Sub(v.listened) < firstPoll {
		return
	}
	v.listened = now
	found := false
	for _, w := range v.queue {
		if w.notice == nil {
			continue
		}
		select {
		case <-w.notice:
			w.notice, w.told = nil, true
			v.listening--
			if !w.busy {
				w.due, found = time.Time{}, true
			}
		default:
		}
	}
	if found {
		heap.Init(&v.queue)
	}
}

// next takes the wait that is to be gone on with next, several where the bundler is to be asked for their
// receipts in one request, nil where there is none or no room.
func (v *watcher) next(now time.Time) []*wait {
	w := v.queue[0]
	urgent := w.due.IsZero()
	switch {
	case w.busy, w.due.After(now), v.working >= visitsAtOnce+urgentAtOnce, !urgent && v.working >= visitsAtOnce:
		return nil
	}
	together := !urgent && v.together(w, now)
	ws := []*wait{v.take(w)}
	defer func() {
		for _, w := range ws {
			w.asked = len(ws) > 1
		}
	}()
	for together && len(ws) < batchSize {
		if w = v.queue[0]; w.busy || w.due.IsZero() || w.due.After(now) || !v.together(w, now) {
			break
		}
		ws = append(ws, v.take(w))
	}
	return ws
}

// take begins the visit of a wait.
func (v *watcher) take(w *wait) *wait {
	w.busy = true
	w.visit.crowded, w.visit.resting = v.crowded, v.resting
	w.toldOf, w.event, w.batched = w.told, w.hint, w.answer != nil
	w.told, w.hint = false, nil
	w.reads = v.chain(w.crowded || w.event != nil)
	if v.quietUntil.After(w.quietUntil) {
		w.quietUntil = v.quietUntil
	}
	heap.Fix(&v.queue, w.index)
	return w
}

// visit goes on with waits, of several by asking for their receipts in one request.
func (v *watcher) visit(ws []*wait) {
	if len(ws) > 1 {
		ws = v.askTogether(ws)
	}
	for _, w := range ws {
		began := time.Now()
		receipt, err := w.goOn()
		if !w.asksAgain && !w.toldOf && w.event == nil {
			v.learn(err == nil)
		}
		v.mu.Lock()
		if err == errGoOn {
			v.later(w, time.Since(began))
		} else {
			v.remove(w)
		}
		v.mu.Unlock()
		if err != errGoOn {
			w.end(receipt, err)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.working--
	v.run()
}

// goOn asks what became of the operation. The error is errGoOn itself where the wait goes on.
func (w *wait) goOn() (*Receipt, error) {
	ctx := w.ctx
	if !w.deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, w.deadline)
		defer cancel()
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	receipt, err := w.poll(ctx, w.toldOf, w.pause >= lastPoll)
	switch {
	case !errors.Is(err, errGoOn):
		return receipt, err
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, errGoOn
}

// later says when to go on with a wait that was visited.
func (v *watcher) later(w *wait, took time.Duration) {
	now := time.Now()
	if !v.following {
		v.follow(now)
	}
	first := !w.asksAgain
	w.asksAgain = true
	longest := w.seen.longestPause()
	if w.counted = w.seen.counting(); w.counted {
		w.ripe = w.seen.receipt.BlockNumber + w.confirmations - 1
		longest = max(longest, slowestBeat)
		w.pause = longest // the new blocks tell when it is ripe
	}
	if w.resting && !w.counted {
		longest = restingPoll
	}
	if w.pause = min(w.pause*3/2, longest); first && !w.counted && now.Sub(w.start) < firstPoll/2 {
		w.pause = firstPoll // it asked sooner than others do
	}
	next := jitter(w.pause)
	if w.hung++; !w.crowded || took < hungAfter {
		w.hung = 0
	} else {
		next, w.alone = max(next, hungFactor*took), true
	}
	if w.hung == 0 && !w.batched {
		w.alone = false
	}
	v.free(w)
	w.due = now.Add(next)
	if w.crowded {
		w.due = w.due.Truncate(dueTogether).Add(dueTogether)
	}
	if end := time.Unix(int64(min(w.until, 1<<40))+1, 0); w.resting && w.until != 0 && end.After(now) && end.Before(w.due) {
		w.due = end.Add(jitter(lastPoll)) // its window is over, perhaps
	}
	if w.told || w.hint != nil || w.ctx.Err() != nil {
		w.due = time.Time{}
	}
	w.visit = visit{}
	heap.Fix(&v.queue, w.index)
}

// free is called once a wait is not busy any more.
func (v *watcher) free(w *wait) {
	w.busy, w.asked = false, false
	v.lapseBy(w)
}

// patience is how long the bundler has to answer.
func (w *wait) patience() time.Duration {
	switch {
	case !w.crowded:
		return longestPoll
	case w.resting: // what ends it is not to wait for that
		return firstPatience
	}
	return min(firstPatience<<min(w.hung, 8), longestPoll)
}

// quiet reports whether the bundler asked to be left alone.
func (w *wait) quiet() bool { return time.Now().Before(w.quietUntil) }

// keepAway notes whether an answer of the bundler asks to leave it alone. It is for all waits, for a while.
func (w *wait) keepAway(answer error) {
	delay := retryDelay(answer)
	if delay <= 0 {
		return
	}
	now := time.Now()
	w.quietUntil = now.Add(delay)
	v := &w.sender.watcher
	v.mu.Lock()
	defer v.mu.Unlock()
	if until := now.Add(min(delay, longestQuiet)); until.After(v.quietUntil) {
		v.quietUntil = until
	}
}

// chain is what the wait's visit reads.
func (w *wait) chain() evidence { return evidence{w.sender, w.reads} }

// worthALook reports whether there is a reason to look at the chain for this one operation, and to ask the
// bundler whether it gave it up.
func (w *wait) worthALook() bool {
	now := time.Now()
	return !w.resting || w.toldOf || w.dropped || w.seen.lost || !now.Before(w.restLook) || w.mayBeExpired(now)
}

// mayBeExpired reports whether the operation's window may be over by now.
func (w *wait) mayBeExpired(now time.Time) bool {
	return w.until != 0 && w.until < max(uint64(max(now.Unix(), 0)), w.sender.watcher.blockTime.Load())
}

// call has a function run, a few at once.
func (v *watcher) call(f func()) {
	v.callsMu.Lock()
	defer v.callsMu.Unlock()
	if v.calls = append(v.calls, f); v.calling < callsAtOnce {
		v.calling++
		go v.callAll()
	}
}

func (v *watcher) callAll() {
	for {
		v.callsMu.Lock()
		if len(v.calls) == 0 {
			v.calls = nil
			v.calling--
			v.callsMu.Unlock()
			return
		}
		f := v.calls[0]
		v.calls[0] = nil
		v.calls = v.calls[1:]
		v.callsMu.Unlock()
		f()
	}
}

// queue is a heap of waits by when they are due; those that are being visited come last.
type queue []*wait

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]
	if a.busy != b.busy {
		return b.busy
	}
	return a.due.Before(b.due)
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *queue) Push(x any) {
	w := x.(*wait)
	w.index = len(*q)
	*q = append(*q, w)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = nil
	*q, w.index = (*q)[:last], -1
	return w
}

const (
	// Where many wait, they are due at the same moments, so that batches are full.
	dueTogether = 250 * time.Millisecond
	// batchSize is for how many receipts the bundler is asked in one request, batchTime how long it has.
	batchSize = 100
	batchTime = 10 * time.Second
	// singlesAgain is after how long a bundler that took no batch may be asked in one again.
	singlesAgain = time.Minute
)

// together reports whether the bundler is to be asked for the wait's receipt beside those of others.
func (v *watcher) together(w *wait, now time.Time) bool {
	if !v.crowded || w.alone || w.answer != nil || w.seen.counting() || now.Before(w.quietUntil) ||
		now.Before(v.quietUntil) || now.Before(v.singlesUntil) {
		return false
	}
	_, ok := ability.Find[ReceiptsReader](v.sender.cfg.Bundler)
	return ok
}

// askTogether asks for the receipts of waits in one request, and returns those that can be gone on with at
// once, without another request. The others are due again.
func (v *watcher) askTogether(ws []*wait) []*wait {
	bundler, _ := ability.Find[ReceiptsReader](v.sender.cfg.Bundler)
	hashes := make([]common.Hash, len(ws))
	for i, w := range ws {
		hashes[i] = w.hash
	}
	ctx, cancel := context.WithTimeout(v.context(), batchTime)
	defer cancel()
	var answers []ReceiptAnswer
	err := v.pay(ctx)
	if err == nil {
		answers, err = bundler.UserOperationReceipts(ctx, hashes)
	}
	if err == nil && len(answers) != len(ws) {
		err = errors.New("userop: the bundler answered for another number of receipts than it was asked for")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	if errors.Is(err, ErrNoBatch) {
		v.singlesUntil = now.Add(singlesAgain)
	}
	var ready []*wait
	for i, w := range ws {
		switch {
		case w.index < 0: // it is over
			continue
		case errors.Is(err, ErrNoBatch):
		case err != nil:
			w.answer, w.alone = &ReceiptAnswer{Err: err}, true
		default:
			w.answer, w.alone = &answers[i], false
		}
		if w.ctx.Err() != nil || w.answer != nil && !w.asksMore() {
			w.asked = false
			ready = append(ready, w)
			continue
		}
		v.free(w)
		if w.told = w.told || w.toldOf; w.hint != nil {
			w.due = time.Time{}
		}
		heap.Fix(&v.queue, w.index)
	}
	return ready
}

// asksMore reports whether the answer to the wait's question leads to another one.
func (w *wait) asksMore() bool {
	return !errors.Is(w.answer.Err, ErrNotFound) || w.toldOf || (w.pause >= lastPoll || w.dropped || w.seen.lost) && w.worthALook()
}

func (v *watcher) context() context.Context {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ctx
}
