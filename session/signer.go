package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/signature"
	"github.com/go-sesame/sesame/session/internal/line"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// Signer signs operations with a session key, for the session key manager or, with a leaf for each call, for
// the batched session router. It implements [userop.Signer] and is safe for concurrent use.
type Signer struct {
	modules policy.Modules
	leaves  []LeafRef
	batch   bool
	force   bool
}

// NewSigner returns the signer for an operation of one call, judged by one leaf.
func NewSigner(m policy.Modules, leaf LeafRef) (*Signer, error) {
	s := &Signer{modules: m.WithDefaults(), leaves: []LeafRef{leaf}}
	_, err := s.Key()
	return s, err
}

// NewBatchSigner returns the signer for an operation of several calls through the batched session router,
// with the leaf for each call in the calls' order. All leaves belong to one key and come from one Sessions.
func NewBatchSigner(m policy.Modules, leaves ...LeafRef) (*Signer, error) {
	if len(leaves) == 0 {
		return nil, fmt.Errorf("%w: a batch needs a leaf for each call", ErrNoLeaf)
	}
	s := &Signer{modules: m.WithDefaults(), leaves: leaves, batch: true}
	_, err := s.Key()
	return s, err
}

// Force returns a signer that leaves the judgement of validity windows, and of leaves the chain was not asked
// about, to the chain. A revoked leaf does not sign all the same.
func (s *Signer) Force() *Signer {
	forced := *s
	forced.force = true
	return &forced
}

// Modules returns the validation modules that the account has to listen to: the session key manager and, for
// a batch, the batched session router, which judges the signature and asks whether the manager is enabled.
func (s *Signer) Modules() []common.Address {
	modules := []common.Address{s.modules.Manager}
	if s.batch {
		modules = append(modules, s.modules.Router)
	}
	return modules
}

// Sessions returns the sessions whose leaves sign.
func (s *Signer) Sessions() *Sessions { return s.leaves[0].sessions }

// Key returns the address of the session key, or an error if the leaves are of several keys.
func (s *Signer) Key() (common.Address, error) {
	var key common.Address
	for n, ref := range s.leaves {
		v, i, err := ref.resolve()
		if err != nil {
			return common.Address{}, err
		}
		leaf := v.leaves.at(i)
		switch {
		case n == 0:
			key = leaf.Key
		case ref.sessions != s.leaves[0].sessions:
			return common.Address{}, fmt.Errorf("%w: the leaves of a batch come from different Sessions; open the account's once and choose all leaves from them", policy.ErrInvalid)
		case leaf.Key != key:
			return common.Address{}, fmt.Errorf("%w: leaf %d of the batch belongs to key %s, the first one to %s; one key signs a batch", ErrWrongKey, n, leaf.Key, key)
		}
	}
	return key, nil
}

// Check returns an error if one of the leaves may not sign now: revoked, out of its window, pending, or not
// in the account's tree.
func (s *Signer) Check() error {
	_, err := s.grants()
	return err
}

// CheckCalls judges the operation by what is known without the chain: leaves that are revoked or out of their
// window, and calls that a leaf's validation module would refuse. callData is the operation's, calls are the
// calls in it. A call against a policy is a [*policy.Violation].
func (s *Signer) CheckCalls(callData []byte, calls []abi.Call) error {
	if len(calls) != len(s.leaves) {
		return fmt.Errorf("%w: %d calls with %d leaves; a batch needs one leaf for each call (the contract would say: Lengths mismatch)", policy.ErrInvalid, len(calls), len(s.leaves))
	}
	for n, ref := range s.leaves {
		v, i, err := ref.resolve()
		if err != nil {
			return err
		}
		leaf := v.leaves.at(i)
		if err := errors.Join(s.checkLeaf(leaf), leaf.checkKey(s.modules)); err != nil {
			return err
		}
		if !s.batch {
			return leaf.violation(policy.CheckOperation(s.modules, &leaf.Compiled, callData))
		}
		if err := policy.CheckCall(s.modules, &leaf.Compiled, calls[n]); err != nil {
			return fmt.Errorf("call %d: %w", n, leaf.violation(err))
		}
	}
	return nil
}

