package account

import (
	"context"
	"errors"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/observe"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// beginSend begins a send of the account, with all that is read before the pipeline begins.
func (c *Client) beginSend(ctx context.Context, account common.Address) (context.Context, observe.Stage) {
	return c.observer.BeginSend(ctx, observe.Send, observe.About{Account: account})
}

// tellEnd counts how the chain ended an operation that nobody may be waiting for.
func (c *Client) tellEnd(ctx context.Context, is userop.Outcome) {
	if is.Ended != nil {
		c.observer.EndKnown(ctx, observe.Result{Hash: is.Ended.Hash, Err: is.Ended})
	}
}

// unlessNotFound is the error, nil where it only says that there is nothing yet.
func unlessNotFound(err error) error {
	if errors.Is(err, outbox.ErrNotFound) {
		return nil
	}
	return err
}

// trouble tells that work in the background failed, about an entry or nil for none.
func (c *Client) trouble(ctx context.Context, e *outbox.Entry, what string, err error) {
	m := observe.Moment{Detail: what, Err: err}
	if e != nil {
		m.Account, m.Hash = e.Account, e.Latest().Hash
	}
	c.observer.Tell(ctx, observe.Trouble, m)
}

// tellLeft tells what part of the budgets is left, where somebody measures: it asks the store.
func (c *Client) tellLeft(ctx context.Context, account common.Address, signer userop.Signer) {
	if c.budgets == nil || !c.observer.Measures() {
		return
	}
	var key common.Address
	if s, ok := ability.Find[*session.Signer](signer); ok {
		key, _ = s.Key() // signed with, a moment ago
	}
	left, err := c.Account(account).Allowances(ctx, key)
	if err != nil {
		c.observer.Tell(ctx, observe.Trouble, observe.Moment{Account: account, Detail: "read what is left of budgets", Err: err})
	}
	for i := range left {
		if limit := left[i].Limit.Float64(); limit > 0 {
			c.observer.BudgetLeft(ctx, left[i].budgetName(), left[i].Left.Float64()/limit)
		}
	}
}

// budgetName is whose budget of what it is, without the token or the key: of names there are few.
func (a *Allowance) budgetName() string {
	whose, unit := "account", string(a.Unit)
	if a.Key != (common.Address{}) {
		whose = "key"
	}
	if common.IsHexAddress(unit) {
		unit = "token"
	}
	return whose + " " + unit
}
