package ethnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/url"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/go-sesame/sesame/internal/failover"
	"github.com/go-sesame/sesame/internal/node"
	"github.com/go-sesame/sesame/userop"
)

// Node is what a [Pool] needs of a node: all that an account.Chain has, and what fees are read from.
// *ethclient.Client is one.
type Node interface {
	ChainID(ctx context.Context) (*big.Int, error)
	CodeAt(ctx context.Context, account common.Address, block *big.Int) ([]byte, error)
	CallContract(ctx context.Context, call ethereum.CallMsg, block *big.Int) ([]byte, error)
	BlockNumber(ctx context.Context) (uint64, error)
	FilterLogs(ctx context.Context, query ethereum.FilterQuery) ([]types.Log, error)
	HeaderByNumber(ctx context.Context, number *big.Int) (*types.Header, error)
	SuggestGasTipCap(ctx context.Context) (*big.Int, error)
	SuggestGasPrice(ctx context.Context) (*big.Int, error)
}

// PoolConfig makes a [Pool]. ChainID and Members are required.
type PoolConfig struct {
	// ChainID is what every member has to serve. A member is asked before its first read, and again after it
	// failed; one that serves another chain, or cannot be asked, is not used.
	ChainID uint64
	// Members are the nodes in order of preference.
	Members []Member
	// MaxLag is by how many blocks a node may be behind the others and still be preferred to them, 16 by
	// default.
	MaxLag uint64
	// Times bound tries, and the pauses of members that failed.
	Times Times
	// Logger is told which member answered at debug level, and which failed as a warning; nil for silence.
	Logger *slog.Logger
}

// Member is one node of a [Pool], by its URL or as a client: one of the two is required.
type Member struct {
	// Name is what the member is called in errors and logs: the URL's host by default, or "node 2".
	Name string
	// URL is the http or https address, key included, of a node that the pool connects to, as [Dial] does.
	URL string
	// Node is a client that the caller made, and closes.
	Node Node
}

// Times bound the tries of a [Pool], Try for one member and Total for a call whose context has no deadline
// (10 and 30 seconds by default), and how long a member that failed is left alone: FirstPause at first, twice
// as long each time up to LongestPause (half a second and a minute by default), and as long as it asks for.
type Times = failover.Times

// MemberError is what one member of a [Pool] failed with: its Member's name, and the cause Err.
type MemberError = failover.MemberError

// PoolError means that no member of a [Pool] will do. It matches each member's cause, and its Members have
// them by name.
type PoolError = failover.Error

// Pool is several nodes of one chain, the preferred one first, as one: an account.Chain. It is safe for
// concurrent use, and runs nothing in the background.
//
// A member that cannot be reached, fails, denies access or wants fewer requests is left alone for a while,
// longer each time, and then tried with one request; the others are asked meanwhile. What the chain says, as
// that a call reverts, is an answer, and no other member is asked.
//
// All reads go to one member, the preferred one, as long as it answers and keeps up: every ten seconds all
// are asked for their newest block, and one that is far behind the others, or goes back, comes last until it
// has caught up. Logs come from a member only that has the blocks that are asked for: that a node which lags
// behind has none is no fact.
type Pool struct {
	group *failover.Group[Node]
	heads heads
	owned []interface{ Close() }
}

// NewPool returns a pool. It does no I/O; an error says what is wrong with the configuration.
func NewPool(cfg PoolConfig) (*Pool, error) {
	if cfg.ChainID == 0 {
		return nil, errors.New("ethnode: pool without a ChainID")
	}
	p := new(Pool)
	members := make([]failover.Member[Node], len(cfg.Members))
	for i, member := range cfg.Members {
		if (member.URL == "") == (member.Node == nil) {
			return nil, fmt.Errorf("ethnode: pool: member %d has to have a URL or a Node, one of the two", i+1)
		}
		if member.URL != "" {
			client, err := Dial(member.URL)
			if err != nil {
				p.Close()
				return nil, fmt.Errorf("ethnode: pool: member %d: %w", i+1, err)
			}
			p.owned = append(p.owned, client)
			member.Node = client
			if parsed, err := url.Parse(member.URL); err == nil && member.Name == "" {
				member.Name = parsed.Host
			}
		}
		members[i] = failover.Member[Node]{Name: member.Name, Service: &placed{member.Node, i}}
	}
	group, err := failover.New(failover.Config[Node]{
		Kind: "node", Times: cfg.Times, Prove: identify(cfg.ChainID), Logger: cfg.Logger,
	}, members)
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("ethnode: pool: %w", err)
	}
	p.group = group
	p.heads.start(group, cfg.MaxLag)
	return p, nil
}

// Close closes the connections that the pool made. It can still be used.
func (p *Pool) Close() {
	for _, client := range p.owned {
		client.Close()
	}
}

// String names the members in their order: "nodes a.example, b.example".
func (p *Pool) String() string { return p.group.String() }

// GoString is [Pool.String], so that %#v shows no key either.
func (p *Pool) GoString() string { return p.String() }

// placed is a member that knows its place.
type placed struct {
	Node
	place int
}

// identify returns an error for a member of another chain.
func identify(chainID uint64) func(context.Context, Node) error {
	return func(ctx context.Context, member Node) error {
		id, err := member.ChainID(ctx)
		switch {
		case err != nil:
			return &failure{err}
		case id == nil || !id.IsUint64() || id.Uint64() != chainID:
			return fmt.Errorf("%w: it serves chain %v, this pool is for chain %d", userop.ErrWrongChain, id, chainID)
		}
		return nil
	}
}

// failure is what a node failed with, told by what the pool needs to know of it. Its text has no URL.
type failure struct{ err error }

