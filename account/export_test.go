package account

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
)

// MaxLegs is how many operations one signature can be for.
const MaxLegs = maxLegs

// ModulesByPage lists modules with pages of that size.
func (a *Account) ModulesByPage(ctx context.Context, page int) ([]common.Address, error) {
	return a.modules(ctx, page)
}

// MultichainDummy is what stands for a signature for so many operations.
func MultichainDummy(module common.Address, legs int) []byte {
	dummy, _ := multichainDummy{module: module, legs: legs}.DummySignature(nil)
	return dummy
}
