package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/userop"
)

// ownerSlot is the owner of an account at an ownership module.
const ownerSlot = "owner"

// invalidSignature is what a module answers instead of ERC-1271's magic value.
var invalidSignature = [4]byte{0xff, 0xff, 0xff, 0xff}

// ownershipMethods are those of the ECDSA ownership module and of the multichain module.
func ownershipMethods() map[string]method {
	return map[string]method{
		"initForSmartAccount(address)": take1((*input).address, initOwner),
		"transferOwnership(address)":   take1((*input).address, transferOwnership),
		"renounceOwnership()": take0(func(c *call) ([]byte, error) {
			c.changeOwner(common.Address{})
			return nothing()
		}),
		"getOwner(address)": take1((*input).address, func(c *call, account common.Address) ([]byte, error) {
			owner, err := c.owner(account)
			if err != nil {
				return nil, err
			}
			return address(owner)
		}),
		"isValidSignature(bytes32,bytes)": take2((*input).head, (*input).bytes, func(c *call, hash common.Hash, sig []byte) ([]byte, error) {
			return c.isOwnersSignature(hash, sig, c.from)
		}),
		"isValidSignatureForAddress(bytes32,bytes,address)": take3((*input).head, (*input).bytes, (*input).address, (*call).isOwnersSignature),
	}
}

// noSignatureMethods are those of a module that signs no messages.
func noSignatureMethods() map[string]method {
	return map[string]method{"isValidSignature(bytes32,bytes)": take2((*input).head, (*input).bytes,
		func(*call, common.Hash, []byte) ([]byte, error) { return magic(invalidSignature) })}
}

// owner is the account's, or a revert.
func (c *call) owner(account common.Address) (common.Address, error) {
	owner := c.address(c.slot(ownerSlot, word(account)))
	if owner == (common.Address{}) {
		return owner, custom("NoOwnerRegisteredForSmartAccount(address)", word(account))
	}
	return owner, nil
}

func (c *call) changeOwner(to common.Address) {
	where := c.slot(ownerSlot, word(c.from))
	old := c.address(where)
	c.setAddress(where, to)
	c.log(c.self, []common.Hash{contracts.OwnershipTransferredTopic, word(c.from), word(old), word(to)}, nil)
}

func initOwner(c *call, owner common.Address) ([]byte, error) {
	where := c.slot(ownerSlot, word(c.from))
	switch {
	case c.address(where) != (common.Address{}):
		return nil, custom("AlreadyInitedForSmartAccount(address)", word(c.from))
	case owner == (common.Address{}):
		return nil, custom("ZeroAddressNotAllowedAsOwner()")
	}
	c.setAddress(where, owner)
	return address(c.self)
}

func transferOwnership(c *call, owner common.Address) ([]byte, error) {
	switch {
	case c.HasCode(owner):
		return nil, custom("NotEOA(address)", word(owner))
	case owner == (common.Address{}):
		return nil, custom("ZeroAddressNotAllowedAsOwner()")
	}
	c.changeOwner(owner)
	return nothing()
}

func (c *call) isOwnersSignature(hash common.Hash, sig []byte, account common.Address) ([]byte, error) {
	ok, err := c.signedByOwner(hash, sig, account)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return magic(invalidSignature)
	}
	return magic(selectorOf("isValidSignature(bytes32,bytes)"))
}

// signedByOwner tries the signature as one of the EIP-191 message, and as one of the bare hash.
func (c *call) signedByOwner(hash common.Hash, sig []byte, account common.Address) (bool, error) {
	owner, err := c.owner(account)
	if err != nil {
		return false, err
	}
	if len(sig) < crypto.SignatureLength {
		return false, custom("WrongSignatureLength()")
	}
	for _, digest := range []common.Hash{messageHash(hash), hash} {
		signer, err := recoverSigner(digest, sig)
		if err != nil || signer == owner {
			return err == nil, err
		}
	}
	return false, nil
}

// validateOwner is the ECDSA module's judgement of an operation.
func validateOwner(c *call, op *userop.Operation, hash common.Hash) (validation, error) {
	sig, _, err := unwrap(op.Signature)
	if err != nil {
		return validation{}, err
	}
	ok, err := c.signedByOwner(hash, sig, op.Sender)
	return validation{failed: !ok}, err
}

// validateMultichain is the multichain module's: a plain signature, or one of a tree of operations.
func validateMultichain(c *call, op *userop.Operation, hash common.Hash) (validation, error) {
	sig, _, err := unwrap(op.Signature)
	if err != nil || len(sig) == crypto.SignatureLength {
		return validateOwner(c, op, hash)
	}
	in := &input{data: sig}
	v := validation{until: in.time(0), after: in.time(1)}
	root, proof, signature := in.head(2), each(in, 3, (*input).head), in.bytes(4)
	if in.bad {
		return validation{}, bare()
	}
	if !merkle.Verify(root, contracts.MultichainLeaf(v.until, v.after, hash), proof) {
		return validation{}, reason("Invalid UserOp")
	}
	ok, err := c.signedByOwner(root, signature, op.Sender)
	if !ok {
		return refused, err
	}
	return v, nil
}
