package account

import (
	"context"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/userop"
)

// Accounts returns how many accounts the lanes keep in memory.
func (l *Lanes) Accounts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pools)
}

// Reserve waits for a lane of the account.
func (l *Lanes) Reserve(ctx context.Context, account common.Address) (userop.Reservation, error) {
	return l.reserver(l.client, account, nil)(ctx)
}
