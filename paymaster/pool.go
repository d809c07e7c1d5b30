package paymaster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/lru"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/failover"
	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/userop"
)

// PoolConfig makes a [Pool]. Members are required.
type PoolConfig struct {
	// ChainID is what a member has to serve that can say so ([userop.Identity]), which the clients of this
	// package cannot: their services take the chain from the URL or the request. 0 asks none.
	ChainID uint64
	// Members are the paymasters in order of preference.
	Members []Member
	// Times bound tries, and the pauses of members that failed.
	Times Times
	// Logger is told which member answered at debug level, and which failed as a warning; nil for silence.
	Logger *slog.Logger
}

// Member is one paymaster of a [Pool].
type Member struct {
	// Name is what the member is called in errors and logs: its host by default.
	Name      string
	Paymaster userop.Paymaster
}

// Times bound the tries of a [Pool], Try for one member and Total for a call whose context has no deadline
// (10 and 30 seconds by default), and how long a member that failed is left alone: FirstPause at first, twice
// as long each time up to LongestPause (half a second and a minute by default), and as long as it asks for.
type Times = failover.Times

// MemberError is what one member of a [Pool] failed with, or refused: its Member's name, and the cause Err.
type MemberError = failover.MemberError

// PoolError means that no member of a [Pool] will do. It matches each member's cause, and its Members have
// them by name.
type PoolError = failover.Error

// Pool is several paymasters, the preferred one first, as one: a [userop.Paymaster], and a
// [userop.FeeQuoter] as far as its members are. It is safe for concurrent use, and runs nothing in the
// background.
//
// A member that cannot be reached, fails, denies access or wants fewer requests is left alone for a while,
// longer each time, and then tried with one request; the others are asked meanwhile, as they are where a
// member's gas tank is empty ([ErrGasTank]). Its other refusals are answers: what the policies and the limits
// of one say no to is not asked of another.
//
// What belongs together comes from one member. The sponsorship of an operation whose limits were estimated
// with a member's stand-in is that member's; where it fails in between, [userop.Sender] begins anew with
// another one. An operation that pays in a token is sponsored by the member that quoted last for its account
// and token: where that fails, ask for quotes again.
type Pool struct {
	group *failover.Group[userop.Paymaster]
	// begun has who began the sponsorship of an operation, quoted who quoted a token to an account last.
	begun  *lru.Cache[common.Hash, beginning]
	quoted *lru.Cache[quoteKey, int]
}

// mostKept is of how many operations, and quotes, is known which member they belong to.
const mostKept = 1 << 14

// beginning is which member began a sponsorship, and whether it could not finish it.
type beginning struct {
	member int
	broken bool
}

type quoteKey struct{ account, token common.Address }

var (
	_ userop.Paymaster = (*Pool)(nil)
	_ userop.FeeQuoter = (*Pool)(nil)
)

// NewPool returns a pool. It does no I/O; an error says what is wrong with the configuration.
func NewPool(cfg PoolConfig) (*Pool, error) {
	members := make([]failover.Member[userop.Paymaster], len(cfg.Members))
	for i, member := range cfg.Members {
		members[i] = failover.Member[userop.Paymaster]{Name: member.Name, Service: member.Paymaster}
		if named, ok := ability.Find[interface{ Host() string }](member.Paymaster); ok && member.Name == "" {
			members[i].Name = named.Host()
		}
	}
	group, err := failover.New(failover.Config[userop.Paymaster]{
		Kind: "paymaster", Times: cfg.Times, Prove: identify(cfg.ChainID), Once: jsonrpc.Once, Logger: cfg.Logger,
	}, members)
	if err != nil {
		return nil, fmt.Errorf("paymaster: pool: %w", err)
	}
	return &Pool{group: group, begun: lru.NewCache[common.Hash, beginning](mostKept), quoted: lru.NewCache[quoteKey, int](mostKept)}, nil
}

// identify returns an error for a member that says that it serves another chain.
func identify(chainID uint64) func(context.Context, userop.Paymaster) error {
	return func(ctx context.Context, member userop.Paymaster) error {
		says, ok := ability.Find[userop.Identity](member)
		if !ok || chainID == 0 {
			return nil
		}
		id, err := says.ChainID(ctx)
		if err == nil && id != chainID {
			err = fmt.Errorf("%w: it serves chain %d, this pool is for chain %d", userop.ErrWrongChain, id, chainID)
		}
		return err
	}
}

// judge tells what an error says of a paymaster.
func judge(err error) failover.Verdict {
	refused, ok := errors.AsType[*Error](err)
	switch _, noAnswer := errors.AsType[*TransportError](err); {
	case !ok && errors.Is(err, userop.ErrNotSponsored):
		return failover.Answered
	case !ok && noAnswer:
		return failover.Failed
	case !ok:
		return failover.JudgeUnknown(err)
	}
	answer := refused.answer()
	switch kind := refused.refusal(); {
	case kind == ErrGasTank:
		return failover.Elsewhere
	case kind != nil:
		return failover.Answered
	case answer.RateLimited(), answer.Unauthorized():
		return failover.Failed
	case answer.MayLackMethod():
		return failover.Elsewhere
	case answer.Temporary():
		return failover.Failed
	}
	return failover.Answered
}

