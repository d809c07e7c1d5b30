package paymaster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/internal/opjson"
	"github.com/go-sesame/sesame/internal/quantity"
	"github.com/go-sesame/sesame/userop"
)

// SponsorUserOperation asks the service to pay for op (pm_sponsorUserOperation), which carries a dummy
// signature. With req.FeeToken the account pays in that token, for which it has approved the token paymaster;
// see [Client.FeeQuotes]. An answer that sponsors nothing matches [userop.ErrNotSponsored].
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
	if err := asError(c.rpc.Do(ctx, newRequest("pm_sponsorUserOperation", &answer, serviceOperation(op), params))); err != nil {
		return userop.Sponsorship{}, err
	}
	return answer.checked()
}

// Modes of Biconomy's service.
const (
	modeSponsored = "SPONSORED"
	modeERC20     = "ERC20"
)

// newRequest returns a request to a service. It costs nothing until the operation is sent, so that it is made
// again where that helps.
func newRequest(method string, result any, params ...any) jsonrpc.Request {
	return jsonrpc.Request{Method: method, Params: params, Result: result, Repeatable: true}
}

// serviceParams is the second parameter of Biconomy's methods.
type serviceParams struct {
	Mode               string          `json:"mode"`
	CalculateGasLimits bool            `json:"calculateGasLimits"`
	ExpiryDuration     int64           `json:"expiryDuration,omitempty"` // seconds
	TokenInfo          *tokenInfo      `json:"tokenInfo,omitempty"`
	SponsorshipInfo    sponsorshipInfo `json:"sponsorshipInfo"`
}

// tokenInfo names the token to pay in, or the tokens to quote.
type tokenInfo struct {
	FeeToken  string   `json:"feeTokenAddress,omitempty"`
	Tokens    []string `json:"tokenList,omitzero"` // empty, not nil, asks for all
	Preferred string   `json:"preferredToken,omitempty"`
}

type sponsorshipInfo struct {
	WebhookData any         `json:"webhookData,omitempty"`
	Account     AccountInfo `json:"smartAccountInfo"`
}

// params are those of a request; webhook replaces the data that the client was made with.
func (o options) params(mode string, calculate bool, webhook any) serviceParams {
	if webhook == nil {
		webhook = o.webhook
	}
	p := serviceParams{
		Mode:               mode,
		CalculateGasLimits: calculate,
		ExpiryDuration:     max(0, int64(o.expiry/time.Second)),
		SponsorshipInfo: sponsorshipInfo{
			WebhookData: webhook,
			Account:     AccountInfo{Name: "BICONOMY", Version: "2.0.0"},
		},
	}
	if o.account != nil {
		p.SponsorshipInfo.Account = *o.account
	}
	return p
}

// serviceOperation is an operation in Biconomy's own habit: the gas limits as decimal strings, the other
// numbers in hex.
func serviceOperation(op *userop.Operation) opjson.InForm {
	return opjson.InForm{Operation: (*contracts.UserOperation)(op), Form: opjson.Form{Decimal: true}}
}

// sponsorship is the answer of a service that sponsors, or that says it does not.
type sponsorship userop.Sponsorship

// UnmarshalJSON reads a sponsorship; the gas limits may be hex, decimal strings or numbers, or missing.
func (s *sponsorship) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	var read sponsorship
	obj.Optional("paymasterAndData", (*hexutil.Bytes)(&read.PaymasterAndData))
	read.CallGasLimit = optionalLimit(obj, "callGasLimit")
	read.VerificationGasLimit = optionalLimit(obj, "verificationGasLimit")
	read.PreVerificationGas = optionalLimit(obj, "preVerificationGas")
	if err := obj.Err(); err != nil {
		return err
	}
	*s = read
	return nil
}

// optionalLimit is a number that an answer may have; nil for none.
func optionalLimit(obj *jsonobject.Reader, name string) *uint256.Int {
	if !obj.Has(name) {
		return nil
	}
	limit := new(quantity.Quantity)
	obj.Optional(name, limit)
	return limit.Int()
}

// checked returns the sponsorship, or an error where it is none.
func (s sponsorship) checked() (userop.Sponsorship, error) {
	if err := checkData(s.PaymasterAndData); err != nil {
		return userop.Sponsorship{}, err
	}
	return userop.Sponsorship(s), nil
}

// checkData refuses paymasterAndData that sponsors nothing.
func checkData(paymasterAndData []byte) error {
	switch n := len(paymasterAndData); {
	case n == 0:
		return fmt.Errorf("paymaster: %w: the service answered with an empty paymasterAndData; check that one of its policies covers this call and that it is funded", userop.ErrNotSponsored)
	case n < common.AddressLength:
		return fmt.Errorf("paymaster: %w: the service answered with a paymasterAndData of %d bytes, which is shorter than an address", userop.ErrNotSponsored, n)
	case common.BytesToAddress(paymasterAndData[:common.AddressLength]) == (common.Address{}):
		return fmt.Errorf("paymaster: %w: the service answered with the zero address for a paymaster, so that the account would pay", userop.ErrNotSponsored)
	}
	return nil
}
