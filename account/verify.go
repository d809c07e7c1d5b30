package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"

	"github.com/go-sesame/sesame/internal/contracts"
)

// VerifyMessage returns nil if the signature of the message (EIP-191, personal_sign) is the account's, and an
// error matching [ErrBadSignature] if it is not; any other error means that the chain could not be asked.
//
// A deployed account is asked itself (ERC-1271). One that is not has to have signed in the form of ERC-6492: its
// deployment is tried, and the account asked, in the node's simulation only.
func (a *Account) VerifyMessage(ctx context.Context, message, signature []byte) error {
	return a.VerifyHash(ctx, MessageHash(message), signature)
}

// VerifyTypedData is [Account.VerifyMessage] for EIP-712 typed data.
func (a *Account) VerifyTypedData(ctx context.Context, data apitypes.TypedData, signature []byte) error {
	hash, err := TypedDataHash(data)
	if err != nil {
		return err
	}
	return a.VerifyHash(ctx, hash, signature)
}

// VerifyHash is [Account.VerifyMessage] for a hash that was made elsewhere: what isValidSignature takes.
func (a *Account) VerifyHash(ctx context.Context, hash common.Hash, signature []byte) error {
	if err := a.verify(ctx, hash, signature); err != nil {
		return fmt.Errorf("signature of account %s: %w", a.address, err)
	}
	return nil
}

func (a *Account) verify(ctx context.Context, hash common.Hash, signature []byte) error {
	u, wrapped, err := contracts.DecodeUndeployedSignature(signature)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	ask := contracts.Read{To: a.address, Data: contracts.IsValidSignature(hash, u.Signature), MaxAnswer: 512}
	reads := []contracts.Read{ask}
	if wrapped {
		reads = append(reads, contracts.Read{To: u.Factory, Data: u.Deploy, MaxAnswer: 512, Mutates: true}, ask)
	}
	// What one read does is gone with its request.
	if !contracts.FitsOneRequest(reads) {
		return fmt.Errorf("%w: %d bytes are more than one request can check", ErrBadSignature, len(signature))
	}
	results, err := readAll(ctx, a.client.chain, reads...)
	switch {
	case err != nil:
		return err
	case results[0].HasCode: // never let the wrapping act on an account that is there
		return judgeSignature(results[0])
	case !wrapped:
		return fmt.Errorf("%w; before that, its signatures are in the form of ERC-6492", a.notDeployed())
	case !results[1].OK:
		revert := contracts.DecodeRevert(results[1].Data)
		return fmt.Errorf("%w: its factory %s does not deploy an account: %w", ErrBadSignature, u.Factory, &revert)
	case !results[2].HasCode:
		return fmt.Errorf("%w: its factory %s deploys another account", ErrBadSignature, u.Factory)
	}
	return judgeSignature(results[2])
}

// judgeSignature reads the answer of isValidSignature. Anything but a clear yes is a no.
func judgeSignature(r contracts.ReadResult) error {
	if !r.OK {
		revert := contracts.DecodeRevert(r.Data)
		return fmt.Errorf("%w: isValidSignature reverted: %w", ErrBadSignature, &revert)
	}
	valid, err := contracts.DecodeIsValidSignature(r.Data)
	switch {
	case err != nil:
		return fmt.Errorf("%w: isValidSignature: %w", ErrBadSignature, err)
	case !valid:
		return fmt.Errorf("%w: isValidSignature says no", ErrBadSignature)
	}
	return nil
}
