package session

import (
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
	if op.Sender != s.ref.Account {
		return fmt.Errorf("%w: operation of %s with the sessions of %s", policy.ErrInvalid, op.Sender, s.ref)
	}
	hashes, err := signedLeaves(m.WithDefaults(), op)
	if err != nil {
		return err
	}
	for range maxRetries {
		v := s.view.Load()
		key, err := v.signedBy(s.ref, hashes)
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
	return s.Sessions().CheckSigned(ctx, s.modules, op)
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
	return !slices.EqualFunc(signed, grants, func(a contracts.Authorization, g grant) bool { return slices.Equal(a.Proof, g.proof) }), nil
}

// signedBy returns the key of the leaves of those hashes.
func (v *view) signedBy(ref Ref, hashes []common.Hash) (key common.Address, err error) {
	for _, hash := range hashes {
		leaf, err := v.checkSigned(ref, hash)
		if err != nil {
			return common.Address{}, err
		}
		key = leaf.Key // one signs a batch
	}
	return key, nil
}

// checkSigned judges the leaves of that hash: it is enough if one of them was not revoked.
func (v *view) checkSigned(ref Ref, hash common.Hash) (*Leaf, error) {
	err := fmt.Errorf("%w: %s has no leaf %s, which signed the operation", ErrNoLeaf, ref, hash)
	for i := range v.leaves.n {
		leaf := v.leaves.at(i)
		if leaf.Hash() != hash {
			continue
		}
		if err = leaf.checkRevoked(ref); err == nil {
			return leaf, nil
		}
	}
	return nil, err
}

// signedLeaves returns the hashes of the leaves that signed the operation.
func signedLeaves(m policy.Modules, op *userop.Operation) ([]common.Hash, error) {
	authorizations, err := contracts.DecodeSessionSignatures(op.Signature, m.Manager, m.Router)
	if err != nil {
		return nil, fmt.Errorf("%w: operation of %s: %w", policy.ErrInvalid, op.Sender, err)
	}
	hashes := make([]common.Hash, len(authorizations))
	for i := range authorizations {
		hashes[i] = authorizations[i].LeafHash()
	}
	return hashes, nil
}
