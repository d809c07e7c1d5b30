package bundler

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/internal/quantity"
	"github.com/go-sesame/sesame/userop"
)

// Client talks to one bundler, for one chain. It is safe for concurrent use.
type Client struct {
	rpc     *jsonrpc.Client
	options options
	price   discovery
	status  discovery
	tip     absence      // of rundler_maxPriorityFeePerGas
	batches absence      // of JSON-RPC batches
	limits  atomic.Int32 // the limitsForm of estimations
}

var (
	_ userop.Bundler   = (*Client)(nil)
	_ userop.FeeSource = (*Client)(nil)
	_ userop.Identity  = (*Client)(nil)
)

// TransportError means that no usable answer came from the bundler: it could not be reached, or what came
// back is no answer. Its MayBeDelivered says whether the bundler may have got the request all the same.
type TransportError = jsonrpc.TransportError

// New returns a client for the bundler at url, key included. It does no I/O; a URL that cannot work, or a nil
// option, is the error of every call.
func New(url string, opts ...Option) *Client {
	c := &Client{options: newOptions(opts)}
	c.rpc = jsonrpc.New(jsonrpc.Config{
		URL:            url,
		Service:        "bundler",
		HTTPClient:     c.options.httpClient,
		Logger:         c.options.logger,
		TracerProvider: c.options.tracers,
		MeterProvider:  c.options.meters,
		Invalid:        c.options.invalid,
	})
	c.price.fixed, c.status.fixed = c.options.vendor, c.options.vendor
	return c
}

// BiconomyURL returns the address of Biconomy's bundler for a chain and an API key. It is as secret as the
// key.
func BiconomyURL(chainID uint64, apiKey string) string {
	return fmt.Sprintf("https://bundler.biconomy.io/api/v2/%d/%s", chainID, url.PathEscape(apiKey))
}

// Close closes idle connections. The client can still be used.
func (c *Client) Close() { c.rpc.Close() }

// String names the bundler without its key: "bundler https://bundler.biconomy.io/…".
func (c *Client) String() string { return c.rpc.String() }

// Host is the host of the bundler's URL, with its port where it names one: how a [Pool] calls it.
func (c *Client) Host() string { return c.rpc.Host() }

// GoString is [Client.String], so that %#v shows no key either.
func (c *Client) GoString() string { return c.String() }

// ChainID returns the chain the bundler serves (eth_chainId). It is asked for each time: an answer that was
// wrong in passing is not kept. A [userop.Sender] asks until the answer is right, and not again.
func (c *Client) ChainID(ctx context.Context) (uint64, error) {
	var answer quantity.Quantity
	if err := c.read(ctx, &answer, "eth_chainId"); err != nil {
		return 0, err
	}
	id, err := answer.Uint64()
	if err != nil || id == 0 {
		return 0, fmt.Errorf("bundler: eth_chainId: %s is no chain ID", answer)
	}
	return id, nil
}

// SupportedEntryPoints returns the EntryPoints the bundler takes operations for (eth_supportedEntryPoints),
// its preferred one first.
func (c *Client) SupportedEntryPoints(ctx context.Context) ([]common.Address, error) {
	var answer []common.Address
	if err := c.read(ctx, &answer, "eth_supportedEntryPoints"); err != nil {
		return nil, err
	}
	return answer, nil
}

// call sends once.
func (c *Client) call(ctx context.Context, result any, method string, params ...any) error {
	return asError(c.rpc.Do(ctx, jsonrpc.Request{Method: method, Params: params, Result: result}))
}

// read may send again where that helps; for methods that change nothing.
func (c *Client) read(ctx context.Context, result any, method string, params ...any) error {
	return asError(c.rpc.Do(ctx, jsonrpc.Request{Method: method, Params: params, Result: result, Repeatable: true}))
}

// notFound is err, or [userop.ErrNotFound] if the bundler answered null, or with an error that says that it
// does not know the hash.
func notFound(err error, hash common.Hash) error {
	if errors.Is(err, jsonrpc.ErrNull) {
		return fmt.Errorf("%w: the bundler has nothing on %s", userop.ErrNotFound, hash)
	}
	if answer := (*Error)(nil); errors.As(err, &answer) && answer.answer().UnknownHash() {
		return fmt.Errorf("%w: %w", userop.ErrNotFound, err)
	}
	return err
}