func (e *failure) Error() string { return node.Cause(e.err).Error() }

func (e *failure) Unwrap() error { return node.Cause(e.err) }

// Temporary reports whether the node may answer later.
func (e *failure) Temporary() bool {
	return node.Unavailable(e.err) || errors.As(e.err, new(*behindError)) || errors.Is(e.err, ethereum.NotFound)
}

// MayBeDelivered reports false: a read is nothing that could be.
func (e *failure) MayBeDelivered() bool { return false }

// RetryDelay is how long the node asks to be left alone, where its client tells.
func (e *failure) RetryDelay() time.Duration {
	if busy, ok := errors.AsType[*busyError](e.err); ok {
		return busy.retryAfter
	}
	return 0
}

// The codes of JSON-RPC errors that are about the node and not about the chain.
const (
	codeReverted       = 3
	codeMethodNotFound = -32601
	codeNotSupported   = -32004
	codeLimitExceeded  = -32005
)

// judge tells what an error says of a node.
func judge(err error) failover.Verdict {
	var answer interface{ ErrorCode() int }
	switch {
	case errors.As(err, new(*behindError)), errors.Is(err, ethereum.NotFound):
		return failover.Elsewhere
	case !errors.As(err, &answer): // the network, HTTP, or what is no answer
		return failover.Failed
	}
	switch code := answer.ErrorCode(); {
	case code == codeReverted, strings.Contains(strings.ToLower(err.Error()), "revert"):
		return failover.Answered
	case code == codeLimitExceeded, code == 429:
		return failover.Failed
	case code == codeMethodNotFound, code == codeNotSupported, node.Unavailable(err): // it lags, or one behind it fails
		return failover.Elsewhere
	}
	return failover.Answered
}

// judgeLogs is judge for logs: how many of them a node gives at once is its own affair.
func judgeLogs(err error) failover.Verdict { return max(judge(err), failover.Elsewhere) }

// read asks the members. What the chain says is told as the member told it.
func read[T any](ctx context.Context, p *Pool, what string, judge func(error) failover.Verdict, ask func(context.Context, Node) (T, error)) (T, error) {
	q := failover.Question{What: what, Order: p.heads.order(ctx), Judge: judge}
	answer, _, err := failover.Ask(ctx, p.group, q, asFailure(ask))
	if failed, ok := errors.AsType[*PoolError](err); ok {
		err = &node.SeveralError{Err: failed, Passing: failed.Temporary()}
	} else if failed, ok := errors.AsType[*failure](err); ok {
		err = failed.err
	}
	return answer, err
}

// asFailure is ask with errors that tell what the pool needs.
func asFailure[T any](ask func(context.Context, Node) (T, error)) func(context.Context, Node) (T, error) {
	return func(ctx context.Context, member Node) (T, error) {
		answer, err := ask(ctx, member)
		if err != nil {
			err = &failure{err}
		}
		return answer, err
	}
}

// ChainID returns the pool's, once a member said that it serves it.
func (p *Pool) ChainID(ctx context.Context) (*big.Int, error) {
	return read(ctx, p, "eth_chainId", judge, func(ctx context.Context, member Node) (*big.Int, error) { return member.ChainID(ctx) })
}

// CodeAt returns the code of an account as of a block, the newest one for nil.
func (p *Pool) CodeAt(ctx context.Context, account common.Address, block *big.Int) ([]byte, error) {
	return read(ctx, p, "eth_getCode", judge, func(ctx context.Context, member Node) ([]byte, error) { return member.CodeAt(ctx, account, block) })
}

// CallContract calls a contract as of a block, the newest one for nil.
func (p *Pool) CallContract(ctx context.Context, call ethereum.CallMsg, block *big.Int) ([]byte, error) {
	return read(ctx, p, "eth_call", judge, func(ctx context.Context, member Node) ([]byte, error) { return member.CallContract(ctx, call, block) })
}

// BlockNumber returns the number of the newest block.
func (p *Pool) BlockNumber(ctx context.Context) (uint64, error) {
	return read(ctx, p, "eth_blockNumber", judge, p.heads.ask)
}

// FilterLogs returns the logs that a query asks for, from a member that has all its blocks.
func (p *Pool) FilterLogs(ctx context.Context, query ethereum.FilterQuery) ([]types.Log, error) {
	return read(ctx, p, "eth_getLogs", judgeLogs, func(ctx context.Context, member Node) ([]types.Log, error) {
		if err := p.heads.reaches(ctx, member, query.ToBlock); err != nil {
			return nil, err
		}
		return member.FilterLogs(ctx, query)
	})
}

// HeaderByNumber returns the header of a block, the newest one for nil.
func (p *Pool) HeaderByNumber(ctx context.Context, number *big.Int) (*types.Header, error) {
	return read(ctx, p, "eth_getBlockByNumber", judge, func(ctx context.Context, member Node) (*types.Header, error) {
		return member.HeaderByNumber(ctx, number)
	})
}

// SuggestGasTipCap returns the tip that a node proposes, in wei per gas.
func (p *Pool) SuggestGasTipCap(ctx context.Context) (*big.Int, error) {
	return read(ctx, p, "eth_maxPriorityFeePerGas", judge, func(ctx context.Context, member Node) (*big.Int, error) { return member.SuggestGasTipCap(ctx) })
}

// SuggestGasPrice returns the gas price that a node proposes, in wei per gas.
func (p *Pool) SuggestGasPrice(ctx context.Context) (*big.Int, error) {
	return read(ctx, p, "eth_gasPrice", judge, func(ctx context.Context, member Node) (*big.Int, error) { return member.SuggestGasPrice(ctx) })
}
