package account

import (
	"context"
	"fmt"

	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
)

// funds reads what the account has to pay with: its balance, and its deposit at the EntryPoint, in wei.
func (a *Account) funds(ctx context.Context) (balance, deposit uint256.Int, err error) {
	results, err := readAll(ctx, a.client.chain,
		contracts.Read{To: a.address}, contracts.Read{To: a.client.contracts.EntryPoint, Data: contracts.BalanceOf(a.address)})
	if err == nil {
		err = decode(&results[1], "balanceOf of the EntryPoint", into(&deposit, contracts.DecodeUint256))
	}
	if err != nil {
		return balance, deposit, fmt.Errorf("funds of account %s: %w", a.address, err)
	}
	return results[0].Balance, deposit, nil
}

// afterPrefund is what is left of the balance when the EntryPoint took the prefund: first from the deposit,
// then from the balance.
func afterPrefund(balance, deposit, prefund *uint256.Int) *uint256.Int {
	left := new(uint256.Int).Set(balance)
	if prefund.Gt(deposit) {
		missing := new(uint256.Int).Sub(prefund, deposit)
		if missing.Gt(left) {
			return left.Clear()
		}
		left.Sub(left, missing)
	}
	return left
}
