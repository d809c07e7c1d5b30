package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/node"
	"github.com/go-sesame/sesame/internal/observe"
	"github.com/go-sesame/sesame/internal/signature"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// Config makes a [Client]. ChainID, Chain and Bundler are required.
type Config struct {
	// ChainID is checked against what the node and the bundler say, before anything is signed.
	ChainID uint64
	// Chain reads the chain; *ethclient.Client is one. As ethclient.Dial makes it, it follows redirects, and
	// tells where they lead its URL, key included, as Referer. One that does not comes from ethnode.Dial, and
	// one of several nodes from ethnode.NewPool.
	Chain Chain
	// Bundler takes the operations; bundler.New makes one, bundler.NewPool one of several.
	Bundler userop.Bundler
	// UnidentifiedBundler takes a Bundler that cannot say which chain and EntryPoint it serves: what it is
	// given may be sent to another chain. Without it such a bundler is an error of the first operation. A
	// wrapper around one that can need not be told so: it says what it wraps by a method Unwrap()
	// userop.Bundler.
	UnidentifiedBundler bool
	// Paymaster pays for operations sent with [Sponsored]; paymaster.New makes one, paymaster.NewPool one of
	// several.
	Paymaster userop.Paymaster
	// Paymasters, when there are any, are the contracts that may pay: an operation for which the service
	// answers with another one is not signed. Empty is any contract but the token paymaster, also one that
	// the account let take tokens. The token paymaster that [PayWith] pays is Contracts.TokenPaymaster.
	Paymasters []common.Address
	// TokenOracles are trusted for the price of a token; see [PayWith].
	TokenOracles []common.Address
	// Contracts replaces the well-known addresses; zero fields keep them.
	Contracts Contracts
	// Fees proposes fees. By default the bundler does and, where it cannot, the node.
	Fees userop.FeeSource
	// Caps refuse operations that would cost more; [WithCaps] tightens them for one operation.
	//
	// What an account pays itself is bounded without them, so that no service can have it pay any price: the
	// fees that a bundler or Fees proposes by three times what the node does, or a tip of 0.1 gwei above it,
	// preVerificationGas by twice our own estimate. MaxFeePerGas and PreVerificationGas here replace the one
	// or the other bound, also by a higher one. MaxCost bounds beside them. It is required where the chain
	// reader proposes no fees, and bounds preVerificationGas alone where a chain that charges for data on L1
	// does not tell how much.
	// callGasLimit and verificationGasLimit have none: gas that is not used comes back, to the account's
	// deposit, and no service can use it up. A contract that the account calls can; MaxCost bounds that.
	Caps userop.Caps
	// Outbox is where sends with a key are written down ([Once]): a store of packages pgstore or filestore,
	// which keeps the sessions, too. Without one Once is an error. Its kill switch ([session.Switch]) stops
	// what owners and other signers sign, as it stops sessions: see [session.Stop].
	Outbox Outbox
	// Budgets bounds what sends come to in a day, counted in Outbox; nil for no bounds.
	Budgets *Budgets
	// Report is told how each send with a key ended, by [Client.Run] alone: again until it returns nil, and
	// never after that, unless the process ends before that is written down. Nil is told nothing.
	Report func(ctx context.Context, report Report) error
	// Lease is how long a send with a key is left to the process that works on it, 30 seconds by default, up
	// to 24 hours. After it [Client.Run] goes on with it, here or elsewhere, which sends nothing twice.
	Lease time.Duration
	// Keep is how long a key is kept after its send has ended, 30 days by default, negative for ever. One
	// that is open is always kept.
	Keep time.Duration
	// Freshness is how long what the chain says of the sessions' root and of enabled modules, what fees were
	// proposed, and what a wait saw use up a nonce, is taken from memory: 2 seconds by default, negative to
	// ask each time. An operation that a service refuses for its nonce or its fees, or for its root, is made
	// anew once with what is read then. Without [InLane], the next nonce is read all the same under a key
	// ([Once]), and while it is open what became of any operation of the account. That an account is deployed
	// is remembered for good, once it was seen twice with a minute between.
	Freshness time.Duration
	// Confirmations is how many blocks count, the one that holds an operation among them, before a wait
	// succeeds, and before an operation is taken to have ended or a change of the sessions' root to be
	// settled: 1, the default, is the block alone. As long as the chain loses fewer blocks than that, nothing
	// that was told is taken back. [userop.Confirmations] asks for another number for one wait. What a send
	// goes by is the newest block all the same. For more than its node keeps the states of, often 128, it
	// needs one that keeps them all.
	Confirmations uint64
	// WaitTimeout ends a wait whose context has no deadline; 5 minutes by default.
	WaitTimeout time.Duration
	// Logger is told each step at debug level; nil for silence.
	Logger *slog.Logger
	// TracerProvider and MeterProvider get OpenTelemetry's spans and metrics of each step, Hooks are called
	// with the same; nil and zero for none. None of it has a signature, call data or a key. Requests to
	// services are told of by the clients of these, which have options of that name.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Hooks          userop.Hooks
}

