package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// CheckSigned returns an error unless the leaves that signed the operation may still be heard, by the store
// as it is now: one that was revoked is an error matching [ErrRevoked], one that the store does not know is
// one matching [ErrNoLeaf], and a kill switch that was thrown for its key one matching [ErrStopped]. Windows,
// the call and the root are for the chain to judge. It is asked before a signed operation is sent, and sent
// again.
func (s *Sessions) CheckSigned(ctx context.Context, m policy.Modules, op *userop.Operation) error {
	return s.checkSigned(ctx, m, op, nil)
}

// checkSigned is CheckSigned, which looks at those leaves first: an account may have many.
func (s *Sessions) checkSigned(ctx context.Context, m policy.Modules, op *userop.Operation, likely []LeafRef) error {
	if op.Sender != s.ref.Account {
		return fmt.Errorf("%w: operation of %s with the sessions of %s", policy.ErrInvalid, op.Sender, s.ref)
	}
	m = m.WithDefaults()
	signed, err := contracts.DecodeSessionSignatures(op.Signature, m.Manager, m.Router)
	if err != nil {
		return fmt.Errorf("%w: operation of %s: %w", policy.ErrInvalid, op.Sender, err)
	}
	for range maxRetries {
		v := s.view.Load()
		key, err := v.signedBy(s.ref, signed, likely)
		if err == nil {
			err = s.checkAt(ctx, v.version, key)
			if !errors.Is(err, errStale) {
				return err
			}
		}
		if err := s.Refresh(ctx); err != nil {
			return fmt.Errorf("read session store again: %w", err)
		}
		if s.view.Load() == v && !errors.Is(err, errStale) { // it is as new as the store
			return err
		}
	}
	return fmt.Errorf("%w: it changed %d times while looking who signed for %s", ErrConflict, maxRetries, s.ref)
}

// checkAt returns errStale unless the store is at that version, and an error matching [ErrStopped] where its
// kill switch is about the key.
func (s *Sessions) checkAt(ctx context.Context, version uint64, key common.Address) error {
	check := func(is uint64) error {
		if is != version {
			return errStale
		}
		return nil
	}
	if stops, ok := s.store.(Switch); ok {
		return stops.HoldKey(ctx, s.ref, key, check)
	}
	is, err := s.store.Version(ctx, s.ref)
	if err != nil {
		return fmt.Errorf("read session store again: %w", err)
	}
	return check(is)
}

// CheckSigned is [Sessions.CheckSigned] for what the signer signed.
func (s *Signer) CheckSigned(ctx context.Context, op *userop.Operation) error {
	return s.Sessions().checkSigned(ctx, s.modules, op, s.leaves)
}

// Outdated reports whether the signer would now prove its leaves in another way than the operation's
// signature does, which may be the dummy one: the account's root is another one since.
func (s *Signer) Outdated(op *userop.Operation) (bool, error) {
	signed, err := contracts.DecodeSessionSignatures(op.Signature, s.modules.Manager, s.modules.Router)
	if err != nil {
		return false, fmt.Errorf("%w: operation of %s: %w", policy.ErrInvalid, op.Sender, err)
	}
	grants, err := s.grants()
	if err != nil {
		return false, err
	}
	return !slices.EqualFunc(signed, grants, func(was contracts.Authorization, g grant) bool {
		is, err := g.authorization(make([]common.Hash, 0, usualDepth))
		return err == nil && slices.Equal(was.Proof, is.Proof) // a leaf that may sign has a proof
	}), nil
}

// signedBy returns the key of the leaves that signed. The likely ones are in the order of those.
func (v *view) signedBy(ref Ref, signed []contracts.Authorization, likely []LeafRef) (key common.Address, err error) {
	for n := range signed {
		leaf := (*Leaf)(nil)
		if n < len(likely) {
			leaf = v.heard(likely[n], &signed[n])
		}
		if leaf == nil {
			if leaf, err = v.findSigned(ref, &signed[n]); err != nil {
				return common.Address{}, err
			}
		}
		key = leaf.Key // one signs a batch
	}
	return key, nil
}

// heard returns the leaf if it is the one that signed and was not revoked, nil otherwise.
func (v *view) heard(ref LeafRef, signed *contracts.Authorization) *Leaf {
	if ref.sessions == nil {
		return nil // it names none
	}
	i, err := ref.in(v)
	if err != nil {
		return nil
	}
	if leaf := v.leaves.at(i); leaf.Status != StatusRevoked && leaf.is(signed) {
		return leaf
	}
	return nil
}

// findSigned judges the leaves that are the one that signed: it is enough if one of them was not revoked.
func (v *view) findSigned(ref Ref, signed *contracts.Authorization) (*Leaf, error) {
	var revoked error
	for i := range v.leaves.n {
		leaf := v.leaves.at(i)
		if !leaf.is(signed) {
			continue
		}
		if revoked = leaf.checkRevoked(ref); revoked == nil {
			return leaf, nil
		}
	}
	if revoked != nil {
		return nil, revoked
	}
	return nil, fmt.Errorf("%w: %s has no leaf %s, which signed the operation", ErrNoLeaf, ref, signed.LeafHash())
}

// is reports whether the leaf is the one on chain that an authorization names.
func (l *Leaf) is(a *contracts.Authorization) bool {
	return l.ValidUntil == a.ValidUntil && l.ValidAfter == a.ValidAfter && l.Module == a.Module && bytes.Equal(l.Data, a.Data)
}
