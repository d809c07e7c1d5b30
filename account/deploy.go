package account

import (
	"context"
	"fmt"

	"github.com/go-sesame/sesame/userop"
)

// Deploy deploys the account with an operation that does nothing else. There is no need to: the account's
// first operation deploys it too, for less. An account that has code is an error matching [ErrDeployed].
func (o *OwnedAccount) Deploy(ctx context.Context, opts ...Option) (*userop.Pending, error) {
	draft, err := o.deployDraft(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("deploy account %s: %w", o.address, err)
	}
	return o.client.sender.Send(ctx, *draft)
}

func (o *OwnedAccount) deployDraft(ctx context.Context, opts []Option) (*userop.Draft, error) {
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	if s.leaves != nil || s.find != nil || s.signer != nil {
		return nil, fmt.Errorf("%w: the owner deploys the account, through the module that decided its address", ErrConfig)
	}
	if s.quote != nil || s.approval != nil {
		return nil, fmt.Errorf("%w: an account without code can allow nobody to take tokens; pay in them for a first operation that has the approval", ErrConfig)
	}
	if err := o.sign(s); err != nil {
		return nil, err
	}
	initCode, err := o.initCodeIfNeeded(ctx)
	if err == nil && initCode == nil {
		err = ErrDeployed
	}
	if err != nil {
		return nil, err
	}
	draft := o.client.callDraft(o.address, nil, s)
	o.own(draft, s)
	return draft, nil
}