// checkKey returns an error matching [ErrWrongKey] if the leaf's data names another key than the leaf. Data
// of another module names none that is known, and of data too short the policy check says it.
func (l *Leaf) checkKey(m policy.Modules) error {
	named, ok := l.SessionKey(m)
	if !ok || named == l.Key {
		return nil
	}
	return fmt.Errorf("%w: %s belongs to key %s, but what was granted names key %s", ErrWrongKey, l.name(), l.Key, named)
}

// violation says in a [*policy.Violation] whose policy it is.
func (l *Leaf) violation(err error) error {
	if v, ok := errors.AsType[*policy.Violation](err); ok {
		v.Session = line.Text(l.ID)
	}
	return err
}

// checkLeaf judges what a leaf says of itself; a forced signer leaves its window to the chain.
func (s *Signer) checkLeaf(leaf *Leaf) error {
	sess := s.Sessions()
	if err := leaf.checkRevoked(sess.ref); err != nil || s.force {
		return err
	}
	return leaf.checkTime(sess.ref, sess.now())
}

// DummySignature implements [userop.Signer]: the leaf and proof of the real signature with a key signature
// that never validates.
func (s *Signer) DummySignature(*userop.Operation) ([]byte, error) {
	grants, err := s.grants()
	if err != nil {
		return nil, err
	}
	return s.encode(grants, signature.Dummy())
}

// maxRetries bounds how often signing, comparing and settling start anew because the store changed under
// them.
const maxRetries = 16

// Sign implements [userop.Signer]. The leaves are judged on the store's newest version, which is held while
// the keyring signs; the signature is checked against the session key before it is used.
func (s *Signer) Sign(ctx context.Context, op *userop.Operation, hash common.Hash) ([]byte, error) {
	sess := s.Sessions()
	if sess.keys == nil {
		return nil, fmt.Errorf("%w: the store of %s keeps no keys; open the sessions with WithKeyring", ErrNoKey, sess.ref)
	}
	if op.Sender != sess.ref.Account {
		return nil, fmt.Errorf("%w: operation of %s with a session of %s", policy.ErrInvalid, op.Sender, sess.ref)
	}
	for range maxRetries {
		signature, err := s.signHeld(ctx, sess, op, hash)
		if !errors.Is(err, errStale) {
			return signature, err
		}
		if err := sess.Refresh(ctx); err != nil {
			return nil, fmt.Errorf("read session store again: %w", err)
		}
	}
	return nil, fmt.Errorf("%w: it changed %d times while signing for %s", ErrConflict, maxRetries, sess.ref)
}

var errStale = errors.New("view of the sessions is stale")

func (s *Signer) signHeld(ctx context.Context, sess *Sessions, op *userop.Operation, hash common.Hash) ([]byte, error) {
	key, err := s.Key()
	if err != nil {
		return nil, err
	}
	held := new(struct { // in one allocation
		ctx       heldContext
		signature []byte
	})
	err = hold(ctx, sess.store, sess.ref, key, func(version uint64) error {
		v := sess.view.Load()
		if v.version != version {
			return errStale
		}
		var room [1]grant
		grants, err := s.grantsIn(v, room[:0])
		if err != nil {
			return err
		}
		held.ctx.hold(ctx, MaxHold)
		defer held.ctx.end()
		var keyRoom [crypto.SignatureLength]byte
		keySignature, err := sess.signMessage(&held.ctx, keyRoom[:0], grants[0].leaf.Key, op, hash)
		if err == nil {
			held.signature, err = s.encode(grants, keySignature)
		}
		return err
	})
	if err != nil {
		return nil, err // also of a signature that came too late
	}
	return held.signature, nil
}

