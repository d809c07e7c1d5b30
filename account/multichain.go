package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// jointSend takes operations through their pipelines in step: all are complete before one signature is made
// for them, and all are noted down before the first is sent.
type jointSend struct {
	legs []legDraft
	// What each leg brings to be signed, and its signature.
	ops        []*userop.Operation
	hashes     []common.Hash
	signatures [][]byte
	// The two places where the legs wait for each other.
	signed, begun *barrier
	// abort ends the legs that wait, when one failed.
	abort context.CancelCauseFunc
}

// errOtherLeg ends the legs that nothing is wrong with when another one failed.
var errOtherLeg = errors.New("another leg failed")

// sendTogether sends the legs; the result is nil if none was sent.
func sendTogether(ctx context.Context, legs []legDraft) ([]*userop.Pending, error) {
	if err := checkLegs(legs); err != nil {
		return nil, err
	}
	for i := range legs {
		if err := legs[i].account.client.unwritten("several chains take no operations together", "send to each alone, or prepare them and use Submit"); err != nil {
			return nil, err
		}
	}
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	j := &jointSend{
		abort:  abort,
		legs:   legs,
		ops:    make([]*userop.Operation, len(legs)),
		hashes: make([]common.Hash, len(legs)),
		begun:  newBarrier(len(legs), func() error { return nil }),
	}
	j.signed = newBarrier(len(legs), func() error { return j.sign(ctx) })
	sent := make([]*userop.Pending, len(legs))
	err := eachLeg(legs, func(i int, leg *legDraft) (err error) {
		sent[i], err = j.send(ctx, i)
		return err
	})
	switch {
	case j.signed.err != nil:
		return nil, j.signed.err
	case !j.begun.isOpen():
		return nil, err
	}
	return sent, err
}

// send takes one leg through its pipeline.
func (j *jointSend) send(ctx context.Context, i int) (*userop.Pending, error) {
	leg := &j.legs[i]
	draft := *leg.draft
	draft.Forget = nil // the owner signs all of them at once
	draft.Signer = legSigner{multichainDummy{leg.account.active.Address, len(j.legs)}, j, i}
	draft.InitCode = leg.initCode
	draft.BeforeSend = func(ctx context.Context, op *userop.Operation, hash common.Hash) error {
		if leg.draft.BeforeSend != nil {
			if err := leg.draft.BeforeSend(ctx, op, hash); err != nil {
				return err
			}
		}
		return j.begun.wait(ctx)
	}
	tx, err := leg.account.client.sender.Send(ctx, draft)
	if err == nil || userop.MayBeAccepted(err) {
		return tx, err
	}
	err = j.abortOthers(ctx, err)
	if leg.undo != nil {
		err = errors.Join(err, leg.undo(ctx))
	}
	return nil, err
}

// abortOthers ends the other legs if one failed while they can still wait for it. It returns nil for the
// error of a leg that was ended by this.
func (j *jointSend) abortOthers(ctx context.Context, err error) error {
	if j.begun.isOpen() {
		return err
	}
	if context.Cause(ctx) == errOtherLeg && (errors.Is(err, errOtherLeg) || errors.Is(err, context.Canceled)) {
		return nil
	}
	j.abort(errOtherLeg)
	return err
}

// legSigner hands one leg's operation to the joint send, waits for the others', and returns its signature.
type legSigner struct {
	multichainDummy
	joint *jointSend
	leg   int
}

// Sign implements [userop.Signer].
func (s legSigner) Sign(ctx context.Context, op *userop.Operation, hash common.Hash) ([]byte, error) {
	s.joint.ops[s.leg], s.joint.hashes[s.leg] = op, hash
	if err := s.joint.signed.wait(ctx); err != nil {
		return nil, err
	}
	return s.joint.signatures[s.leg], nil
}

// sign signs all operations at once.
func (j *jointSend) sign(ctx context.Context) (err error) {
	if err := j.checkNonces(); err != nil {
		return err
	}
	ops := make([]multichainOperation, len(j.legs))
	for i := range j.legs {
		leg := &j.legs[i]
		ops[i] = multichainOperation{Module: leg.account.active.Address, Hash: j.hashes[i], ValidUntil: leg.until, ValidAfter: leg.after}
	}
	if err := j.checkStops(ctx); err != nil {
		return err
	}
	if j.signatures, err = signMultichain(ctx, j.legs[0].account.owner, ops...); err != nil {
		return fmt.Errorf("sign %d operations: %w", len(ops), err)
	}
	return j.checkStops(ctx) // one that came meanwhile
}

