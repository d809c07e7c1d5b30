package account

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// Call is one call the account makes: To, Value in wei, Data.
type Call = policy.Call

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

// Deployed reports whether the account has code on chain.
func (a *Account) Deployed(ctx context.Context) (bool, error) {
	return a.client.Deployed(ctx, a.address)
}

// Nonce returns the account's next nonce in a lane; nil is lane 0.
func (a *Account) Nonce(ctx context.Context, lane *uint256.Int) (uint256.Int, error) {
	if lane == nil {
		lane = new(uint256.Int)
	}
	return a.client.Nonce(ctx, a.address, lane)
}

// SessionRoot returns the root of the account's sessions on chain, zero for none.
func (a *Account) SessionRoot(ctx context.Context) (common.Hash, error) {
	return a.client.SessionRoot(ctx, a.address)
}

// IsModuleEnabled reports whether the account listens to a validation module. For an account without
// code the error matches [ErrNotDeployed].
func (a *Account) IsModuleEnabled(ctx context.Context, module common.Address) (bool, error) {
	data, err := call(ctx, a.client.chain, a.address, abi.IsModuleEnabled(module))
	if err != nil {
		return false, fmt.Errorf("isModuleEnabled(%s) of account %s: %w", module, a.address, err)
	}
	if len(data) == 0 {
		return false, a.notDeployed()
	}
	enabled, err := abi.DecodeBool(data)
	if err != nil {
		return false, fmt.Errorf("%w: isModuleEnabled of account %s: %w", ErrBadAnswer, a.address, err)
	}
	return enabled, nil
}

// Send makes the account do calls in one operation, in their order, all or none. It is signed with
// the session of [WithSession] or [WithLeafOf]. Before anything is signed, the session is checked as the contracts
// will: the store's newest state, the root on chain, the module, the window, and each call against
// its policy.
//
// Errors of the pipeline are a [*userop.Error]; see [userop.MayBeAccepted] before sending again.
func (a *Account) Send(ctx context.Context, calls []Call, opts ...Option) (*userop.Pending, error) {
	draft, err := a.draft(calls, opts)
	if err != nil {
		return nil, err
	}
	return a.client.sender.Send(ctx, *draft)
}

// Build makes and signs the operation that [Account.Send] would send.
func (a *Account) Build(ctx context.Context, calls []Call, opts ...Option) (*userop.Operation, error) {
	draft, err := a.draft(calls, opts)
	if err != nil {
		return nil, err
	}
	return a.client.sender.Build(ctx, *draft)
}

func (a *Account) draft(calls []Call, opts []Option) (*userop.Draft, error) {
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	if s.leaves == nil && s.find == nil && s.signer == nil {
		return nil, fmt.Errorf("%w for account %s, which is known by address only: choose a leaf with WithSession, or have it chosen with WithLeafOf", ErrNoSigner, a.address)
	}
	draft, err := a.client.newDraft(a.address, calls, s)
	if err != nil {
		return nil, err
	}
	draft.InitCode = a.requireDeployed
	return draft, nil
}

// newDraft puts together what an operation of any account needs.
func (c *Client) newDraft(address common.Address, calls []Call, s *settings) (*userop.Draft, error) {
	if len(calls) == 0 {
		return nil, fmt.Errorf("%w: no call to make for account %s", ErrConfig, address)
	}
	if s.leaves != nil && len(s.leaves) != len(calls) {
		return nil, fmt.Errorf("%w: %d calls with %d session leaves; each call needs its leaf", ErrConfig, len(calls), len(s.leaves))
	}
	if s.payContext != nil && !(s.sponsored || s.orSelf || s.quote != nil || s.quoted) {
		return nil, fmt.Errorf("%w: PaymasterContext without a paymaster to pay; add Sponsored, SponsoredOrSelf or PayWith", ErrConfig)
	}
	draft, err := c.draftAfter(address, s.first, calls, s)
	if err == nil && !s.quoted && (s.quote != nil || s.approval != nil) {
		err = c.arrangePayment(draft, calls, s)
	}
	return draft, err
}

// draftCalls is the draft of an operation that makes the calls.
func (c *Client) draftCalls(address common.Address, calls []Call, s *settings) (*userop.Draft, error) {
	leaves := s.leaves
	if s.find != nil {
		var err error
		if leaves, err = s.find.Find(c.contracts.Session, calls...); err != nil {
			return nil, err
		}
	}
	asBatch := s.batch || len(calls) > 1
	draft := c.callDraft(address, callData(calls, asBatch), s)
	if leaves != nil {
		return draft, c.useSession(draft, calls, leaves, asBatch, s)
	}
	return draft, nil
}

