package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// ownerSigner signs operations as the owner, for the ECDSA or the multichain ownership module.
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
	sig, err := s.owner.SignMessage(ctx, hash[:])
	if err != nil {
		return nil, fmt.Errorf("sign as owner %s: %w", s.owner.Address(), err)
	}
	sig, err = session.NormalizeSignature(sig, session.MessageDigest(hash), s.owner.Address())
	if err != nil {
		return nil, fmt.Errorf("owner's signature: %w", err)
	}
	return session.WrapSignature(sig, s.module), nil
}
