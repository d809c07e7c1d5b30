package account

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

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

// ReserveNext reserves the next nonce of the account's default lane.
func (c *Client) ReserveNext(ctx context.Context, account common.Address) (userop.Reservation, error) {
	next := func(ctx context.Context) (uint256.Int, error) { return c.Account(account).Nonce(ctx, nil) }
	return c.reservesNonce(readNonce{account: account, read: next})(ctx)
}

// ReserveGiven reserves a nonce of the caller's own.
func (c *Client) ReserveGiven(ctx context.Context, account common.Address, nonce uint256.Int) (userop.Reservation, error) {
	return c.nonceGiven(account, &nonce)(ctx)
}
