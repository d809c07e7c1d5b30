package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/node"
	"github.com/go-sesame/sesame/session/policy"
)

// What the resolver says of an account of version 1 that was upgraded to version 2.
const (
	factoryV1        = "v1"
	implementationV2 = "2.0.0"
)

// maxResolvedIndex is the last index that the resolver can be asked for: it takes the one behind it, and
// counts to twice that in eight bits.
const maxResolvedIndex = 126

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
// maxIndex: those of version 1 and those of version 2 with the ECDSA ownership module. The contract looks at
// indexes up to 126. A node of another chain is an error matching [userop.ErrWrongChain].
func (c *Client) ResolveAccounts(ctx context.Context, owner common.Address, maxIndex uint8) ([]ResolvedAccount, error) {
	if err := checkIndex(uint64(maxIndex)); err != nil {
		return nil, err
	}
	if err := c.refuseOtherChain(ctx); err != nil {
		return nil, fmt.Errorf("accounts of owner %s: %w", owner, err)
	}
	resolver := c.contracts.Resolver
	find := contracts.ResolveAddressesFlexibleForV2(owner, maxIndex+1, c.contracts.ECDSA, contracts.InitForSmartAccount(owner))
	var data []byte
	var err error
	for t := node.Ask(ctx); t.Next(&err); {
		data, err = c.chain.CallContract(t.Context, callMsg(resolver, find), nil)
	}
	if err != nil {
		return nil, fmt.Errorf("accounts of owner %s: resolver %s: %w", owner, resolver, err)
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

func checkIndex(index uint64) error {
	if index > maxResolvedIndex {
		return fmt.Errorf("%w: the resolver looks at indexes up to %d, not at %d", policy.ErrInvalid, maxResolvedIndex, index)
	}
	return nil
}

// UpgradedAccount returns the address of an owner's account of version 1 that was upgraded to version 2. Such
// an address does not follow from the owner: name it with [AtAddress]. No such account is an error matching
// [ErrNoAccount]; the resolver cannot look at an index above 126.
func (c *Client) UpgradedAccount(ctx context.Context, owner common.Address, index uint64) (common.Address, error) {
	if err := checkIndex(index); err != nil {
		return common.Address{}, err
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
