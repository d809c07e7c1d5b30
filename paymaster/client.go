package paymaster

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/userop"
)

// Client talks to Biconomy's paymaster service, for one chain. It is safe for concurrent use.
type Client struct {
	rpc     *jsonrpc.Client
	options options
}

var _ userop.Paymaster = (*Client)(nil)

// TransportError means that no usable answer came from the service: it could not be reached, or what
// came back is no answer.
type TransportError = jsonrpc.TransportError

// New returns a client for the paymaster at url, key included. It does no I/O; a URL that cannot work
// is the error of the first call.
func New(url string, opts ...Option) *Client {
	var o options
	for _, opt := range opts {
		opt.apply(&o)
	}
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

// GoString is [Client.String], so that %#v shows no key either.
func (c *Client) GoString() string { return c.String() }

// SponsorUserOperation asks the service to pay for op (pm_sponsorUserOperation), which carries a dummy
// signature. With req.FeeToken the account pays in that token, for which it has approved the token
// paymaster; see [Client.FeeQuotes]. An answer that sponsors nothing matches [userop.ErrNotSponsored].
//
// The gas limits go out as decimal strings, as this service is used to. Its answer may set them; they are
// part of what it signed.
func (c *Client) SponsorUserOperation(ctx context.Context, op *userop.Operation, req userop.SponsorRequest) (userop.Sponsorship, error) {
	params := c.options.params(modeSponsored, req.CalculateGasLimits, req.Context)
	if req.FeeToken != nil {
		if *req.FeeToken == (common.Address{}) {
			return userop.Sponsorship{}, errors.New("paymaster: the fee token is the zero address; leave it out to be sponsored")
		}
		params.Mode = modeERC20
		params.TokenInfo = &tokenInfo{FeeToken: req.FeeToken.Hex()}
	}
	var answer sponsorship
	if err := asError(c.rpc.Do(ctx, question("pm_sponsorUserOperation", &answer, (*serviceOperation)(op), params))); err != nil {
		return userop.Sponsorship{}, err
	}
	return answer.checked()
}
