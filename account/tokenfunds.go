package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
)

// tokenFunds are what an account has of a token, and lets the token paymaster take, in the token's base units.
type tokenFunds struct{ balance, allowance uint256.Int }

func (c *Client) tokenFunds(ctx context.Context, account, token common.Address) (f tokenFunds, err error) {
	sights, err := look(ctx, c.chain,
		probe{to: token, data: abi.BalanceOf(account)},
		probe{to: token, data: abi.Allowance(account, c.contracts.TokenPaymaster)})
	if err == nil {
		err = sights[0].decode("balanceOf", into(&f.balance, abi.DecodeUint256))
	}
	if err == nil {
		err = sights[1].decode("allowance", into(&f.allowance, abi.DecodeUint256))
	}
	if err != nil {
		return f, fmt.Errorf("balance and allowance of account %s in token %s: %w", account, token, err)
	}
	return f, nil
}
