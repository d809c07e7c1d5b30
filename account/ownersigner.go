package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/internal/signature"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// ownerSigner signs as the owner, for the ECDSA or the multichain ownership module. It is a [MessageSigner].
type ownerSigner struct {
	owner  Owner
	module common.Address
}

// dummyOwnerSignature stands for the owner's signature in estimations.
var dummyOwnerSignature = hexutil.MustDecode("0x81d4b4981670cb18f99f0b4a66446df1bf5b204d24cfcb659bf38ba27a4359b5711649ec2423c5e1247245eba2964679b6a1dbb85c992ae40b9b00c6935b02ff1b")

// DummySignature implements [userop.Signer].
func (s ownerSigner) DummySignature(*userop.Operation) ([]byte, error) {
	return session.WrapSignature(dummyOwnerSignature, s.module), nil
}

// Sign implements [userop.Signer]: the owner's EIP-191 signature of the userOpHash.
func (s ownerSigner) Sign(ctx context.Context, _ *userop.Operation, hash common.Hash) ([]byte, error) {
	return s.SignMessage(ctx, hash[:])
}

// SignMessage implements [MessageSigner].
func (s ownerSigner) SignMessage(ctx context.Context, message []byte) ([]byte, error) {
	sig, err := ownerSignature(ctx, s.owner, message)
	if err != nil {
		return nil, err
	}
	return session.WrapSignature(sig, s.module), nil
}

// ownerSignature returns the owner's signature of the EIP-191 message, checked and in the form that the
// modules take.
func ownerSignature(ctx context.Context, owner Owner, message []byte) ([]byte, error) {
	sig, err := owner.SignMessage(ctx, message)
	if err != nil {
		return nil, fmt.Errorf("sign as owner %s: %w", owner.Address(), err)
	}
	sig, err = signature.Normalize(sig, MessageHash(message), owner.Address())
	if err != nil {
		return nil, fmt.Errorf("%w: signature of owner %s: %w: %w", ErrWrongOwner, owner.Address(), session.ErrWrongKey, err)
	}
	return sig, nil
}
