package account

import (
	"context"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// switched is a signer that is no session's, which the kill switch of the client's store stops as it stops
// those. It may take its time, as with a wallet or a KMS, and holds nothing meanwhile: what it signed is
// thrown away where it was stopped by then.
type switched struct {
	userop.Signer
	stops session.Switch
	ref   session.Ref
	key   common.Address
}

// underSwitch is the signer of an operation under the kill switch of the client's store, if that has one.
// Sessions look at that of their own store, while they hold it.
func (c *Client) underSwitch(signer userop.Signer, account common.Address, always bool) userop.Signer {
	stops, ok := session.Store(c.writes.store).(session.Switch)
	if _, bySession := ability.Find[*session.Signer](signer); signer == nil || !ok || bySession || always {
		return signer
	}
	return &switched{signer, stops, session.Ref{ChainID: c.chainID, Account: account}, keyOf(signer, account)}
}

// keyOf is the key that a stop names who signs by. The account's address stands for one that is not known: it
// is no session key, so that the stop of one is not about it.
func keyOf(signer userop.Signer, account common.Address) common.Address {
	if either, ok := ability.Find[*handoverSigner](signer); ok {
		signer = either.active
	}
	if owner, ok := ability.Find[ownerSigner](signer); ok && (*owner.owner).Address() != (common.Address{}) {
		return (*owner.owner).Address()
	}
	if elsewhere, ok := ability.Find[fixedSignature](signer); ok {
		return elsewhere.owner
	}
	return account
}

// Unwrap returns the signer within.
func (s *switched) Unwrap() userop.Signer { return s.Signer }

// Sign implements [userop.Signer].
func (s *switched) Sign(ctx context.Context, op *userop.Operation, hash common.Hash) ([]byte, error) {
	key := s.key
	if either, ok := ability.Find[*handoverSigner](s.Signer); ok {
		key = keyOf(either.signer(op), s.ref.Account)
	}
	return s.guard(ctx, key, func() ([]byte, error) { return s.Signer.Sign(ctx, op, hash) })
}

// guard looks at the switch before a signature by that key, and after it for a stop that came meanwhile.
func (s *switched) guard(ctx context.Context, key common.Address, sign func() ([]byte, error)) ([]byte, error) {
	if err := s.check(ctx, key); err != nil {
		return nil, err
	}
	signature, err := sign()
	if err == nil {
		err = s.check(ctx, key)
	}
	if err != nil {
		return nil, err
	}
	return signature, nil
}

func (s *switched) check(ctx context.Context, key common.Address) error {
	return s.stops.HoldKey(ctx, s.ref, key, func(uint64) error { return nil })
}
