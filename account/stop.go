package account

import (
	"context"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/signature"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// switched is a signer that is no session's, which the kill switch of the client's store stops as it stops
// those. It may take its time, as with a wallet or a KMS, and holds nothing meanwhile: what it signed is
// thrown away where it was stopped by then.
type switched struct {
	userop.Signer
	client *Client
	ref    session.Ref
	key    common.Address
}

// underSwitch is the signer of an operation under the kill switch of the client's store, if there is one.
// Sessions look at that of their own store, while they hold it.
func (c *Client) underSwitch(signer userop.Signer, account common.Address, always bool) userop.Signer {
	if _, bySession := ability.Find[*session.Signer](signer); signer == nil || c.writes.store == nil || bySession || always {
		return signer
	}
	return &switched{signer, c, session.Ref{ChainID: c.chainID, Account: account}, keyOf(signer, account)}
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

// unstopped is asked before an operation that no session signed is handed out, also again: the kill switch of
// that store may be about its account, or who signed it. It is nil where there is no store.
func (c *Client) unstopped(store session.Store, account common.Address) userop.Guard {
	if store == nil {
		return nil
	}
	ref := session.Ref{ChainID: c.chainID, Account: account}
	return func(ctx context.Context, op *userop.Operation) error {
		if err := c.contracts.mayResend(op); err != nil {
			return err
		}
		for _, key := range c.signersOf(op) {
			if err := askSwitch(ctx, store, ref, key); err != nil {
				return err
			}
		}
		return nil
	}
}

// signersOf are the keys that a stop may name of who signed an operation. The ownership modules take the
// signature of a message, and of its bytes as they are: which of both it was, the signature does not tell.
func (c *Client) signersOf(op *userop.Operation) []common.Address {
	message, sig, ok := contracts.OwnerSigned(op.Signature, c.hash(op), c.contracts.ECDSA, c.contracts.Multichain)
	keys := []common.Address{op.Sender} // see keyOf
	if sig, err := signature.Form(sig); ok && err == nil {
		for _, digest := range []common.Hash{messageHash(message[:]), message} {
			if key, err := recoverSigner(sig, digest); err == nil {
				keys = append(keys, key)
			}
		}
	}
	return keys[min(1, len(keys)-1):]
}

// each is the guard that asks several, of which some may be nil.
func each(guards ...userop.Guard) userop.Guard {
	guards = slices.DeleteFunc(guards, func(g userop.Guard) bool { return g == nil })
	if len(guards) == 0 {
		return nil
	}
	return func(ctx context.Context, op *userop.Operation) error {
		for _, guard := range guards {
			if err := guard(ctx, op); err != nil {
				return err
			}
		}
		return nil
	}
}

// takesAway reports whether a change of the session root only takes rights away, which nothing stops.
func takesAway(change *session.PendingRoot) bool {
	return len(change.Add) == 0 && (len(change.Remove) > 0 || change.Root == common.Hash{})
}

// Unwrap returns the signer within.
func (s *switched) Unwrap() userop.Signer { return s.Signer }

// Sign implements [userop.Signer].
func (s *switched) Sign(ctx context.Context, op *userop.Operation, hash common.Hash) ([]byte, error) {
	return s.guard(ctx, s.keyFor(op), func() ([]byte, error) { return s.Signer.Sign(ctx, op, hash) })
}

// keyFor is the key of who signs an operation; zero where a wrapper hides which session key does, so that the
// stop of any is about it.
func (s *switched) keyFor(op *userop.Operation) common.Address {
	if s.client.contracts.bySession(op) {
		return common.Address{}
	}
	if either, ok := ability.Find[*handoverSigner](s.Signer); ok {
		return keyOf(either.signer(op), s.ref.Account)
	}
	return s.key
}

// mayHandOut is asked before what it signed is handed out, also again.
func (s *switched) mayHandOut(ctx context.Context, op *userop.Operation) error {
	return s.check(ctx, s.keyFor(op))
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
	return askSwitch(ctx, s.client.writes.store, s.ref, key)
}

// askSwitch returns an error where a stop is about the key. A store that wraps another may hide its switch,
// which the Hold of that looks at all the same, as for a key that is not known.
func askSwitch(ctx context.Context, store session.Store, ref session.Ref, key common.Address) error {
	runs := func(uint64) error { return nil }
	if stops, ok := store.(session.Switch); ok {
		return stops.HoldKey(ctx, ref, key, runs)
	}
	return store.Hold(ctx, ref, runs)
}
