package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
)

// tokenFunds are what an account has of a token, and lets the token paymaster take, in the token's base units.
type tokenFunds struct{ balance, allowance uint256.Int }

func (c *Client) tokenFunds(ctx context.Context, account, token common.Address) (f tokenFunds, err error) {
	results, err := readAll(ctx, c.chain,
		contracts.Read{To: token, Data: contracts.BalanceOf(account)},
		contracts.Read{To: token, Data: contracts.Allowance(account, c.contracts.TokenPaymaster)})
	if err == nil {
		err = decode(&results[0], "balanceOf", into(&f.balance, contracts.DecodeUint256))
	}
	if err == nil {
		err = decode(&results[1], "allowance", into(&f.allowance, contracts.DecodeUint256))
	}
	if err != nil {
		return f, fmt.Errorf("balance and allowance of account %s in token %s: %w", account, token, err)
	}
	return f, nil
}
