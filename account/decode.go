package account

import (
	"fmt"

	"github.com/go-sesame/sesame/internal/contracts"
)

// Decode returns the calls in an operation's callData, which the account makes in this order: what was
// given to [Account.Send]. It takes both names of execute and executeBatch; an operation that only deploys
// the account has no callData, and calls nothing. The error matches [ErrNotExecute] for calldata of
// another function.
func (a *Account) Decode(callData []byte) ([]Call, error) {
	if len(callData) == 0 {
		return []Call{}, nil
	}
	calls, err := contracts.DecodeExecute(callData)
	if err != nil {
		return nil, fmt.Errorf("calls of account %s: %w", a.address, err)
	}
	return calls, nil
}
