package account

import (
	"context"
	"fmt"
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
)

// What the resolver says of an account of version 1 that was upgraded to version 2.
const (
	factoryV1        = "v1"
	implementationV2 = "2.0.0"
)

// ResolvedAccount is a deployed account that the resolver contract found for an owner.
type ResolvedAccount struct {
	Account        common.Address
	Factory        common.Address
	Implementation common.Address
	// CurrentVersion is the implementation's, like "2.0.0".
	CurrentVersion string
	// FactoryVersion is "v1" or "v2".
	FactoryVersion string
	Index          uint256.Int
}

// ResolveAccounts asks the resolver contract for the deployed accounts of an owner with an index of at most
// maxIndex: those of version 1 and those of version 2 with the ECDSA ownership module.
func (c *Client) ResolveAccounts(ctx context.Context, owner common.Address, maxIndex uint8) ([]ResolvedAccount, error) {
	resolver := c.contracts.Resolver
	find := contracts.ResolveAddressesFlexibleForV2(owner, maxIndex, c.contracts.ECDSA, contracts.InitForSmartAccount(owner))
	data, err := c.chain.CallContract(ctx, callMsg(resolver, find), nil)
	if err != nil {
		return nil, fmt.Errorf("accounts of owner %s: resolver %s: %w", owner, resolver, withoutURL(err))
	}
	found, err := contracts.DecodeResolvedAccounts(data)
	if err != nil {
		return nil, fmt.Errorf("%w: accounts of owner %s: resolver %s: %w", ErrBadAnswer, owner, resolver, err)
	}
	accounts := make([]ResolvedAccount, len(found))
	for i := range found {
		accounts[i] = ResolvedAccount(found[i])
	}
	return accounts, nil
}

// UpgradedAccount returns the address of an owner's account of version 1 that was upgraded to version 2. Such
// an address does not follow from the owner: name it with [AtAddress]. No such account is an error matching
// [ErrNoAccount].
func (c *Client) UpgradedAccount(ctx context.Context, owner common.Address, index uint64) (common.Address, error) {
	if index > math.MaxUint8 {
		return common.Address{}, fmt.Errorf("%w: the resolver looks at indexes up to %d, not at %d", policy.ErrInvalid, math.MaxUint8, index)
	}
	accounts, err := c.ResolveAccounts(ctx, owner, uint8(index))
	if err != nil {
		return common.Address{}, err
	}
	for _, a := range accounts {
		if a.FactoryVersion == factoryV1 && a.CurrentVersion == implementationV2 && a.Index.IsUint64() && a.Index.Uint64() == index {
			return a.Account, nil
		}
	}
	return common.Address{}, fmt.Errorf("%w: owner %s has none of version 1 with index %d that was upgraded to version 2 on chain %d", ErrNoAccount, owner, index, c.chainID)
}
