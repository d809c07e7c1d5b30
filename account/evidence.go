package account

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/node"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// evidence reads from the node what became of operations. It implements [userop.Chain].
type evidence struct {
	chain     Chain
	contracts *Contracts
}

// errNoHeads is a chain reader that tells of no blocks by itself.
var errNoHeads = errors.New("the chain reader has no subscriptions")

// SubscribeNewHead implements [userop.HeadSubscriber].
func (e evidence) SubscribeNewHead(ctx context.Context, heads chan<- *types.Header) (ethereum.Subscription, error) {
	node, ok := ability.Find[userop.HeadSubscriber](e.chain)
	if !ok {
		return nil, errNoHeads
	}
	return node.SubscribeNewHead(ctx, heads)
}

// BlockNumber implements [userop.Chain].
func (e evidence) BlockNumber(ctx context.Context) (uint64, error) {
	var number uint64
	var err error
	for t := node.Ask(ctx); t.Next(&err); {
		number, err = e.chain.BlockNumber(t.Context)
	}
	if err != nil {
		return 0, fmt.Errorf("number of the newest block: %w", err)
	}
	return number, nil
}

// FilterLogs implements [userop.Chain].
func (e evidence) FilterLogs(ctx context.Context, query ethereum.FilterQuery) ([]types.Log, error) {
	var logs []types.Log
	var err error
	for t := node.Ask(ctx); t.Next(&err); {
		logs, err = e.chain.FilterLogs(t.Context, query)
	}
	if err != nil {
		return nil, fmt.Errorf("logs of blocks %v to %v: %w", query.FromBlock, query.ToBlock, err)
	}
	return logs, nil
}

// NonceState implements [userop.Chain]. The nonce and the time are read as of one block.
func (e evidence) NonceState(ctx context.Context, op *userop.Operation, block *big.Int) (state userop.NonceState, err error) {
	lane := new(uint256.Int).Rsh(&op.Nonce, 64)
	results, err := batchRead(ctx, e.chain, block, contracts.Read{To: e.contracts.EntryPoint, Data: contracts.GetNonce(op.Sender, *lane)})
	var next uint256.Int
	if err == nil {
		err = decodeResult(&results[0], "getNonce of the EntryPoint", into(&next, contracts.DecodeUint256))
	}
	if err != nil {
		return state, fmt.Errorf("nonce of %s: %w", op.Sender, err)
	}
	return userop.NonceState{Used: op.Nonce.Lt(&next), BlockTime: results[0].BlockTime}, nil
}

// operationEnd returns the last second in which an operation can be included, as far as its signature and its
// sponsorship tell: 0 where they do not.
func (c *Contracts) operationEnd(op *userop.Operation) uint64 {
	known := contracts.Deployed()
	known.Multichain, known.TokenPaymaster = c.Multichain, c.TokenPaymaster
	known.SessionKeyManager, known.BatchedSessionRouter = c.Session.Manager, c.Session.Router
	packed := contracts.UserOperation(*op)
	return contracts.OperationEnd(&packed, &known)
}

// mayResend holds back what session keys signed: whether those sessions were revoked since is for their store
// to say.
func (c *Contracts) mayResend(op *userop.Operation) error {
	if c.bySession(op) {
		return fmt.Errorf("%w: a session key signed the operation of %s, and its store has to be asked whether the session was revoked: send it again with Account.Resend", ErrConfig, op.Sender)
	}
	return nil
}

// bySession reports whether a session key signed the operation, or will, by its signature or the dummy one.
func (c *Contracts) bySession(op *userop.Operation) bool {
	module := contracts.SignatureModule(op.Signature)
	return module == c.Session.Manager || module == c.Session.Router
}

// SendSigned hands an operation that [Account.Build] made to the bundler for the first time, as a caller does
// who has written it down in between: what fails is told as by [Account.Send], and not as of one that may be
// known already, which [Account.Resend] is for. Before each try the store of the sessions that signed it is
// asked as there; of one that the owner signed the sessions may be nil.
func (a *Account) SendSigned(ctx context.Context, sess *session.Sessions, op *userop.Operation) (*userop.Pending, error) {
	if err := a.client.unwritten("SendSigned sends no operation", "Send writes down what it sends"); err != nil {
		return nil, err
	}
	if sess == nil && op != nil && op.Sender == a.address {
		return a.client.sender.SendSigned(ctx, op, a.client.unstopped(a.client.writes.store, a.address))
	}
	guard, err := a.guardSigned(sess, op)
	if err != nil {
		return nil, err
	}
	return a.client.sender.SendSigned(ctx, op, guard)
}

// Resend hands an operation that session keys signed to the bundler again, as [userop.Sender.Resend] does for
// one that the owner signed. Before each try the store of the sessions is asked, as it is then, whether those
// that signed were revoked or stopped: that is an error matching [session.ErrRevoked] or
// [session.ErrStopped], and the operation is not sent.
func (a *Account) Resend(ctx context.Context, sess *session.Sessions, op *userop.Operation) (*userop.Pending, error) {
	guard, err := a.guardSigned(sess, op)
	if err != nil {
		return nil, err
	}
	return a.client.sender.ResendGuarded(ctx, op, guard)
}

// guardSigned is the guard of an operation that sessions signed; nil for no operation.
func (a *Account) guardSigned(sess *session.Sessions, op *userop.Operation) (userop.Guard, error) {
	switch {
	case op == nil:
		return nil, nil
	case sess == nil || sess.Ref() != a.Ref() || op.Sender != a.address:
		return nil, fmt.Errorf("%w: an operation of %s is sent with its own account and the sessions of its own store, not with those of %s", ErrConfig, op.Sender, a.Ref())
	}
	return func(ctx context.Context, op *userop.Operation) error {
		return sess.CheckSigned(ctx, a.client.contracts.Session, op)
	}, nil
}
