package account

import (
	"context"
	"crypto/ecdsa"
	"fmt"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/signature"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// Owner is the owner of a smart account through one of the ownership modules: an address and its signatures.
// Hardware wallets and external signers implement it; [KeyOwner] is a key in memory.
type Owner interface {
	// Address returns the owner's address. It never changes.
	Address() common.Address
	// SignMessage returns the 65-byte EIP-191 signature (personal_sign) of message, which a wallet is given
	// in hex, never as text.
	//
	// Operations are signed by it: a message of 32 bytes is a userOpHash, the Merkle root over those of
	// several, or the hash of typed data. Whoever has the owner's signature of 32 bytes that they chose has
	// an operation of the account. Never sign 32 bytes of somebody else's choosing with an owner directly:
	// [OwnedAccount.SignMessage] refuses them. An owner that shows messages to a user has to say of 32 bytes
	// that they may do anything with the account, however much they look like a challenge.
	SignMessage(ctx context.Context, message []byte) ([]byte, error)
}

// KeyOwner is an owner whose private key is at hand.
func KeyOwner(key *ecdsa.PrivateKey) Owner { return keyOwner{key: key} }

type keyOwner struct{ key *ecdsa.PrivateKey }

// Address implements [Owner]; the zero address stands for no key.
func (o keyOwner) Address() common.Address {
	if o.key == nil {
		return common.Address{}
	}
	return crypto.PubkeyToAddress(o.key.PublicKey)
}

// SignMessage implements [Owner].
func (o keyOwner) SignMessage(ctx context.Context, message []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.key == nil {
		return nil, fmt.Errorf("%w: the owner has no key: its key is nil, or its address zero", ErrNoSigner)
	}
	return crypto.Sign(accounts.TextHash(message), o.key)
}

// String returns the owner's address, whatever the verb it is printed with.
func (o keyOwner) String() string { return "owner " + o.Address().Hex() }

// Format implements [fmt.Formatter], so that no verb prints the key.
func (o keyOwner) Format(f fmt.State, _ rune) { fmt.Fprint(f, o.String()) }

// OwnerAddress is an owner who is known by address alone, and signs elsewhere, as in the wallet of a browser.
// Everything can be prepared and priced for it; calls that would have to wait for its signature are an error
// matching [ErrNoSigner]. See [OwnedAccount.PrepareGrant].
func OwnerAddress(address common.Address) Owner { return addressOwner(address) }

type addressOwner common.Address

// Address implements [Owner].
func (o addressOwner) Address() common.Address { return common.Address(o) }

// SignMessage implements [Owner]: it never signs.
func (o addressOwner) SignMessage(context.Context, []byte) ([]byte, error) {
	return nil, o.signsElsewhere()
}

func (o addressOwner) signsElsewhere() error {
	return fmt.Errorf("%w: owner %s is known by address alone, and signs elsewhere: prepare the operation with PrepareGrant, PrepareRevoke, PrepareSend or their like, have its wallet sign, and Submit that", ErrNoSigner, o.Address())
}

// Format writes the owner's address whatever the verb.
func (o addressOwner) Format(f fmt.State, _ rune) { fmt.Fprint(f, "owner "+o.Address().Hex()) }

// Keystore is what [KeystoreOwner] needs of go-ethereum's *keystore.KeyStore.
type Keystore interface {
	// SignHash signs a hash with an account that is unlocked.
	SignHash(a accounts.Account, hash []byte) ([]byte, error)
}

// KeystoreOwner is an owner whose key lies encrypted in a keystore of go-ethereum. Its account has to be
// unlocked before it signs; the owner itself knows no passphrase.
func KeystoreOwner(store Keystore, account accounts.Account) Owner {
	return keystoreOwner{store: &store, account: account}
}

type keystoreOwner struct {
	store   *Keystore // which printers do not follow
	account accounts.Account
}

// Address implements [Owner].
func (o keystoreOwner) Address() common.Address { return o.account.Address }

// SignMessage implements [Owner].
func (o keystoreOwner) SignMessage(ctx context.Context, message []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sig, err := (*o.store).SignHash(o.account, accounts.TextHash(message))
	if err != nil {
		return nil, fmt.Errorf("keystore account %s: %w", o.account.Address, err)
	}
	return sig, nil
}

// Format writes the owner's address whatever the verb: the keystore is the caller's.
func (o keystoreOwner) Format(f fmt.State, _ rune) { fmt.Fprint(f, "owner "+o.Address().Hex()) }

// ownerSigner signs as the owner, for the ECDSA or the multichain ownership module. It is a [MessageSigner].
type ownerSigner struct {
	owner  *Owner // which printers do not follow, whatever the verb
	module common.Address
}

// dummyOwnerSignature stands for the owner's signature in estimations.
var dummyOwnerSignature = hexutil.MustDecode("0x81d4b4981670cb18f99f0b4a66446df1bf5b204d24cfcb659bf38ba27a4359b5711649ec2423c5e1247245eba2964679b6a1dbb85c992ae40b9b00c6935b02ff1b")

// DummySignature implements [userop.Signer].
func (s ownerSigner) DummySignature(*userop.Operation) ([]byte, error) {
	return contracts.WrapSignature(dummyOwnerSignature, s.module), nil
}

// Sign implements [userop.Signer]: the owner's EIP-191 signature of the userOpHash.
func (s ownerSigner) Sign(ctx context.Context, _ *userop.Operation, hash common.Hash) ([]byte, error) {
	return s.signMessage(ctx, hash[:])
}

// SignMessage implements [MessageSigner].
func (s ownerSigner) SignMessage(ctx context.Context, message []byte) ([]byte, error) {
	if err := checkMessage(message); err != nil {
		return nil, err
	}
	return s.signMessage(ctx, message)
}

// SignPossibleOperation implements [MessageSigner].
func (s ownerSigner) SignPossibleOperation(ctx context.Context, hash common.Hash) ([]byte, error) {
	return s.signMessage(ctx, hash[:])
}

func (s ownerSigner) signMessage(ctx context.Context, message []byte) ([]byte, error) {
	sig, err := ownerSignature(ctx, *s.owner, message)
	if err != nil {
		return nil, err
	}
	return contracts.WrapSignature(sig, s.module), nil
}

// ownerSignature returns the owner's signature of the EIP-191 message, checked and in the form that the
// modules take.
func ownerSignature(ctx context.Context, owner Owner, message []byte) ([]byte, error) {
	sig, err := owner.SignMessage(ctx, message)
	if err != nil {
		return nil, fmt.Errorf("sign as owner %s: %w", owner.Address(), err)
	}
	sig, err = signature.Normalize(sig, messageHash(message), owner.Address())
	if err != nil {
		return nil, fmt.Errorf("%w: signature of owner %s: %w; have the wallet sign with that account", ErrWrongOwner, owner.Address(), err)
	}
	return sig, nil
}

// TransferOwnership gives the account to another owner, in one operation: at every enabled ownership module,
// ECDSA and multichain, at which it is the owner's, so that none is left behind. The address stays: the new
// owner finds the account with [AtAddress], and this handle can do nothing more for it.
//
// Sessions outlive the transfer, and so does the batched session router; revoke those that should not, before
// it ([OwnedAccount.RevokeAll] disables the router as well). The zero address, the owner itself, the account,
// and addresses with code are refused before anything is signed.
func (o *OwnedAccount) TransferOwnership(ctx context.Context, to common.Address, opts ...Option) (*userop.Pending, error) {
	calls, err := o.planTransfer(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("transfer account %s to %s: %w", o.address, to, err)
	}
	return o.Send(ctx, calls, opts...)
}

func (o *OwnedAccount) planTransfer(ctx context.Context, to common.Address) ([]Call, error) {
	switch to {
	case common.Address{}:
		return nil, fmt.Errorf("%w: nobody has the zero address's key", policy.ErrInvalid)
	case o.address:
		return nil, fmt.Errorf("%w: an account cannot own itself", policy.ErrInvalid)
	case o.owner.Address():
		return nil, fmt.Errorf("%w: that is the owner already", policy.ErrInvalid)
	}
	state, results, err := o.expectedState(ctx, contracts.Read{To: to})
	if err != nil {
		return nil, err
	}
	if results[0].HasCode {
		return nil, fmt.Errorf("%w: there is code at that address, and the ownership modules take keys only", policy.ErrInvalid)
	}
	var calls []Call
	for _, at := range state.Owners {
		if at.Owner == o.owner.Address() {
			calls = append(calls, Call{To: at.Module, Data: contracts.TransferOwnership(to)})
		}
	}
	if len(calls) == 0 {
		return nil, fmt.Errorf("%w: %s owns it at none of its modules %v", ErrWrongOwner, o.owner.Address(), state.Modules)
	}
	return calls, nil
}
