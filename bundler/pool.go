package bundler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/lru"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/failover"
	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/userop"
)

// PoolConfig makes a [Pool]. ChainID and Members are required.
type PoolConfig struct {
	// ChainID is what every member has to serve. A member is asked before its first operation, and again
	// after it failed; one that serves another chain, or cannot be asked, is not used.
	ChainID uint64
	// EntryPoint is what every member has to take operations for: that of v0.6 on the chain by default.
	EntryPoint common.Address
	// Members are the bundlers in order of preference.
	Members []Member
	// Unidentified takes members that cannot say which chain and EntryPoint they serve ([userop.Identity]):
	// what they are given may be sent to another chain. Without it such a member is an error of [NewPool].
	Unidentified bool
	// Times bound tries, and the pauses of members that failed.
	Times Times
	// Logger is told which member answered at debug level, and which failed as a warning; nil for silence.
	Logger *slog.Logger
}

// Member is one bundler of a [Pool].
type Member struct {
	// Name is what the member is called in errors and logs: its host by default.
	Name    string
	Bundler userop.Bundler
}

// Times bound the tries of a [Pool], Try for one member and Total for a call whose context has no deadline
// (10 and 30 seconds by default), and how long a member that failed is left alone: FirstPause at first, twice
// as long each time up to LongestPause (half a second and a minute by default), and as long as it asks for.
type Times = failover.Times

// MemberError is what one member of a [Pool] failed with, or refused: its Member's name, and the cause Err.
type MemberError = failover.MemberError

// PoolError means that no member of a [Pool] will do, or that one refused what another may have got before
// it. It matches each member's cause, and its Members have them by name.
type PoolError = failover.Error

// Pool is several bundlers of one chain, the preferred one first, as one: a [userop.Bundler] with all that
// its members can do besides. It is safe for concurrent use, and runs nothing in the background.
//
// A member that cannot be reached, fails, denies access or wants fewer requests is left alone for a while,
// longer each time, and then tried with one request; the others are asked meanwhile. What a member decides of
// an operation is an answer, and no other is asked: a bundler's refusal, unless it is for a limit of that
// bundler's own.
//
// An operation goes to the next member as the same bytes, so that it lands once. After a member that may have
// got it, a refusal of another one says nothing about the first: userop.MayBeAccepted stays true. Receipts
// are asked of the member that took the operation, then of the others. Fees and estimates are those of the
// member that the next operation would go to; where that fails and the next one demands more, it refuses
// the operation, and the next send has its price.
type Pool struct {
	group      *failover.Group[userop.Bundler]
	chainID    uint64
	entryPoint common.Address
	log        *slog.Logger

	mu    sync.Mutex
	given lru.BasicLRU[common.Hash, holders]
}

// mostGiven is of how many operations is known which member has them.
const mostGiven = 1 << 15

// holders are the members that have an operation, or may have it.
type holders struct {
	taker int // -1 for none that said so
	maybe []int
}

var (
	_ userop.Bundler        = (*Pool)(nil)
	_ userop.FeeSource      = (*Pool)(nil)
	_ userop.Identity       = (*Pool)(nil)
	_ userop.DropReporter   = (*Pool)(nil)
	_ userop.LossReporter   = (*Pool)(nil)
	_ userop.ReceiptsReader = (*Pool)(nil)
	_ userop.Notifier       = (*Pool)(nil)
	_ userop.Taker          = (*Pool)(nil)
)