// SponsorUserOperation implements [userop.Paymaster].
func (p *Pool) SponsorUserOperation(ctx context.Context, op *userop.Operation, req userop.SponsorRequest) (userop.Sponsorship, error) {
	q := failover.Question{What: "sponsorship", Judge: judge}
	key := sponsored(op)
	var bound *boundError
	if quoter, known := p.quoter(op, req); known {
		q.Order = []int{quoter}
		bound = &boundError{why: "it quoted the fee in this token: ask for quotes again, another one may take less or more"}
	} else if begun, known := p.begun.Get(key); known && begun.broken {
		q.Order = p.group.OrderWithLast(begun.member)
	} else if known && final(op, req) {
		q.Order = []int{begun.member}
		bound = &boundError{why: "it began the sponsorship of this operation, which another one cannot finish", anew: true}
	}
	answer, told, err := failover.Ask(ctx, p.group, q, func(ctx context.Context, member userop.Paymaster) (userop.Sponsorship, error) {
		return member.SponsorUserOperation(ctx, op, req)
	})
	switch {
	case err == nil:
		p.begun.Add(key, beginning{member: told.By})
	case told.By < 0 && bound != nil:
		if bound.anew {
			p.begun.Add(key, beginning{q.Order[0], true})
		}
		bound.err = err
		err = bound
	}
	return answer, err
}

// final reports whether the request is for the sponsorship of an operation whose limits stand.
func final(op *userop.Operation, req userop.SponsorRequest) bool {
	return !req.CalculateGasLimits && !op.VerificationGasLimit.IsZero() && !op.PreVerificationGas.IsZero()
}

// sponsored tells an operation by what stays the same while it is sponsored: all but its limits, who pays and
// its signature.
func sponsored(op *userop.Operation) common.Hash {
	nonce, maxFee, tip := op.Nonce.Bytes32(), op.MaxFeePerGas.Bytes32(), op.MaxPriorityFeePerGas.Bytes32()
	return crypto.Keccak256Hash(op.Sender[:], nonce[:], maxFee[:], tip[:], crypto.Keccak256(op.InitCode), crypto.Keccak256(op.CallData))
}

// quoter is the member that quoted the token that the operation is to be paid in.
func (p *Pool) quoter(op *userop.Operation, req userop.SponsorRequest) (place int, known bool) {
	if req.FeeToken == nil {
		return 0, false
	}
	return p.quoted.Get(quoteKey{op.Sender, *req.FeeToken})
}

// boundError is a member that failed and that no other one stands in for.
type boundError struct {
	err  error
	why  string
	anew bool
}

func (e *boundError) Error() string { return fmt.Sprintf("%v (%s)", e.err, e.why) }

func (e *boundError) Unwrap() error { return e.err }

// StartOver reports whether the sponsorship can begin anew with another member.
func (e *boundError) StartOver() bool { return e.anew }

// errNoQuotes means that no member quotes fees in tokens.
var errNoQuotes = errors.New("no paymaster of the pool quotes fees in tokens")

// FeeQuotes implements [userop.FeeQuoter]. The member that quotes is the one that is asked for the
// sponsorship in one of the tokens.
func (p *Pool) FeeQuotes(ctx context.Context, op *userop.Operation, req userop.QuoteRequest) (userop.FeeQuotes, error) {
	q := failover.Question{What: "fee quotes", Judge: judge}
	for _, place := range p.group.Order() {
		if _, ok := ability.Find[userop.FeeQuoter](p.group.Member(place).Service); ok {
			q.Order = append(q.Order, place)
		}
	}
	if len(q.Order) == 0 {
		return userop.FeeQuotes{}, fmt.Errorf("paymaster: %w", errNoQuotes)
	}
	quotes, told, err := failover.Ask(ctx, p.group, q, func(ctx context.Context, member userop.Paymaster) (userop.FeeQuotes, error) {
		quoter, _ := ability.Find[userop.FeeQuoter](member)
		return quoter.FeeQuotes(ctx, op, req)
	})
	if err == nil {
		for i := range quotes.Quotes {
			p.quoted.Add(quoteKey{op.Sender, quotes.Quotes[i].Token}, told.By)
		}
	}
	return quotes, err
}

// String names the members in their order: "paymasters a.example, b.example".
func (p *Pool) String() string { return p.group.String() }

// GoString is [Pool.String], so that %#v shows no key either.
func (p *Pool) GoString() string { return p.String() }
