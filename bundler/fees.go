package bundler

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/internal/quantity"
	"github.com/go-sesame/sesame/userop"
)

// Fees returns the fees the bundler wants to see in the next operation, in wei per gas. It asks for
// biconomy_getGasFeeValues or pimlico_getUserOperationGasPrice, whichever the service offers; see
// [WithVendor] and [WithSpeed]. A bundler that offers neither is an error matching [userop.ErrNoFees]:
// package account asks the node then, with the tip of [Client.MaxPriorityFeePerGas] where the bundler names
// one, and its Config.Fees is where another source of fees goes.
func (c *Client) Fees(ctx context.Context) (userop.Fees, error) {
	var biconomy feesAnswer
	pimlico := tierAnswer{tier: cmp.Or(c.options.speed, Standard)}
	vendor, err := c.price.ask(ctx, c.rpc,
		question{Request: jsonrpc.Request{Method: "biconomy_getGasFeeValues", Result: &biconomy, Repeatable: true}},
		question{Request: jsonrpc.Request{Method: "pimlico_getUserOperationGasPrice", Result: &pimlico, Repeatable: true}})
	switch {
	case errors.Is(err, errNotOffered):
		return userop.Fees{}, fmt.Errorf("%w: %w", userop.ErrNoFees, err)
	case err != nil:
		return userop.Fees{}, err
	case vendor == Pimlico:
		return userop.Fees(pimlico.fees), nil
	}
	return userop.Fees(biconomy), nil
}

// MaxPriorityFeePerGas returns the tip that the bundler wants to see in the next operation, in wei per gas
// (rundler_maxPriorityFeePerGas, of Rundler and of Alchemy's bundler). One that does not offer it is an error
// matching [userop.ErrNoFees].
func (c *Client) MaxPriorityFeePerGas(ctx context.Context) (uint256.Int, error) {
	if c.tip.known() {
		return uint256.Int{}, fmt.Errorf("%w: %w", userop.ErrNoFees, errNoTip)
	}
	var tip quantity.Quantity
	err := c.read(ctx, &tip, "rundler_maxPriorityFeePerGas")
	if missing(err) {
		c.tip.note()
	}
	if mayBeMissing(err) {
		return uint256.Int{}, fmt.Errorf("%w: %w", userop.ErrNoFees, errNoTip)
	}
	return uint256.Int(tip), err
}

var errNoTip = errors.New("the bundler has no rundler_maxPriorityFeePerGas")

// Speed is a tier of gas prices.
type Speed string

// The tiers of pimlico_getUserOperationGasPrice. Standard is the default.
const (
	Slow     Speed = "slow"
	Standard Speed = "standard"
	Fast     Speed = "fast"
)

// WithSpeed chooses among the prices of a bundler that offers several. Biconomy's offers one.
func WithSpeed(speed Speed) Option {
	return optionFunc(func(o *options) { o.speed = speed })
}

// feesAnswer is a price; both fields have to be there.
type feesAnswer userop.Fees

// UnmarshalJSON reads a price in wei; floating point and "1.5" are refused.
func (f *feesAnswer) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	var read feesAnswer
	obj.Require("maxFeePerGas", (*quantity.Quantity)(&read.MaxFeePerGas))
	obj.Require("maxPriorityFeePerGas", (*quantity.Quantity)(&read.MaxPriorityFeePerGas))
	if err := obj.Err(); err != nil {
		return err
	}
	*f = read
	return nil
}

// tierAnswer is the price of one tier among several.
type tierAnswer struct {
	tier Speed
	fees feesAnswer
}

// UnmarshalJSON reads the tier's price.
func (t *tierAnswer) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	obj.Require(string(t.tier), &t.fees)
	return obj.Err()
}
