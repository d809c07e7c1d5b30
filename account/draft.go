package account

import (
	"context"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/observe"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// newDraft is the draft of an operation that makes the calls, as the options have it.
func (a *Account) newDraft(ctx context.Context, calls []Call, opts []Option) (*userop.Draft, error) {
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	return a.draft(ctx, calls, s)
}

// draft is [Account.newDraft] with the options put together. Where a leaf is to be found, the store is read
// again before if it changed; nothing else is read here.
func (a *Account) draft(ctx context.Context, calls []Call, s *settings) (*userop.Draft, error) {
	if !s.namesSigner() {
		return nil, fmt.Errorf("%w for account %s, which is known by address only: choose a leaf with WithSession, or have it chosen with WithLeafOf", ErrNoSigner, a.address)
	}
	if s.leafOf != nil {
		within, loading := a.client.observer.Begin(ctx, observe.Load, observe.About{Account: a.address})
		defer loading.Left(within)
		err := s.leafOf.Refresh(within)
		if loading.End(within, observe.Result{Err: err}); err != nil {
			return nil, fmt.Errorf("read session store again: %w", err)
		}
	}
	draft, err := a.client.draft(a.address, calls, s)
	if err != nil {
		return nil, err
	}
	draft.InitCode = a.requireDeployed
	if signer, ok := ability.Find[*session.Signer](draft.Signer); ok {
		draft.InitCode = func(ctx context.Context) ([]byte, error) {
			code, err := a.requireDeployed(ctx)
			return code, a.client.orTakenBack(ctx, signer.Sessions(), err)
		}
	}
	return draft, nil
}

// draft puts together what an operation of any account needs.
func (c *Client) draft(address common.Address, calls []Call, s *settings) (*userop.Draft, error) {
	if len(calls) == 0 {
		return nil, fmt.Errorf("%w: no call to make for account %s", ErrConfig, address)
	}
	for n := range calls {
		if calls[n].To == (common.Address{}) {
			return nil, fmt.Errorf("%w: call %d of account %s is to the zero address, where nothing can be called; set its To", ErrConfig, n, address)
		}
	}
	if s.leaves != nil && len(s.leaves) != len(calls) {
		return nil, fmt.Errorf("%w: %d calls with %d session leaves; each call needs its leaf", ErrConfig, len(calls), len(s.leaves))
	}
	if err := s.checkContext(); err != nil {
		return nil, err
	}
	draft, err := c.draftWithApproval(address, s.approvalCalls, calls, s)
	if err == nil && !s.forQuote && (s.quote != nil || s.approval != nil) {
		err = c.payWithToken(draft, calls, s)
	}
	return draft, err
}

// draftWithApproval is the draft of the calls after those of an approval, if there are any, whose leaf is the
// approval's own.
func (c *Client) draftWithApproval(address common.Address, approval, calls []Call, s *settings) (*userop.Draft, error) {
	if len(approval) == 0 {
		return c.draftCalls(address, calls, s)
	}
	both := *s
	if s.leaves != nil {
		leaf, err := s.approval.leafFor(approval[0].To, c.contracts.TokenPaymaster)
		if err != nil {
			return nil, err
		}
		both.leaves = slices.Concat(slices.Repeat([]session.LeafRef{leaf}, len(approval)), s.leaves)
	}
	draft, err := c.draftCalls(address, slices.Concat(approval, calls), &both)
	if err != nil {
		return nil, fmt.Errorf("with the approval of the fee put before the calls, as call 0: %w", err)
	}
	return draft, nil
}

// draftCalls is the draft of an operation that makes the calls.
func (c *Client) draftCalls(address common.Address, calls []Call, s *settings) (*userop.Draft, error) {
	leaves, err := s.findLeaves(c.contracts.Session, calls)
	if err != nil {
		return nil, err
	}
	asBatch := s.batch || len(calls) > 1
	draft := c.baseDraft(address, encodeCalls(calls, asBatch), s)
	if leaves != nil {
		return draft, c.signWithSession(draft, calls, leaves, asBatch, s)
	}
	return draft, nil
}

// baseDraft is the draft of an operation with that callData, as the options have it.
func (c *Client) baseDraft(address common.Address, callData []byte, s *settings) *userop.Draft {
	draft := &userop.Draft{
		Sender:           address,
		CallData:         callData,
		Signer:           c.underSwitch(s.signer, address, s.always),
		Sponsored:        s.sponsored || s.orSelf,
		OrSelf:           s.orSelf,
		PaymasterContext: s.payContext,
		Fees:             s.fees,
		Gas:              s.gas,
		Margins:          s.margins,
		Caps:             c.capsFor(s),
		Overrides:        s.overrides,
		Accept:           c.checkSponsor,
		BeforeSend:       s.beforeSend,
	}
	if !c.chainIDChecked.Load() {
		draft.Identify = c.identify
	}
	switch {
	case s.lanes != nil:
		draft.Reserve = s.lanes.reserver(c, address, s.taken)
	case s.nonce != nil:
		draft.Reserve = c.nonceGiven(address, s.nonce)
	default:
		draft.Reserve = c.reservesNonce(readNonce{
			account: address, lane: s.lane, taken: s.taken, remembers: s.remembers,
			read: func(ctx context.Context) (uint256.Int, error) { return c.Account(address).nonce(ctx, s.lane) },
		})
	}
	if !s.sponsored && s.quote == nil && !s.forQuote {
		c.boundSelfPaid(draft, s)
	}
	c.rereadRefused(draft, s)
	if signer, ok := ability.Find[*session.Signer](s.signer); ok {
		draft.Guard = signer.CheckSigned
	}
	return draft
}

// capsFor are the client's caps, tightened by those of the options.
func (c *Client) capsFor(s *settings) userop.Caps {
	if s.caps == nil {
		return c.caps
	}
	return c.caps.TightenedBy(*s.caps)
}

// checkSponsor refuses to be sponsored by the token paymaster: it would take tokens, by an allowance that the
// account gave it for another operation. [PayWith] is how to pay it. Where the client names the paymasters
// that it trusts, it refuses all others.
func (c *Client) checkSponsor(op *userop.Operation) error {
	if len(op.PaymasterAndData) < common.AddressLength {
		return nil // the account pays
	}
	switch paymaster := common.BytesToAddress(op.PaymasterAndData[:common.AddressLength]); {
	case paymaster == c.contracts.TokenPaymaster:
		return fmt.Errorf("%w: the service answered for token paymaster %s, which takes tokens; PayWith pays it", userop.ErrNotSponsored, paymaster)
	case len(c.paymasters) > 0 && !slices.Contains(c.paymasters, paymaster):
		return fmt.Errorf("%w: the service answered for paymaster %s, which is none of Config.Paymasters; name it there if it is to be trusted", userop.ErrNotSponsored, paymaster)
	}
	return nil
}

// encodeCalls is the callData with which the EntryPoint has the account make the calls.
func encodeCalls(calls []Call, asBatch bool) []byte {
	if asBatch {
		return contracts.ExecuteBatch(calls)
	}
	return contracts.Execute(calls[0].To, calls[0].Value, calls[0].Data)
}

// signWithSession makes the draft one that session leaves sign. What can be judged here is judged now; what
// has to be read is read in the draft's first step.
func (c *Client) signWithSession(draft *userop.Draft, calls []Call, leaves []session.LeafRef, asBatch bool, s *settings) error {
	signer, err := c.sessionSigner(leaves, asBatch)
	if err != nil {
		return err
	}
	sess := signer.Sessions()
	if ref := sess.Ref(); ref.Account != draft.Sender || ref.ChainID != c.chainID {
		return fmt.Errorf("%w: a session of %s cannot act for account %s on chain %d", ErrConfig, ref, draft.Sender, c.chainID)
	}
	draft.Signer, draft.Guard = signer, signer.CheckSigned
	if s.unchecked {
		draft.Signer = signer.Force()
		return nil
	}
	draft.Renew = c.renewal(signer)
	draft.Checks = append(draft.Checks,
		func(ctx context.Context) error { return c.requireModules(ctx, draft.Sender, signer) },
		c.sessionCheck(signer))
	// A call the policy forbids needs no round trip to be refused.
	return signer.CheckCalls(draft.CallData, calls)
}

// sessionSigner signs with the leaves, through the batched session router for a batch.
func (c *Client) sessionSigner(leaves []session.LeafRef, asBatch bool) (*session.Signer, error) {
	if asBatch {
		return session.NewBatchSigner(c.contracts.Session, leaves...)
	}
	return session.NewSigner(c.contracts.Session, leaves[0])
}
