package account

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
)

// ModulesByPage lists modules with pages of that size.
func (a *Account) ModulesByPage(ctx context.Context, page int) ([]common.Address, error) {
	return a.modules(ctx, page)
}