// signMessage asks the keyring for the key's EIP-191 signature of hash, and checks it unless the key is in
// this process. It comes in room, or in memory of its own.
func (s *Sessions) signMessage(ctx context.Context, room []byte, key common.Address, op *userop.Operation, hash common.Hash) ([]byte, error) {
	digest := MessageDigest(hash)
	given, err := s.keys.SignDigest(ctx, SignRequest{Ref: s.ref, Key: key, Digest: digest, UserOpHash: hash, Operation: op})
	if err != nil {
		return nil, fmt.Errorf("sign with session key %s: %w", key, err)
	}
	var sig []byte // apart from what was given, so that room can be on the caller's stack
	if _, local := s.keys.(LocalKeyring); local {
		sig, err = signature.AppendForm(room, given)
	} else {
		sig, err = signature.Normalize(given, digest, key)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: signature of the keyring: %w", ErrWrongKey, err)
	}
	return sig, nil
}

// grant is a leaf that may sign, with its position in the store and the tree it is proven in.
type grant struct {
	leaf *Leaf
	at   int
	tree *leafTree
	data []byte
}

func (s *Signer) grants() ([]grant, error) { return s.grantsIn(s.Sessions().view.Load(), nil) }

// grantsIn resolves the leaves in one view and judges whether they may sign. What it returns may be in room.
func (s *Signer) grantsIn(v *view, room []grant) ([]grant, error) {
	grants := room[:0]
	for _, ref := range s.leaves {
		i, err := ref.in(v)
		if err != nil {
			return nil, err
		}
		leaf := v.leaves.at(i)
		tree, err := s.treeFor(v, i, leaf)
		if err != nil {
			return nil, err
		}
		grants = append(grants, grant{leaf: leaf, at: i, tree: tree, data: ref.data})
	}
	return grants, nil
}

// treeFor returns the tree to prove leaf i under, or why it may not sign.
func (s *Signer) treeFor(v *view, i int, leaf *Leaf) (*leafTree, error) {
	if err := s.checkLeaf(leaf); err != nil {
		return nil, err
	}
	tree := v.current()
	switch {
	case tree.has(i) && (leaf.Status == StatusActive || s.force || v.confirmed(tree)):
		return tree, nil
	case s.force && v.pending != nil && v.pending.has(i):
		return v.pending, nil
	case tree.has(i) || leaf.Status == StatusPending:
		return nil, fmt.Errorf("%w: %s was not seen in the account's root on chain yet; wait for its operation and call Activate, or Reconcile after a crash", ErrPending, leaf.name())
	}
	return nil, fmt.Errorf("%w: %s is not in the account's tree of root %s", ErrNoLeaf, leaf.name(), tree.Root())
}

// usualDepth is the length of a proof in a tree of 2^24 leaves; longer ones are possible.
const usualDepth = 24

// encode returns userOp.signature for the grants and the key's signature.
func (s *Signer) encode(grants []grant, keySignature []byte) ([]byte, error) {
	if !s.batch {
		var room [usualDepth]common.Hash
		a, err := grants[0].authorization(room[:0])
		if err != nil {
			return nil, err
		}
		return contracts.WrappedSessionSignature(s.modules.Manager, &a, keySignature), nil
	}
	calls := make([]contracts.CallAuthorization, len(grants))
	for i := range grants {
		a, err := grants[i].authorization(make([]common.Hash, 0, usualDepth))
		if err != nil {
			return nil, err
		}
		calls[i] = contracts.CallAuthorization{Authorization: a, CallData: grants[i].data}
	}
	return contracts.WrapSignature(contracts.BatchSignature(s.modules.Manager, calls, keySignature), s.modules.Router), nil
}

// authorization is the grant as the contracts take it. Its proof may be in room.
func (g *grant) authorization(room []common.Hash) (contracts.Authorization, error) {
	proof, err := g.tree.appendProof(room, g.at, g.leaf)
	return contracts.Authorization{
		ValidUntil: g.leaf.ValidUntil,
		ValidAfter: g.leaf.ValidAfter,
		Module:     g.leaf.Module,
		Data:       g.leaf.Data,
		Proof:      proof,
	}, err
}
