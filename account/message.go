package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// MessageSigner is a [userop.Signer] whose module answers ERC-1271's isValidSignature too. Its signatures are
// as isValidSignature takes them: abi.encode(bytes moduleSignature, address module).
type MessageSigner interface {
	userop.Signer
	// SignMessage returns the signature of the EIP-191 message. One of 32 bytes, which may be a userOpHash,
	// is an error matching [ErrPossibleOperation].
	SignMessage(ctx context.Context, message []byte) ([]byte, error)
	// SignPossibleOperation is SignMessage for 32 bytes: the hash of typed data, which cannot be a
	// userOpHash, and whatever else [OwnedAccount.SignPossibleOperation] was asked to sign.
	SignPossibleOperation(ctx context.Context, hash common.Hash) ([]byte, error)
}

// checkMessage refuses a message whose signature is good for an operation.
func checkMessage(message []byte) error {
	if len(message) == common.HashLength {
		return fmt.Errorf("%w: its 32 bytes are signed as the hash of an operation is, or of several, and whoever chose them may then send it; prefix the message with what it is for, sign typed data, or risk it with SignPossibleOperation", ErrPossibleOperation)
	}
	return nil
}

// messageHash returns the EIP-191 hash of a message (personal_sign): what isValidSignature is asked about.
func messageHash(message []byte) common.Hash {
	return common.BytesToHash(accounts.TextHash(message))
}

// SignMessage returns the account's signature of a message (EIP-191, personal_sign). A deployed account
// confirms it by ERC-1271; for one that is not, the signature is wrapped after ERC-6492, with what deploys
// the account. [Account.VerifyMessage] takes either. A signature that a deployed account would not confirm is
// not made: of someone else than its owner, or through a module that is not enabled.
//
// A message of exactly 32 bytes is refused with an error matching [ErrPossibleOperation]. The ownership
// modules take the same signature for a user operation with that hash: a "login challenge" would be an
// operation of the challenger's choosing. See [OwnedAccount.SignPossibleOperation].
//
// The ownership modules do not bind a signature to the account: another account of the same owner confirms it
// too. A message that matters should name the account.
func (o *OwnedAccount) SignMessage(ctx context.Context, message []byte) ([]byte, error) {
	if err := checkMessage(message); err != nil {
		return nil, fmt.Errorf("sign message as account %s: %w", o.address, err)
	}
	signature, err := o.signAs(ctx, func(s MessageSigner) ([]byte, error) { return s.SignMessage(ctx, message) })
	if err != nil {
		return nil, fmt.Errorf("sign message as account %s: %w", o.address, err)
	}
	return signature, nil
}

// SignPossibleOperation is [OwnedAccount.SignMessage] for a message of 32 bytes. It gives the account away to
// whoever chose them, unless it is known what they are: where they are the hash of a user operation, or of
// several on several chains, the signature is the owner's consent to it, and nothing more is needed to send
// it.
func (o *OwnedAccount) SignPossibleOperation(ctx context.Context, hash common.Hash) ([]byte, error) {
	signature, err := o.signHash(ctx, hash)
	if err != nil {
		return nil, fmt.Errorf("sign 32 bytes as account %s: %w", o.address, err)
	}
	return signature, nil
}

// SignTypedData is [OwnedAccount.SignMessage] for EIP-712 typed data, also as TypeScript libraries have it,
// without the type of its domain. The owner signs its hash as a message, which the ownership modules accept:
// owners need no signing method beside SignMessage. No typed data has the hash of a user operation, whoever
// chose it.
func (o *OwnedAccount) SignTypedData(ctx context.Context, data apitypes.TypedData) ([]byte, error) {
	hash, err := typedDataHash(data)
	if err != nil {
		return nil, err
	}
	signature, err := o.signHash(ctx, hash)
	if err != nil {
		return nil, fmt.Errorf("sign typed data as account %s: %w", o.address, err)
	}
	return signature, nil
}

func (o *OwnedAccount) signHash(ctx context.Context, hash common.Hash) ([]byte, error) {
	return o.signAs(ctx, func(s MessageSigner) ([]byte, error) { return s.SignPossibleOperation(ctx, hash) })
}

// signAs has the module sign that the account listens to, or will with its deployment.
func (o *OwnedAccount) signAs(ctx context.Context, sign func(MessageSigner) ([]byte, error)) ([]byte, error) {
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
		return o.signBy(ctx, &o.active, sign)
	case o.initCode == nil:
		return nil, o.notDeployedError()
	}
	signature, err := o.signBy(ctx, &o.initial, sign)
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

// signBy has a module sign, under the kill switch as an operation is.
func (o *OwnedAccount) signBy(ctx context.Context, m *Module, sign func(MessageSigner) ([]byte, error)) ([]byte, error) {
	stops, ok := o.client.underSwitch(m.Signer, o.address, false).(*switched)
	if !ok {
		return m.signAs(sign)
	}
	return stops.guard(ctx, stops.key, func() ([]byte, error) { return m.signAs(sign) })
}

func (m *Module) signAs(sign func(MessageSigner) ([]byte, error)) ([]byte, error) {
	signer, ok := m.Signer.(MessageSigner)
	if !ok {
		return nil, fmt.Errorf("%w: the signer of module %s signs operations only", ErrNoSigner, m.Address)
	}
	return sign(signer)
}

// VerifyMessage returns nil if the signature of the message (EIP-191, personal_sign) is the account's, and an
// error matching [ErrBadSignature] if it is not; any other error means that the chain could not be asked, or
// that the node is of another one ([userop.ErrWrongChain]) or never said of which.
//
// A deployed account is asked itself (ERC-1271). One that is not has to have signed in the form of ERC-6492:
// its deployment is tried, and the account asked, in the node's simulation only.
//
// Have text or typed data signed that says what it is for, never 32 random bytes: see
// [OwnedAccount.SignMessage].
func (a *Account) VerifyMessage(ctx context.Context, message, signature []byte) error {
	return a.VerifyHash(ctx, messageHash(message), signature)
}

// VerifyTypedData is [Account.VerifyMessage] for EIP-712 typed data.
func (a *Account) VerifyTypedData(ctx context.Context, data apitypes.TypedData, signature []byte) error {
	hash, err := typedDataHash(data)
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
	// An owner who was replaced here may still be one elsewhere.
	if err := a.client.checkChainID(ctx); err != nil {
		return err
	}
	results, err := batchRead(ctx, a.client.chain, nil, reads...)
	switch {
	case err != nil:
		return err
	case results[0].HasCode: // never let the wrapping act on an account that is there
		return checkSignature(results[0])
	case !wrapped:
		return fmt.Errorf("%w; before that, its signatures are in the form of ERC-6492", a.notDeployedError())
	case !results[1].OK:
		revert := contracts.DecodeRevert(results[1].Data)
		return fmt.Errorf("%w: its factory %s does not deploy an account: %w", ErrBadSignature, u.Factory, &revert)
	case !results[2].HasCode:
		return fmt.Errorf("%w: its factory %s deploys another account", ErrBadSignature, u.Factory)
	}
	return checkSignature(results[2])
}

// checkSignature reads the answer of isValidSignature. Anything but a clear yes is a no.
func checkSignature(r contracts.ReadResult) error {
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
