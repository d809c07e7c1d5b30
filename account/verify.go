package account

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"

	"github.com/go-sesame/sesame/abi"
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
	u, wrapped, err := unwrapUndeployed(signature)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	ask := probe{to: a.address, data: abi.IsValidSignature(hash, u.signature), most: 512}
	probes := []probe{ask}
	if wrapped {
		probes = append(probes, probe{to: u.factory, data: u.deploy, most: 512, acts: true}, ask)
	}
	// What one probe does is gone with its request.
	if code, n := packProbes(probes); n < len(probes) || len(code) > maxProbesSize {
		return fmt.Errorf("%w: %d bytes are more than one request can check", ErrBadSignature, len(signature))
	}
	sights, err := look(ctx, a.client.chain, probes...)
	switch {
	case err != nil:
		return err
	case sights[0].hasCode: // never let the wrapping act on an account that is there
		return judgeSignature(sights[0])
	case !wrapped:
		return fmt.Errorf("%w; before that, its signatures are in the form of ERC-6492", a.notDeployed())
	case !sights[1].ok:
		revert := abi.DecodeRevert(sights[1].answer)
		return fmt.Errorf("%w: its factory %s does not deploy an account: %w", ErrBadSignature, u.factory, &revert)
	case !sights[2].hasCode:
		return fmt.Errorf("%w: its factory %s deploys another account", ErrBadSignature, u.factory)
	}
	return judgeSignature(sights[2])
}

// judgeSignature reads the answer of isValidSignature. Anything but a clear yes is a no.
func judgeSignature(s sight) error {
	if !s.ok {
		revert := abi.DecodeRevert(s.answer)
		return fmt.Errorf("%w: isValidSignature reverted: %w", ErrBadSignature, &revert)
	}
	valid, err := abi.DecodeIsValidSignature(s.answer)
	switch {
	case err != nil:
		return fmt.Errorf("%w: isValidSignature: %w", ErrBadSignature, err)
	case !valid:
		return fmt.Errorf("%w: isValidSignature says no", ErrBadSignature)
	}
	return nil
}

// undeployedSignature is a signature with what deploys the account that made it.
type undeployedSignature struct {
	factory   common.Address
	deploy    []byte
	signature []byte
}

var undeployedForm = sync.OnceValue(func() *abi.Function {
	return abi.MustParseFunction("function unwrap() returns (address factory, bytes deploy, bytes signature)")
})

// unwrapUndeployed reads a signature in the form of ERC-6492, or one as it is.
func unwrapUndeployed(signature []byte) (u undeployedSignature, wrapped bool, err error) {
	body, wrapped := bytes.CutSuffix(signature, undeployedMagic)
	if !wrapped {
		return undeployedSignature{signature: signature}, false, nil
	}
	values, err := undeployedForm().UnpackResult(body)
	if err != nil {
		return undeployedSignature{}, true, fmt.Errorf("it ends as ERC-6492 has it, but does not decode: %w", err)
	}
	return undeployedSignature{
		factory:   values[0].(common.Address),
		deploy:    values[1].([]byte),
		signature: values[2].([]byte),
	}, true, nil
}