// NewPool returns a pool. It does no I/O; an error says what is wrong with the configuration.
func NewPool(cfg PoolConfig) (*Pool, error) {
	if cfg.ChainID == 0 {
		return nil, errors.New("bundler: pool without a ChainID")
	}
	p := &Pool{chainID: cfg.ChainID, entryPoint: cfg.EntryPoint, log: cfg.Logger, given: lru.NewBasicLRU[common.Hash, holders](mostGiven)}
	if p.entryPoint == (common.Address{}) {
		p.entryPoint = contracts.DeployedOn(cfg.ChainID).EntryPoint
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	members := make([]failover.Member[userop.Bundler], len(cfg.Members))
	for i, member := range cfg.Members {
		if _, ok := ability.Find[userop.Identity](member.Bundler); member.Bundler != nil && !ok && !cfg.Unidentified {
			return nil, fmt.Errorf("bundler: pool: member %d (%T) does not say which chain it serves: a wrapper says what it wraps by a method Unwrap() userop.Bundler; Unidentified takes it as it is", i+1, member.Bundler)
		}
		members[i] = failover.Member[userop.Bundler]{Name: member.Name, Service: member.Bundler}
		if named, ok := ability.Find[interface{ Host() string }](member.Bundler); ok && member.Name == "" {
			members[i].Name = named.Host()
		}
	}
	group, err := failover.New(failover.Config[userop.Bundler]{
		Kind: "bundler", Times: cfg.Times, Prove: p.identify, Once: jsonrpc.Once, Logger: p.log,
	}, members)
	if err != nil {
		return nil, fmt.Errorf("bundler: pool: %w", err)
	}
	p.group = group
	return p, nil
}

// identify returns an error for a member of another chain or EntryPoint.
func (p *Pool) identify(ctx context.Context, member userop.Bundler) error {
	says, ok := ability.Find[userop.Identity](member)
	if !ok {
		return nil // Unidentified took it
	}
	id, err := says.ChainID(ctx)
	switch {
	case err != nil:
		return err
	case id != p.chainID:
		return fmt.Errorf("%w: it serves chain %d, this pool is for chain %d", userop.ErrWrongChain, id, p.chainID)
	}
	entryPoints, err := says.SupportedEntryPoints(ctx) // not beside: one that is down is asked one thing
	if err == nil && !slices.Contains(entryPoints, p.entryPoint) {
		err = fmt.Errorf("%w: it supports EntryPoints %v, not %s", userop.ErrWrongChain, entryPoints[:min(len(entryPoints), 8)], p.entryPoint)
	}
	return err
}

// ChainID implements [userop.Identity]: it is the pool's, once a member said that it serves it.
func (p *Pool) ChainID(ctx context.Context) (uint64, error) {
	return p.chainID, p.identified(ctx, "eth_chainId")
}

// SupportedEntryPoints implements [userop.Identity]: it is the pool's, once a member said that it takes
// operations for it.
func (p *Pool) SupportedEntryPoints(ctx context.Context) ([]common.Address, error) {
	if err := p.identified(ctx, "eth_supportedEntryPoints"); err != nil {
		return nil, err
	}
	return []common.Address{p.entryPoint}, nil
}

// identified returns an error while there is no member that said what it serves.
func (p *Pool) identified(ctx context.Context, what string) error {
	_, _, err := failover.Ask(ctx, p.group, failover.Question{What: what, Order: p.next(), Judge: judge},
		func(context.Context, userop.Bundler) (struct{}, error) { return struct{}{}, nil })
	return err
}

// sending is the question that hands an operation over.
const sending = "eth_sendUserOperation"

// next are the members in the order in which the next operation is given to them.
func (p *Pool) next() []int { return p.group.Rested(sending) }

// judge tells what an error says of a bundler.
func judge(err error) failover.Verdict {
	refused, ok := errors.AsType[*Error](err)
	switch _, noAnswer := errors.AsType[*TransportError](err); {
	case !ok && noAnswer:
		return failover.Failed
	case !ok:
		return failover.JudgeUnknown(err)
	}
	switch answer := refused.answer(); {
	case answer.RateLimited(), answer.Unauthorized():
		return failover.Failed
	case refused.Code == jsonrpc.CodeBanned, answer.OverSenderLimit(), answer.MayLackMethod():
		return failover.Elsewhere
	case !answer.Undecided():
		return failover.Answered
	case answer.Temporary():
		return failover.Failed
	}
	return failover.Elsewhere
}

// SendUserOperation implements [userop.Bundler]. It gives the operation to the member that has it already, as
// far as that is known, or else to the preferred one that can be reached.
func (p *Pool) SendUserOperation(ctx context.Context, op *userop.Operation, entryPoint common.Address) (common.Hash, error) {
	if entryPoint != p.entryPoint {
		return common.Hash{}, p.otherEntryPoint(entryPoint)
	}
	want := op.Hash(entryPoint, p.chainID)
	q := failover.Question{What: sending, Order: p.holders(want), Class: failover.Write, Judge: judgeSend}
	handed := false
	hash, told, err := failover.Ask(ctx, p.group, q, func(ctx context.Context, member userop.Bundler) (common.Hash, error) {
		if handed {
			if err := userop.MayHandOn(ctx); err != nil {
				return common.Hash{}, err
			}
		}
		handed = true
		hash, err := member.SendUserOperation(ctx, op, entryPoint)
		if err == nil && hash != want {
			err = &otherHashError{hash, want}
		}
		return hash, err
	})
	p.note(want, told, err == nil)
	return hash, err
}

// judgeSend is judge for what hands an operation over: a service that does not take any is no bundler.
func judgeSend(err error) failover.Verdict {
	if errors.As(err, new(*userop.NotHandedOnError)) {
		return failover.Answered // for all of them
	}
	if errors.As(err, new(*otherHashError)) || mayBeMissing(err) {
		return failover.Failed
	}
	return judge(err)
}

// otherHashError is a bundler that took another operation than it was given, by its own word.
type otherHashError struct{ hash, want common.Hash }

func (e *otherHashError) Error() string {
	return fmt.Sprintf("%v: the bundler knows the operation as %s, its hash here is %s", userop.ErrWrongChain, e.hash, e.want)
}

func (e *otherHashError) Unwrap() error { return userop.ErrWrongChain }

func (e *otherHashError) MayBeDelivered() bool { return true }

func (p *Pool) otherEntryPoint(entryPoint common.Address) error {
	return &otherEntryPointError{fmt.Errorf("%w: this pool is for EntryPoint %s, not %s", userop.ErrWrongChain, p.entryPoint, entryPoint)}
}

// otherEntryPointError is a question for another EntryPoint than the pool's, which no member was asked.
type otherEntryPointError struct{ error }

func (e *otherEntryPointError) Unwrap() error { return e.error }

func (e *otherEntryPointError) MayBeDelivered() bool { return false }

func (e *otherEntryPointError) Unsent() bool { return true }

// note remembers which members have the operation of that hash, or may have it.
func (p *Pool) note(hash common.Hash, told failover.Told, taken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	has, known := p.given.Get(hash)
	if !known {
		has.taker = -1
	}
	if taken {
		has.taker = told.By
	}
	for _, member := range told.Failed {
		if place := p.group.Place(member.Member); failover.MayBeDelivered(member) && !slices.Contains(has.maybe, place) {
			has.maybe = append(slices.Clone(has.maybe), place)
		}
	}
	if has.taker >= 0 || len(has.maybe) > 0 {
		p.given.Add(hash, has)
	}
}

// holding returns which members have an operation; false where that is not known.
func (p *Pool) holding(hash common.Hash) (holders, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.given.Get(hash)
}

// holders are all members, those first that have the operation of that hash.
func (p *Pool) holders(hash common.Hash) []int {
	has, known := p.holding(hash)
	if !known {
		return p.group.Order()
	}
	return p.group.Order(has.all()...)
}

// all are the members that have the operation, and those that may.
func (h holders) all() []int {
	if h.taker < 0 {
		return h.maybe
	}
	return append([]int{h.taker}, slices.DeleteFunc(slices.Clone(h.maybe), func(place int) bool { return place == h.taker })...)
}

// TakenBy implements [userop.Taker].
func (p *Pool) TakenBy(hash common.Hash) string {
	if has, known := p.holding(hash); known && has.taker >= 0 {
		return p.group.Member(has.taker).Name
	}
	return ""
}

// EstimateUserOperationGas implements [userop.Bundler]: a member estimates that the operation could be given
// to next.
func (p *Pool) EstimateUserOperationGas(ctx context.Context, op *userop.Operation, entryPoint common.Address, overrides userop.StateOverride) (userop.Gas, error) {
	if entryPoint != p.entryPoint {
		return userop.Gas{}, p.otherEntryPoint(entryPoint)
	}
	q := failover.Question{What: "eth_estimateUserOperationGas", Order: p.next(), Judge: judge}
	gas, _, err := failover.Ask(ctx, p.group, q, func(ctx context.Context, member userop.Bundler) (userop.Gas, error) {
		return member.EstimateUserOperationGas(ctx, op, entryPoint, overrides)
	})
	return gas, err
}

// UserOperationReceipt implements [userop.Bundler]. The member that took the operation is asked first. An
// error matches [userop.ErrNotFound] if none that answers knows it.
func (p *Pool) UserOperationReceipt(ctx context.Context, hash common.Hash) (*userop.Receipt, error) {
	q := failover.Question{What: "eth_getUserOperationReceipt", Order: p.holders(hash), Judge: judgeReceipt}
	receipt, _, err := failover.Ask(ctx, p.group, q, func(ctx context.Context, member userop.Bundler) (*userop.Receipt, error) {
		return member.UserOperationReceipt(ctx, hash)
	})
	if failed, ok := errors.AsType[*PoolError](err); ok && errors.Is(err, userop.ErrNotFound) {
		for _, member := range failed.Members {
			if errors.Is(member, userop.ErrNotFound) {
				return nil, member
			}
		}
	}
	return receipt, err
}

// judgeReceipt is judge for what every bundler could know: another one may.
func judgeReceipt(err error) failover.Verdict {
	if errors.Is(err, userop.ErrNotFound) {
		return failover.Elsewhere
	}
	return max(judge(err), failover.Elsewhere)
}

// able are the places in order of the members with an ability.
func able[A any](p *Pool, order []int) (with []int) {
	for _, place := range order {
		if _, ok := ability.Find[A](p.group.Member(place).Service); ok {
			with = append(with, place)
		}
	}
	return with
}

// askAble asks the members with an ability, in that order. The error matches none where there is no such.
func askAble[A, T any](ctx context.Context, p *Pool, what string, order []int, none error, ask func(context.Context, A) (T, error)) (T, error) {
	q := failover.Question{What: what, Order: able[A](p, order), Judge: func(err error) failover.Verdict {
		if errors.Is(err, none) {
			return failover.Elsewhere
		}
		return judge(err)
	}}
	if len(q.Order) == 0 {
		return *new(T), fmt.Errorf("%w: no bundler of the pool has %s", none, what)
	}
	answer, _, err := failover.Ask(ctx, p.group, q, func(ctx context.Context, member userop.Bundler) (T, error) {
		can, _ := ability.Find[A](member)
		return ask(ctx, can)
	})
	return answer, err
}

// Fees implements [userop.FeeSource]: they are those of the member that the next operation would go to, or of
// another one where that proposes none. An error matches [userop.ErrNoFees] where none does.
func (p *Pool) Fees(ctx context.Context) (userop.Fees, error) {
	return askAble(ctx, p, "fees", p.next(), userop.ErrNoFees, func(ctx context.Context, member userop.FeeSource) (userop.Fees, error) {
		return member.Fees(ctx)
	})
}

// Forget has the members that remember their fees propose anew.
func (p *Pool) Forget() {
	for place := range p.group.Len() {
		if source, ok := ability.Find[userop.FeeSource](p.group.Member(place).Service); ok {
			if remembers, ok := source.(interface{ Forget() }); ok {
				remembers.Forget()
			}
		}
	}
}

// MaxPriorityFeePerGas is [Client.MaxPriorityFeePerGas] of the member that the next operation would go to, or
// of another one where that names no tip.
func (p *Pool) MaxPriorityFeePerGas(ctx context.Context) (uint256.Int, error) {
	return askAble(ctx, p, "tip", p.next(), userop.ErrNoFees, func(ctx context.Context, member tipSource) (uint256.Int, error) {
		return member.MaxPriorityFeePerGas(ctx)
	})
}

type tipSource interface {
	MaxPriorityFeePerGas(ctx context.Context) (uint256.Int, error)
}

// statusSource is a bundler that says how far an operation has come.
type statusSource interface {
	UserOperationStatus(ctx context.Context, hash common.Hash) (Status, error)
}

// UserOperationDropped implements [userop.DropReporter]: it is true only where every member says so that has
// the operation, or may have it, and none of the others says that it has. Of an operation that others gave
// away every member may have it.
func (p *Pool) UserOperationDropped(ctx context.Context, hash common.Hash) (bool, error) {
	has, known := p.holding(hash)
	order := p.group.Order(has.all()...)
	mayHave := len(has.all())
	if !known {
		order, mayHave = able[userop.DropReporter](p, p.group.Order()), 0
	}
	told := false
	for n, place := range order {
		more := n < len(order)-1
		dropped, err := p.droppedAt(ctx, place, more, hash)
		switch {
		case dropped:
			told = true
		case n < mayHave:
			return false, ofOneMember(err) // it may go on there
		default:
			if !p.lacks(ctx, place, more, hash) {
				return false, nil
			}
		}
	}
	return told, nil
}

// droppedAt asks one member, which has never dropped anything where it cannot tell.
func (p *Pool) droppedAt(ctx context.Context, place int, more bool, hash common.Hash) (bool, error) {
	order := able[userop.DropReporter](p, []int{place})
	if len(order) == 0 {
		return false, nil
	}
	q := failover.Question{What: "dropped", Order: order, More: more, Judge: judgeReceipt}
	dropped, _, err := failover.Ask(ctx, p.group, q, func(ctx context.Context, member userop.Bundler) (bool, error) {
		reporter, _ := ability.Find[userop.DropReporter](member)
		return reporter.UserOperationDropped(ctx, hash)
	})
	return dropped && err == nil, err
}

// ofOneMember is how one member failed where others may answer: that this one is left alone for a while asks
// nobody to stay away from the pool.
func ofOneMember(err error) error {
	if err == nil {
		return nil
	}
	return &oneMemberError{err}
}

type oneMemberError struct{ error }

func (e *oneMemberError) Unwrap() error { return e.error }

func (e *oneMemberError) RetryDelay() time.Duration { return 0 }

// lacks reports whether a member that was not given the operation here says nothing of having it: one that
// cannot be asked does not.
func (p *Pool) lacks(ctx context.Context, place int, more bool, hash common.Hash) bool {
	order := able[statusSource](p, []int{place})
	if len(order) == 0 {
		return true
	}
	q := failover.Question{What: "status", Order: order, More: more, Judge: judgeReceipt}
	status, _, err := failover.Ask(ctx, p.group, q, func(ctx context.Context, member userop.Bundler) (Status, error) {
		source, _ := ability.Find[statusSource](member)
		return source.UserOperationStatus(ctx, hash)
	})
	return err != nil || status.State == Unknown || status.State == Dropped || status.State == Reverted
}

// UserOperationLost implements [userop.LossReporter]: no member that answers has the operation, and one says
// that it does not know it. One that is out of reach may have it still; the same bytes do no harm at another.
func (p *Pool) UserOperationLost(ctx context.Context, hash common.Hash) (bool, error) {
	var has []int
	if holding, known := p.holding(hash); known {
		has = holding.all()
	}
	told := false
	var failed error
	places := p.group.Order(has...)
	for n, place := range places {
		order, more := able[userop.LossReporter](p, []int{place}), n < len(places)-1
		if len(order) == 0 {
			if n < len(has) {
				return false, nil // it may have it, and cannot tell
			}
			continue
		}
		q := failover.Question{What: "lost", Order: order, More: more, Judge: judgeReceipt}
		lost, _, err := failover.Ask(ctx, p.group, q, func(ctx context.Context, member userop.Bundler) (bool, error) {
			reporter, _ := ability.Find[userop.LossReporter](member)
			return reporter.UserOperationLost(ctx, hash)
		})
		switch {
		case err != nil:
			failed = err
		case lost:
			told = true
		case n >= len(has) && len(able[statusSource](p, order)) > 0 && p.lacks(ctx, place, more, hash):
			// it cannot tell, and was not given it
		default:
			return false, nil
		}
	}
	if told {
		failed = nil
	}
	return told, ofOneMember(failed)
}

// UserOperationReceipts implements [userop.ReceiptsReader], as [Pool.UserOperationReceipt] does for each:
// what one member does not know, the next is asked for. An error matches [userop.ErrNoBatch] where a member
// that answers takes no batches.
func (p *Pool) UserOperationReceipts(ctx context.Context, hashes []common.Hash) ([]userop.ReceiptAnswer, error) {
	answers, open := make([]userop.ReceiptAnswer, len(hashes)), make([]int, len(hashes))
	for i := range open {
		open[i] = i
	}
	failed := &PoolError{Kind: "bundler"}
	answered := false
	for place := range p.group.Len() {
		asked := make([]common.Hash, len(open))
		for n, i := range open {
			asked[n] = hashes[i]
		}
		q := failover.Question{What: "receipts", Order: []int{place}, More: place < p.group.Len()-1, Judge: judgeReceipts}
		found, told, err := failover.Ask(ctx, p.group, q, func(ctx context.Context, member userop.Bundler) ([]userop.ReceiptAnswer, error) {
			reader, ok := ability.Find[userop.ReceiptsReader](member)
			if !ok {
				return nil, userop.ErrNoBatch
			}
			answers, err := reader.UserOperationReceipts(ctx, asked)
			if err == nil && len(answers) != len(asked) {
				err = fmt.Errorf("it answered for %d operations when asked for %d", len(answers), len(asked))
			}
			return answers, err
		})
		switch {
		case errors.Is(err, userop.ErrNoBatch):
			return nil, err
		case err != nil:
			failed.Members = append(failed.Members, told.Failed...)
			continue
		}
		answered = true
		var still []int
		for n, i := range open {
			if before := answers[i].Err; found[n].Err == nil || !errors.Is(before, userop.ErrNotFound) {
				answers[i] = found[n]
			}
			if answers[i].Err != nil {
				still = append(still, i)
			}
		}
		if open = still; len(open) == 0 {
			break
		}
	}
	if !answered {
		return nil, failed
	}
	return answers, nil
}

// judgeReceipts is judgeReceipt for a batch, which is no failure of a member that takes none.
func judgeReceipts(err error) failover.Verdict {
	if errors.Is(err, userop.ErrNoBatch) {
		return failover.Answered
	}
	return judgeReceipt(err)
}

// Settled implements [userop.Notifier]: the member tells that took the operation, if it can.
func (p *Pool) Settled(hash common.Hash) <-chan struct{} {
	for _, place := range able[userop.Notifier](p, p.holders(hash)) {
		notifier, _ := ability.Find[userop.Notifier](p.group.Member(place).Service)
		if settled := notifier.Settled(hash); settled != nil {
			return settled
		}
	}
	return nil
}

// String names the members in their order: "bundlers a.example, b.example".
func (p *Pool) String() string { return p.group.String() }

// GoString is [Pool.String], so that %#v shows no key either.
func (p *Pool) GoString() string { return p.String() }
