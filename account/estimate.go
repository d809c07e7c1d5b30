package account

import (
	"context"

	"github.com/go-sesame/sesame/userop"
)

// Estimate returns what the operation that [Account.Send] would send may cost, in gas and in wei by part.
// Nothing is signed or sent; with [Sponsored] the paymaster is asked as it would be for sending.
func (a *Account) Estimate(ctx context.Context, calls []Call, opts ...Option) (*userop.Estimate, error) {
	draft, err := a.draft(calls, opts)
	if err != nil {
		return nil, err
	}
	return a.client.sender.Estimate(ctx, *draft)
}

// Estimate is [Account.Estimate] for what [OwnedAccount.Send] would send, the deployment included where it
// is still to come.
func (o *OwnedAccount) Estimate(ctx context.Context, calls []Call, opts ...Option) (*userop.Estimate, error) {
	draft, err := o.draft(calls, opts)
	if err != nil {
		return nil, err
	}
	return o.client.sender.Estimate(ctx, *draft)
}