// callDraft is the draft of an operation with that callData, as the options have it.
func (c *Client) callDraft(address common.Address, callData []byte, s *settings) *userop.Draft {
	draft := &userop.Draft{
		Sender:           address,
		CallData:         callData,
		Signer:           s.signer,
		Sponsored:        s.sponsored || s.orSelf,
		OrSelf:           s.orSelf,
		PaymasterContext: s.payContext,
		Fees:             s.fees,
		Gas:              s.gas,
		Margins:          s.margins,
		Caps:             c.caps,
		Overrides:        s.overrides,
		Checks:           []func(context.Context) error{c.identify},
		Accept:           c.acceptSponsor,
	}
	if s.lanes != nil {
		draft.Reserve = func(ctx context.Context) (userop.Reservation, error) { return s.lanes.reserve(ctx, c, address) }
	} else {
		draft.Nonce = c.nonceReader(address, s)
	}
	if s.caps != nil {
		draft.Caps = *s.caps
	}
	return draft
}

// acceptSponsor refuses to be sponsored by the token paymaster: it would take tokens, by an allowance that the
// account gave it for another operation. [PayWith] is how to pay it.
func (c *Client) acceptSponsor(op *userop.Operation) error {
	if bytes.HasPrefix(op.PaymasterAndData, c.contracts.TokenPaymaster[:]) {
		return fmt.Errorf("%w: the service answered for token paymaster %s, which takes tokens; PayWith pays it", userop.ErrNotSponsored, c.contracts.TokenPaymaster)
	}
	return nil
}

func callData(calls []Call, asBatch bool) []byte {
	if asBatch {
		return abi.ExecuteBatch(calls)
	}
	return abi.Execute(calls[0].To, calls[0].Value, calls[0].Data)
}

func (c *Client) nonceReader(address common.Address, s *settings) func(context.Context) (uint256.Int, error) {
	if s.nonce != nil {
		return func(context.Context) (uint256.Int, error) { return *s.nonce, nil }
	}
	return func(ctx context.Context) (uint256.Int, error) { return c.Account(address).Nonce(ctx, s.lane) }
}

// useSession makes the draft one that session leaves sign. What can be judged here is judged now;
// what has to be read is read in the draft's first step.
func (c *Client) useSession(draft *userop.Draft, calls []Call, leaves []session.LeafRef, asBatch bool, s *settings) error {
	signer, err := c.sessionSigner(leaves, asBatch)
	if err != nil {
		return err
	}
	sess := signer.Sessions()
	if ref := sess.Ref(); ref.Account != draft.Sender || ref.ChainID != c.chainID {
		return fmt.Errorf("%w: a session of %s cannot act for account %s on chain %d", ErrConfig, ref, draft.Sender, c.chainID)
	}
	draft.Signer = signer
	if s.unchecked {
		draft.Signer = signer.Force()
		return nil
	}
	draft.Checks = append(draft.Checks,
		func(ctx context.Context) error {
			module, name := signer.Module()
			return c.requireModule(ctx, draft.Sender, module, name)
		},
		func(ctx context.Context) error { return c.checkSession(ctx, signer) })
	// A call the policy forbids needs no round trip to be refused.
	return signer.CheckCalls(draft.CallData, calls)
}

// checkSession compares the sessions with the store and the chain as they are now.
func (c *Client) checkSession(ctx context.Context, signer *session.Signer) error {
	sess := signer.Sessions()
	if err := sess.Refresh(ctx); err != nil {
		return fmt.Errorf("read session store again: %w", err)
	}
	err := sess.Confirm(ctx, c, c.freshness)
	if err == nil {
		return signer.Check()
	}
	// An account without code has no root either; its absence is the better reason.
	account := c.Account(sess.Ref().Account)
	if deployed, unknown := account.Deployed(ctx); unknown == nil && !deployed {
		return account.notDeployed()
	}
	return err
}

func (c *Client) sessionSigner(leaves []session.LeafRef, asBatch bool) (*session.Signer, error) {
	if asBatch {
		return session.NewBatchSigner(c.contracts.Session, leaves...)
	}
	return session.NewSigner(c.contracts.Session, leaves[0])
}

// requireDeployed is the init code of an account known by its address: none, or an error.
func (a *Account) requireDeployed(ctx context.Context) ([]byte, error) {
	deployed, err := a.Deployed(ctx)
	if err == nil && !deployed {
		err = a.notDeployed()
	}
	return nil, err
}

func (a *Account) notDeployed() error {
	return fmt.Errorf("%w: %s on chain %d; its owner deploys it with a first operation, a session cannot", ErrNotDeployed, a.address, a.client.chainID)
}