// Client is everything for one chain: chain reader, pipeline and contract addresses. Make one per process; it
// is safe for concurrent use.
type Client struct {
	chainID   uint64
	chain     Chain
	contracts Contracts
	sender    *userop.Sender
	bundler   userop.Bundler
	caps      userop.Caps
	fees      *feeSource
	freshness time.Duration
	// confirmations is what Config has, at least 1.
	confirmations uint64

	writes  writer
	budgets *budgets // nil for none
	reports func(context.Context, Report) error
	keep    time.Duration
	running atomic.Bool // Run is
	// observer tells what happens, nil for nobody.
	observer *observe.Observer

	paymasters, tokenOracles []common.Address
	selfPaid                 bool // there is no paymaster

	doubts         doubts
	chainIDChecked atomic.Bool // the node said that it serves the chain
	noL1Fees       atomic.Bool // the chain has no contract that says what it charges for data on L1
	l1             atomic.Pointer[l1Price]
	nonces         lastNonces
	deployed       *recents[common.Address, codeSeen] // an account with code keeps it
	enabledAt      *recents[moduleKey, time.Time]     // the last look
}

// mostRemembered is about how many accounts a client remembers something of, those that acted last.
const mostRemembered = 1 << 17

// NewClient returns a client. It does no I/O: a service that is out of reach, or serves another chain, is an
// error of the first operation.
func NewClient(cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	contracts, err := cfg.Contracts.withDefaults(cfg.ChainID)
	if err != nil {
		return nil, err
	}
	if cfg.Freshness == 0 {
		cfg.Freshness = 2 * time.Second
	}
	c := &Client{
		chainID:   cfg.ChainID,
		chain:     cfg.Chain,
		contracts: contracts,
		bundler:   cfg.Bundler,
		caps:      cloneCaps(cfg.Caps),
		fees:      newFeeSource(&cfg),
		freshness: cfg.Freshness,

		confirmations: max(cfg.Confirmations, 1),

		nonces:    newLastNonces(cfg.Freshness),
		deployed:  newRecents[common.Address, codeSeen](mostRemembered),
		enabledAt: newRecents[moduleKey, time.Time](mostRemembered),

		paymasters:   slices.Clone(cfg.Paymasters),
		tokenOracles: slices.Clone(cfg.TokenOracles),
		selfPaid:     cfg.Paymaster == nil,
	}
	signature.Warm()
	if err := errors.Join(c.writeDown(&cfg), c.budget(&cfg)); err != nil {
		return nil, err
	}
	c.sender, err = userop.NewSender(userop.SenderConfig{
		ChainID:             cfg.ChainID,
		EntryPoint:          contracts.EntryPoint,
		Bundler:             cfg.Bundler,
		UnidentifiedBundler: cfg.UnidentifiedBundler,
		Paymaster:           cfg.Paymaster,
		Fees:                c.fees,
		Chain:               evidence{cfg.Chain, &contracts},
		Until:               contracts.operationEnd,
		MayResend:           contracts.mayResend,
		BearsOut:            c.bearsOut,
		Explain:             c.explainFailure,
		Confirmations:       cfg.Confirmations,
		WaitTimeout:         cfg.WaitTimeout,
		Logger:              cfg.Logger,
		TracerProvider:      cfg.TracerProvider,
		MeterProvider:       cfg.MeterProvider,
		Hooks:               cfg.Hooks,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	c.observer = c.sender.Observer()
	return c, nil
}

// cloneCaps are the caps as they are now, whatever becomes of the caller's numbers.
func cloneCaps(caps userop.Caps) userop.Caps {
	for _, field := range []**uint256.Int{
		&caps.MaxFeePerGas, &caps.MaxCost, &caps.CallGasLimit, &caps.VerificationGasLimit, &caps.PreVerificationGas,
	} {
		if *field != nil {
			*field = (*field).Clone()
		}
	}
	return caps
}

// ChainID returns the chain the client is for.
func (c *Client) ChainID() uint64 { return c.chainID }

// Contracts returns the addresses the client works with.
func (c *Client) Contracts() Contracts { return c.contracts }

// Sender returns the pipeline beneath, to send operations made elsewhere or to watch one by its hash.
func (c *Client) Sender() *userop.Sender { return c.sender }

// Account returns the handle of a smart account by its address alone. It does no I/O and knows no owner: it
// acts with sessions.
func (c *Client) Account(address common.Address) *Account {
	return &Account{client: c, address: address}
}

// SessionRoot returns the session root of an account on chain, zero for none. It makes the client a
// [session.Chain]. A node of another chain, or one that never said of which it is, is an error.
func (c *Client) SessionRoot(ctx context.Context, account common.Address) (common.Hash, error) {
	if err := c.checkChainID(ctx); err != nil {
		return common.Hash{}, fmt.Errorf("session root of %s: %w", account, err)
	}
	return identified{c}.SessionRoot(ctx, account)
}

// MaySettle returns an error where the newest session root must not make a change of sessions final: where
// the node never said that it is of the client's chain ([userop.ErrWrongChain] of another), or where
// [Config].Confirmations asks for a deeper block. It is for [session.Chain].
func (c *Client) MaySettle(ctx context.Context) error {
	if c.confirmations > 1 {
		return fmt.Errorf("the newest block settles no sessions of a client that waits for %d confirmations", c.confirmations)
	}
	return c.checkChainID(ctx)
}

// identified is the client as a [session.Chain] for a draft's checks, beside which the node is asked of which
// chain it is.
type identified struct{ *Client }

// SessionRoot is [Client.SessionRoot] without that question.
func (c identified) SessionRoot(ctx context.Context, account common.Address) (common.Hash, error) {
	var data []byte
	var err error
	for t := node.Ask(ctx); t.Next(&err); {
		data, err = c.chain.CallContract(t.Context, callMsg(c.contracts.Session.Manager, contracts.GetSessionKeys(account)), nil)
	}
	if err != nil {
		return common.Hash{}, fmt.Errorf("getSessionKeys of %s: %w", account, err)
	}
	root, err := contracts.DecodeHash(data)
	if err != nil {
		return common.Hash{}, fmt.Errorf("%w: getSessionKeys of session key manager %s: %w", ErrBadAnswer, c.contracts.Session.Manager, err)
	}
	return root, nil
}

// SessionContracts returns the EntryPoint and the session key manager that the client works with.
func (c *Client) SessionContracts() (entryPoint, manager common.Address) {
	return c.contracts.EntryPoint, c.contracts.Session.Manager
}

// SessionRootAndNonce returns the session root of an account, whether the EntryPoint has counted past its
// nonce, and the block's time, as of one block: the newest one that has [Config].Confirmations. It is one
// request, after one for the number of that block where it is not the newest. By what it says changes of
// sessions are made final, or undone: a node of another chain, or one that never said of which it is, is an
// error.
func (c *Client) SessionRootAndNonce(ctx context.Context, account common.Address, nonce *uint256.Int) (seen session.OnChain, err error) {
	if err := c.checkChainID(ctx); err != nil {
		return session.OnChain{}, fmt.Errorf("session root and nonce of %s: %w", account, err)
	}
	block, err := c.confirmedBlock(ctx)
	if err != nil {
		return session.OnChain{}, err
	}
	lane := new(uint256.Int).Rsh(nonce, 64)
	results, err := batchRead(ctx, c.chain, block,
		contracts.Read{To: c.contracts.Session.Manager, Data: contracts.GetSessionKeys(account)},
		contracts.Read{To: c.contracts.EntryPoint, Data: contracts.GetNonce(account, *lane)})
	if err != nil {
		return session.OnChain{}, fmt.Errorf("session root and nonce of %s: %w", account, err)
	}
	var next uint256.Int
	err = decodeResult(&results[0], "getSessionKeys of the session key manager", into(&seen.Root, contracts.DecodeHash))
	if err == nil {
		err = decodeResult(&results[1], "getNonce of the EntryPoint", into(&next, contracts.DecodeUint256))
	}
	if err != nil {
		return session.OnChain{}, fmt.Errorf("session root and nonce of %s: %w", account, err)
	}
	seen.NonceUsed, seen.BlockTime = nonce.Lt(&next), results[0].BlockTime
	return seen, nil
}

// confirmedBlock is the number of the newest block that has [Config].Confirmations, nil for the newest of
// all. Block 0 is never lost.
func (c *Client) confirmedBlock(ctx context.Context) (*big.Int, error) {
	if c.confirmations == 1 {
		return nil, nil
	}
	head, err := evidence{c.chain, &c.contracts}.BlockNumber(ctx)
	if err != nil {
		return nil, err
	}
	return new(big.Int).SetUint64(head - min(head, c.confirmations-1)), nil
}
