package account

import (
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
)

// checkOwnership returns an error if the account does not listen to the active module or belongs to
// someone else there. An account without code gets both with its first operation.
func (o *OwnedAccount) checkOwnership(ctx context.Context) error {
	module := o.active.Address
	key := moduleOf{account: o.address, module: module}
	_, owned := o.active.Signer.(ownerSigner)
	if owned {
		key.owner = o.owner.Address()
	}
	if o.client.lately(key) {
		return nil
	}
	sights, err := look(ctx, o.client.chain,
		probe{to: o.address, data: abi.IsModuleEnabled(module)},
		probe{to: module, data: abi.GetOwner(o.address), most: 2 * abi.WordSize})
	if err != nil {
		return fmt.Errorf("owner of account %s: %w", o.address, err)
	}
	if !sights[0].hasCode {
		return nil
	}
	if err := o.judgeEnabled(sights[0]); err != nil {
		return err
	}
	if owned {
		if err := o.judgeOwner(sights[1]); err != nil {
			return err
		}
	}
	o.client.enabled.Store(key, time.Now())
	return nil
}

func (o *OwnedAccount) judgeEnabled(s sight) error {
	var enabled bool
	if err := s.decode("isModuleEnabled", into(&enabled, abi.DecodeBool)); err != nil {
		return fmt.Errorf("account %s: %w", o.address, err)
	}
	if !enabled {
		return fmt.Errorf("%w: module %s on account %s; enable it, or sign through one that is with ActiveModule", ErrModuleNotEnabled, o.active.Address, o.address)
	}
	return nil
}

func (o *OwnedAccount) judgeOwner(s sight) error {
	owner, err := s.readOwner()
	switch {
	case err != nil:
		return fmt.Errorf("module %s: %w", o.active.Address, err)
	case owner == (common.Address{}):
		return fmt.Errorf("%w: account %s has no owner at module %s; SetupAndEnableModule registers one", ErrWrongOwner, o.address, o.active.Address)
	case owner != o.owner.Address():
		return fmt.Errorf("%w: account %s belongs to %s at module %s, not to %s", ErrWrongOwner, o.address, owner, o.active.Address, o.owner.Address())
	}
	return nil
}

// readOwner reads the answer of getOwner, zero for none: the module reverts for an account that it does
// not know, or whose owner renounced it.
func (s *sight) readOwner() (owner common.Address, err error) {
	if !s.ok && abi.DecodeRevert(s.answer).Name == "NoOwnerRegisteredForSmartAccount" {
		return common.Address{}, nil
	}
	err = s.decode("getOwner", into(&owner, abi.DecodeAddress))
	return owner, err
}
