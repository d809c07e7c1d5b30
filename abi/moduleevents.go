package abi

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// First topics of the logs about an account's modules and owner.
var (
	EnabledModuleTopic        = common.HexToHash("0xecdf3a3effea5783a3c4c2140e677577666428d44ed9d474a0b3a4c9943f8440")
	DisabledModuleTopic       = common.HexToHash("0xaab4fa2b463f581b2b32cb3b7e3b704b9ce37cc209b5fb4d77e593ace4054276")
	OwnershipTransferredTopic = common.HexToHash("0xc8894f26f396ce8c004245c8b7cd1b92103a6e4302fcbab883987149ac01b7ec")
)

// DecodeEnabledModule reads the module that an account logged as enabled. See [Event.Decode] for the errors,
// and for what the caller has to check.
func DecodeEnabledModule(log *types.Log) (module common.Address, err error) {
	return decodeModule(EnabledModuleTopic, log)
}

// DecodeDisabledModule reads the module that an account logged as disabled. See [Event.Decode] for the errors,
// and for what the caller has to check.
func DecodeDisabledModule(log *types.Log) (module common.Address, err error) {
	return decodeModule(DisabledModuleTopic, log)
}

func decodeModule(topic common.Hash, log *types.Log) (common.Address, error) {
	v, err := smartAccount().byTopic(topic).Decode(log)
	if err != nil {
		return common.Address{}, err
	}
	return v[0].(common.Address), nil
}

// OwnershipTransferred is what an ownership module logs when an account's owner changes.
type OwnershipTransferred struct {
	Account, OldOwner, NewOwner common.Address
}

// DecodeOwnershipTransferred reads an OwnershipTransferred. See [Event.Decode] for the errors, and for what the
// caller has to check.
func DecodeOwnershipTransferred(log *types.Log) (OwnershipTransferred, error) {
	v, err := ownershipModule().byTopic(OwnershipTransferredTopic).Decode(log)
	if err != nil {
		return OwnershipTransferred{}, err
	}
	return OwnershipTransferred{
		Account:  v[0].(common.Address),
		OldOwner: v[1].(common.Address),
		NewOwner: v[2].(common.Address),
	}, nil
}