// checkStops looks at the kill switch of each account.
func (j *jointSend) checkStops(ctx context.Context) error {
	for i := range j.legs {
		a := j.legs[i].account
		if s, ok := a.client.underSwitch(a.Signer(), a.address, false).(*switched); ok {
			if err := s.check(ctx, s.key); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkNonces returns an error if two legs have the same nonce.
func (j *jointSend) checkNonces() error {
	type slot struct {
		chain  uint64
		sender common.Address
		nonce  uint256.Int
	}
	taken := make(map[slot]int, len(j.legs))
	for i, op := range j.ops {
		key := slot{j.legs[i].account.client.chainID, op.Sender, op.Nonce}
		if other, twice := taken[key]; twice {
			return legError(len(j.legs), i, fmt.Errorf("%w: account %s has nonce %s on chain %d in leg %d too; put the calls into one leg, or give each a lane", ErrConfig, key.sender, key.nonce.Hex(), key.chain, other))
		}
		taken[key] = i
	}
	return nil
}

// barrier is where several wait until all are there.
type barrier struct {
	// last is done by whoever comes last; its error is everyone's.
	last    func() error
	open    chan struct{}
	err     error // set before open is closed
	mu      sync.Mutex
	missing int
}

func newBarrier(n int, last func() error) *barrier {
	return &barrier{last: last, open: make(chan struct{}), missing: n}
}

// wait waits until all are there, and returns the error of what the last one did.
func (b *barrier) wait(ctx context.Context) error {
	b.mu.Lock()
	b.missing--
	last := b.missing == 0
	b.mu.Unlock()
	if last {
		b.err = b.last()
		close(b.open)
	}
	select {
	case <-b.open:
		return b.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (b *barrier) isOpen() bool {
	select {
	case <-b.open:
		return true
	default:
		return false
	}
}

// multichainOperation is one of the operations that a multichain signature is for.
type multichainOperation struct {
	// Module is the multichain ownership module on the operation's chain.
	Module common.Address
	// Hash is the userOpHash, which the operation's chain and EntryPoint are part of.
	Hash common.Hash
	// ValidUntil and ValidAfter are when the operation may be included, in unix seconds and inclusive; a
	// ValidUntil of 0 is for ever.
	ValidUntil, ValidAfter uint64
}

// signMultichain returns the signature of each operation, in their order and ready for userOp.signature, for
// one signature that the owner makes: of the EIP-191 message of the root of a Merkle tree over all.
func signMultichain(ctx context.Context, owner Owner, ops ...multichainOperation) ([][]byte, error) {
	if len(ops) == 0 {
		return nil, fmt.Errorf("%w: a multichain signature for no operation", policy.ErrInvalid)
	}
	leaves := make([]common.Hash, len(ops))
	for i := range ops {
		if ops[i].ValidUntil > policy.MaxTime || ops[i].ValidAfter > policy.MaxTime {
			return nil, fmt.Errorf("%w: the window of operation %d does not fit into 48 bits", policy.ErrInvalid, i)
		}
		leaves[i] = contracts.MultichainLeaf(ops[i].ValidUntil, ops[i].ValidAfter, ops[i].Hash)
	}
	tree := merkle.New(leaves)
	root := tree.Root()
	sig, err := ownerSignature(ctx, owner, root[:])
	if err != nil {
		return nil, err
	}
	signatures := make([][]byte, len(ops))
	for i := range ops {
		proof, err := tree.Proof(i)
		if err != nil {
			return nil, err
		}
		signature := contracts.MultichainSignature(ops[i].ValidUntil, ops[i].ValidAfter, root, proof, sig)
		signatures[i] = contracts.WrapSignature(signature, ops[i].Module)
	}
	return signatures, nil
}

// maxLegs is how many operations a [multichainDummy] can stand for.
const maxLegs = 32

// multichainDummy stands for the signature of one operation of several while gas is estimated. The module
// reverts for a proof that does not fit, and so for any dummy proof: the dummy is that of a single operation,
// followed by as many bytes, which nothing reads, as the real signature is longer. Validating it takes more
// gas than the real one, since the module tries a wrong signature in two ways, for a proof of up to five
// hashes.
type multichainDummy struct {
	module common.Address
	legs   int
}

// DummySignature is that of a [userop.Signer].
func (d multichainDummy) DummySignature(*userop.Operation) ([]byte, error) {
	proof := make([]common.Hash, bits.Len(uint(d.legs-1)))
	size := len(contracts.WrapSignature(contracts.MultichainSignature(0, 0, common.Hash{}, proof, dummyOwnerSignature), d.module))
	dummy := contracts.WrapSignature(dummyOwnerSignature, d.module)
	// As calldata a byte that is not zero costs most: those of the hashes, the two times, the offsets.
	filled := common.HashLength*(1+len(proof)) + 20
	dummy = append(dummy, bytes.Repeat([]byte{0xff}, filled)...)
	return append(dummy, make([]byte, size-len(dummy))...), nil
}
