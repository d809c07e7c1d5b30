package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/contracts"
)

// DeployedContract is one of [Contracts], and whether it is on a chain.
type DeployedContract struct {
	// Name is what it is, in words.
	Name    string
	Address common.Address
	// Required says that no account works without it.
	Required bool
	// Deployed says that there is code at the address.
	Deployed bool
}

// list names the contracts. A zero address is one that nobody named.
func (c Contracts) list() []DeployedContract {
	return []DeployedContract{
		{Name: "EntryPoint v0.6", Address: c.EntryPoint, Required: true},
		{Name: "account factory", Address: c.Factory, Required: true},
		{Name: "account implementation", Address: c.Implementation, Required: true},
		{Name: "fallback handler", Address: c.Handler},
		{Name: "ECDSA module", Address: c.ECDSA, Required: true},
		{Name: "session key manager", Address: c.Session.Manager, Required: true},
		{Name: "ABI session module", Address: c.Session.ABI, Required: true},
		{Name: "ERC-20 session module", Address: c.Session.ERC20},
		{Name: "batched session router", Address: c.Session.Router},
		{Name: "multichain module", Address: c.Multichain},
		{Name: "resolver of V1 accounts", Address: c.Resolver},
		{Name: "token paymaster", Address: c.TokenPaymaster},
	}
}

// Deployed returns each of the contracts with whether it is on the chain, in one request. All addresses have
// to be there, as in those of [DefaultContracts] and [Client.Contracts].
func (c Contracts) Deployed(ctx context.Context, chain Chain) ([]DeployedContract, error) {
	list := c.list()
	reads := make([]contracts.Read, len(list))
	for i := range list {
		reads[i].To = list[i].Address
	}
	results, err := batchRead(ctx, chain, nil, reads...)
	if err != nil {
		return nil, fmt.Errorf("code of the contracts: %w", err)
	}
	for i := range list {
		list[i].Deployed = results[i].HasCode
	}
	return list, nil
}
