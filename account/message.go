package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// MessageSigner is a [userop.Signer] whose module answers ERC-1271's isValidSignature too.
type MessageSigner interface {
	userop.Signer
	// SignMessage returns the signature of the EIP-191 message, as the account's isValidSignature
	// takes it: abi.encode(bytes moduleSignature, address module).
	SignMessage(ctx context.Context, message []byte) ([]byte, error)
}

// MessageHash returns the EIP-191 hash of a message (personal_sign): what isValidSignature is asked about.
func MessageHash(message []byte) common.Hash {
	return common.BytesToHash(accounts.TextHash(message))
}

// TypedDataHash returns the EIP-712 hash of typed data: what isValidSignature is asked about.
func TypedDataHash(data apitypes.TypedData) (common.Hash, error) {
	hash, _, err := apitypes.TypedDataAndHash(data)
	if err != nil {
		return common.Hash{}, fmt.Errorf("%w: typed data: %w", policy.ErrInvalid, err)
	}
	return common.BytesToHash(hash), nil
}

// SignMessage returns the account's signature of a message (EIP-191, personal_sign). A deployed account
// confirms it by ERC-1271; for one that is not, the signature is wrapped after ERC-6492, with what
// deploys the account. [Account.VerifyMessage] takes either. A signature that a deployed account would not
// confirm is not made: of someone else than its owner, or through a module that is not enabled.
//
// The ownership modules do not bind a signature to the account: another account of the same owner confirms
// it too. A message that matters should name the account.
func (o *OwnedAccount) SignMessage(ctx context.Context, message []byte) ([]byte, error) {
	signature, err := o.signMessage(ctx, message)
	if err != nil {
		return nil, fmt.Errorf("sign message as account %s: %w", o.address, err)
	}
	return signature, nil
}

// SignTypedData is [OwnedAccount.SignMessage] for EIP-712 typed data. The owner signs its hash as a message,
// which the ownership modules accept: owners need no signing method beside SignMessage.
func (o *OwnedAccount) SignTypedData(ctx context.Context, data apitypes.TypedData) ([]byte, error) {
	hash, err := TypedDataHash(data)
	if err != nil {
		return nil, err
	}
	signature, err := o.signMessage(ctx, hash[:])
	if err != nil {
		return nil, fmt.Errorf("sign typed data as account %s: %w", o.address, err)
	}
	return signature, nil
}

func (o *OwnedAccount) signMessage(ctx context.Context, message []byte) ([]byte, error) {
	if err := o.checkModules(); err != nil {
		return nil, err
	}
	deployed, err := o.Deployed(ctx)
	switch {
	case err != nil:
		return nil, err
	case deployed:
		if err := o.checkOwnership(ctx); err != nil {
			return nil, err
		}
		return o.active.signMessage(ctx, message)
	case o.initCode == nil:
		return nil, o.notDeployed()
	}
	signature, err := o.initial.signMessage(ctx, message)
	if err != nil {
		return nil, err
	}
	undeployed := contracts.UndeployedSignature{
		Factory:   common.BytesToAddress(o.initCode[:common.AddressLength]),
		Deploy:    o.initCode[common.AddressLength:],
		Signature: signature,
	}
	return undeployed.Pack(), nil
}

func (m *Module) signMessage(ctx context.Context, message []byte) ([]byte, error) {
	signer, ok := m.Signer.(MessageSigner)
	if !ok {
		return nil, fmt.Errorf("%w: the signer of module %s signs operations only", ErrNoSigner, m.Address)
	}
	return signer.SignMessage(ctx, message)
}
