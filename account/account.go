package account

import (
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/lanekey"
	"github.com/go-sesame/sesame/internal/node"
	"github.com/go-sesame/sesame/internal/observe"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// Call is one call the account makes: To, Value in wei, Data.
type Call = abi.Call

// Account is a handle of one smart account by its address: it reads the account and acts for it with
// sessions. It is cheap, holds no key, and is safe for concurrent use.
type Account struct {
	client  *Client
	address common.Address
}

// Address returns the account's address.
func (a *Account) Address() common.Address { return a.address }

// Ref returns the key of the account's sessions in a store.
func (a *Account) Ref() session.Ref {
	return session.Ref{ChainID: a.client.chainID, Account: a.address}
}

// codeDoubted is how long a node's word that an account has code is believed, the first time: the block may
// be taken back, or the answer have been wrong.
const codeDoubted = time.Minute

// codeSeen is when an account was first shown to have code.
type codeSeen struct {
	at   time.Time // zero for never
	sure bool      // it was shown again later
}

func (s codeSeen) lately() bool { return !s.at.IsZero() && time.Since(s.at) < codeDoubted }

func (a *Account) codeSeen() codeSeen {
	seen, _ := a.client.deployed.load(a.address)
	return seen
}

// noteCode remembers whether a node showed that the account has code.
func (a *Account) noteCode(has bool) {
	switch seen := a.codeSeen(); {
	case !has:
		a.client.deployed.delete(a.address)
	case seen.at.IsZero():
		a.client.deployed.store(a.address, codeSeen{at: time.Now()})
	case !seen.lately():
		a.client.deployed.store(a.address, codeSeen{at: seen.at, sure: true})
	}
}

// Deployed reports whether the account has code on chain. An account that has is asked about once more a
// minute later, and not again after that. A node of another chain is an error matching
// [userop.ErrWrongChain].
func (a *Account) Deployed(ctx context.Context) (bool, error) {
	if err := a.client.refuseOtherChain(ctx); err != nil {
		return false, fmt.Errorf("code of %s: %w", a.address, err)
	}
	return a.hasCode(ctx)
}

// hasCode is [Account.Deployed] for who asks elsewhere which chain the node is of.
func (a *Account) hasCode(ctx context.Context) (bool, error) {
	if seen := a.codeSeen(); seen.sure || seen.lately() {
		return true, nil
	}
	var code []byte
	var err error
	for t := node.Ask(ctx); t.Next(&err); {
		code, err = a.client.chain.CodeAt(t.Context, a.address, nil)
	}
	if err != nil {
		return false, fmt.Errorf("code of %s: %w", a.address, err)
	}
	a.noteCode(len(code) > 0)
	return len(code) > 0, nil
}

// Nonce returns the account's next nonce in a lane, read from the EntryPoint. lane has at most 192 bits; nil
// is lane 0, the default one. A node of another chain is an error matching [userop.ErrWrongChain].
func (a *Account) Nonce(ctx context.Context, lane *uint256.Int) (uint256.Int, error) {
	if err := a.client.refuseOtherChain(ctx); err != nil {
		return uint256.Int{}, fmt.Errorf("nonce of %s: %w", a.address, err)
	}
	return a.nonce(ctx, lane)
}

// nonce is [Account.Nonce] for who asks elsewhere which chain the node is of.
func (a *Account) nonce(ctx context.Context, lane *uint256.Int) (uint256.Int, error) {
	if lane == nil {
		lane = new(uint256.Int)
	}
	if n := lane.BitLen(); n > lanekey.Bits {
		return uint256.Int{}, fmt.Errorf("%w: nonce of %s: lane key has %d bits, at most %d fit", policy.ErrInvalid, a.address, n, lanekey.Bits)
	}
	entryPoint := a.client.contracts.EntryPoint
	var data []byte
	var err error
	for t := node.Ask(ctx); t.Next(&err); {
		data, err = a.client.chain.CallContract(t.Context, callMsg(entryPoint, contracts.GetNonce(a.address, *lane)), nil)
	}
	if err != nil {
		return uint256.Int{}, fmt.Errorf("nonce of %s: %w", a.address, err)
	}
	nonce, err := contracts.DecodeUint256(data)
	if err != nil {
		return uint256.Int{}, fmt.Errorf("%w: getNonce of EntryPoint %s: %w", ErrBadAnswer, entryPoint, err)
	}
	return nonce, nil
}

// NonceUsed reports whether the EntryPoint has counted past the nonce in its lane: an operation with it is on
// chain by now, or never will be. A node of another chain is an error matching [userop.ErrWrongChain].
func (a *Account) NonceUsed(ctx context.Context, nonce *uint256.Int) (bool, error) {
	next, err := a.Nonce(ctx, new(uint256.Int).Rsh(nonce, 64))
	return err == nil && nonce.Lt(&next), err
}

// Send makes the account do calls in one operation, in their order, all or none. It is signed with the
// session of [WithSession] or [WithLeafOf]. Before anything is signed, the session is checked as the
// contracts will: the store's newest state, the root on chain, the module, the window, and each call against
// its policy.
//
// While it is open whether an earlier operation of this client was accepted ([userop.MayBeAccepted]), that
// one is sent again first, the same bytes, and this one takes another lane: the two may land in any order.
//
// Errors of the pipeline are a [*userop.Error]; see [userop.MayBeAccepted] before sending again.
func (a *Account) Send(ctx context.Context, calls []Call, opts ...Option) (tx *userop.Pending, err error) {
	ctx, sending := a.client.beginSend(ctx, a.address)
	defer func() { sending.End(ctx, observe.SendEnd(tx, err)) }()
	s, err := sendSettings(opts)
	if err != nil {
		return nil, err
	}
	if a.client.writesDown(s) {
		return a.client.sendOnce(ctx, a.address, s, kindSend, askedCalls(calls), func(ctx context.Context) (*userop.Draft, error) {
			return a.draft(ctx, calls, s)
		})
	}
	s.remembers = true // under a key, the chain has the last word on the nonce
	draft, err := a.draft(ctx, calls, s)
	if err != nil {
		return nil, err
	}
	return a.client.sender.Send(ctx, *draft)
}

// Build makes and signs the operation that [Account.Send] would send.
func (a *Account) Build(ctx context.Context, calls []Call, opts ...Option) (*userop.Operation, error) {
	if err := a.client.unwritten("Build signs no operation", "Send writes down what it signs"); err != nil {
		return nil, err
	}
	draft, err := a.newDraft(ctx, calls, opts)
	if err != nil {
		return nil, err
	}
	return a.client.sender.Build(ctx, *draft)
}

// Estimate returns what the operation that [Account.Send] would send may cost, in gas and in wei by part.
// Nothing is signed or sent; with [Sponsored] the paymaster is asked as it would be for sending.
func (a *Account) Estimate(ctx context.Context, calls []Call, opts ...Option) (*userop.Estimate, error) {
	s, err := uncapped(opts)
	if err != nil {
		return nil, err
	}
	draft, err := a.draft(ctx, calls, s)
	if err != nil {
		return nil, err
	}
	return a.client.sender.Estimate(ctx, *draft)
}

// Decode returns the calls in an operation's callData, which the account makes in this order: what was given
// to [Account.Send]. It takes both names of execute and executeBatch; an operation that only deploys the
// account has no callData, and calls nothing. The error matches [ErrNotExecute] for calldata of another
// function.
func (a *Account) Decode(callData []byte) ([]Call, error) {
	if len(callData) == 0 {
		return []Call{}, nil
	}
	calls, err := contracts.DecodeExecute(callData)
	if err != nil {
		return nil, fmt.Errorf("calls of account %s: %w", a.address, err)
	}
	return calls, nil
}

// requireDeployed is the init code of an account known by its address: none, or an error.
func (a *Account) requireDeployed(ctx context.Context) ([]byte, error) {
	a.client.observer.Note(ctx, "deployed")
	deployed, err := a.hasCode(ctx)
	if err == nil && !deployed {
		err = a.notDeployedError()
	}
	return nil, err
}

func (a *Account) notDeployedError() error {
	return fmt.Errorf("%w: %s on chain %d; its owner deploys it with a first operation, a session cannot", ErrNotDeployed, a.address, a.client.chainID)
}
