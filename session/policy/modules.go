package policy

import "github.com/ethereum/go-ethereum/common"

// Modules are the session contracts of a deployment. The zero value of a field means the address
// that Biconomy deployed on every supported chain; see [Modules.WithDefaults].
type Modules struct {
	// Manager is the session key manager (SKM): keeps one Merkle root per account and validates
	// operations of one call.
	Manager common.Address
	// Router is the batched session router: validates operations of several calls, a leaf for each.
	Router common.Address
	// ABI is the ABI session validation module: contract, selector, value limit and rules on words.
	ABI common.Address
	// ERC20 is the ERC-20 session validation module: token, recipient and amount.
	ERC20 common.Address
}

// WithDefaults returns m with the well-known addresses where m has none.
func (m Modules) WithDefaults() Modules {
	fill := func(field *common.Address, known string) {
		if *field == (common.Address{}) {
			*field = common.HexToAddress(known)
		}
	}
	fill(&m.Manager, "0x000002FbFfedd9B33F4E7156F2DE8D48945E7489")
	fill(&m.Router, "0x00000D09967410f8C76752A104c9848b57ebba55")
	fill(&m.ABI, "0x000006bC2eCdAe38113929293d241Cf252D91861")
	fill(&m.ERC20, "0x000000D50C68705bd6897B2d17c7de32FB519fDA")
	return m
}
