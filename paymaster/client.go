package paymaster

import (
	"fmt"
	"net/url"

	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/userop"
)

// Client talks to Biconomy's paymaster service, for one chain. It is safe for concurrent use.
type Client struct {
	rpc     *jsonrpc.Client
	options options
}

var _ userop.Paymaster = (*Client)(nil)

// TransportError means that no usable answer came from the service: it could not be reached, or what came
// back is no answer.
type TransportError = jsonrpc.TransportError

// New returns a client for the paymaster at url, key included. It does no I/O; a URL that cannot work, or a
// nil option, is the error of every call.
func New(url string, opts ...Option) *Client {
	o := newOptions(opts)
	return &Client{rpc: o.rpc(url), options: o}
}

// BiconomyURL returns the address of Biconomy's paymaster for a chain and an API key. It is as secret as the
// key.
func BiconomyURL(chainID uint64, apiKey string) string {
	return fmt.Sprintf("https://paymaster.biconomy.io/api/v1/%d/%s", chainID, url.PathEscape(apiKey))
}

// Close closes idle connections. The client can still be used.
func (c *Client) Close() { c.rpc.Close() }

// String names the paymaster without its key: "paymaster https://paymaster.biconomy.io/…".
func (c *Client) String() string { return c.rpc.String() }

// Host is the host of the paymaster's URL, with its port where it names one: how a [Pool] calls it.
func (c *Client) Host() string { return c.rpc.Host() }

// GoString is [Client.String], so that %#v shows no key either.
func (c *Client) GoString() string { return c.String() }
