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
	key := account // which is no session key: whoever signs, the stop of one is not about it
	if owner, ok := ability.Find[ownerSigner](signer); ok && (*owner.owner).Address() != (common.Address{}) {
		key = (*owner.owner).Address()
	} else if elsewhere, ok := ability.Find[fixedSignature](signer); ok {
		key = elsewhere.owner
	}
	return &switched{signer, stops, session.Ref{ChainID: c.chainID, Account: account}, key}
}

// Unwrap returns the signer within.
func (s *switched) Unwrap() userop.Signer { return s.Signer }

// Sign implements [userop.Signer].
func (s *switched) Sign(ctx context.Context, op *userop.Operation, hash common.Hash) ([]byte, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	signature, err := s.Signer.Sign(ctx, op, hash)
	if err == nil {
		err = s.check(ctx)
	}
	if err != nil {
		return nil, err
	}
	return signature, nil
}

func (s *switched) check(ctx context.Context) error {
	return s.stops.HoldKey(ctx, s.ref, s.key, func(uint64) error { return nil })
}
