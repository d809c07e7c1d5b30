package paymaster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/internal/jsonrpc"
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
	if err := asError(c.rpc.Do(ctx, newRequest("pm_sponsorUserOperation", &answer, (*serviceOperation)(op), params))); err != nil {
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
type serviceOperation userop.Operation

// MarshalJSON writes the operation.
func (op *serviceOperation) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Sender               string            `json:"sender"`
		Nonce                quantity.Quantity `json:"nonce"`
		InitCode             hexutil.Bytes     `json:"initCode"`
		CallData             hexutil.Bytes     `json:"callData"`
		CallGasLimit         string            `json:"callGasLimit"`
		VerificationGasLimit string            `json:"verificationGasLimit"`
		PreVerificationGas   string            `json:"preVerificationGas"`
		MaxFeePerGas         quantity.Quantity `json:"maxFeePerGas"`
		MaxPriorityFeePerGas quantity.Quantity `json:"maxPriorityFeePerGas"`
		PaymasterAndData     hexutil.Bytes     `json:"paymasterAndData"`
		Signature            hexutil.Bytes     `json:"signature"`
	}{
		Sender:               op.Sender.Hex(),
		Nonce:                quantity.Quantity(op.Nonce),
		InitCode:             op.InitCode,
		CallData:             op.CallData,
		CallGasLimit:         op.CallGasLimit.Dec(),
		VerificationGasLimit: op.VerificationGasLimit.Dec(),
		PreVerificationGas:   op.PreVerificationGas.Dec(),
		MaxFeePerGas:         quantity.Quantity(op.MaxFeePerGas),
		MaxPriorityFeePerGas: quantity.Quantity(op.MaxPriorityFeePerGas),
		PaymasterAndData:     op.PaymasterAndData,
		Signature:            op.Signature,
	})
}

// sponsorship is the answer of a service that sponsors, or that says it does not.
type sponsorship userop.Sponsorship

// UnmarshalJSON reads a sponsorship; the gas limits may be hex, decimal strings or numbers, or missing.
func (s *sponsorship) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	var (
		paymasterAndData                hexutil.Bytes
		call, verification, preVerified *quantity.Quantity
	)
	obj.Optional("paymasterAndData", &paymasterAndData)
	obj.Optional("callGasLimit", &call)
	obj.Optional("verificationGasLimit", &verification)
	obj.Optional("preVerificationGas", &preVerified)
	if err := obj.Err(); err != nil {
		return err
	}
	*s = sponsorship{
		PaymasterAndData:     paymasterAndData,
		CallGasLimit:         (*uint256.Int)(call),
		VerificationGasLimit: (*uint256.Int)(verification),
		PreVerificationGas:   (*uint256.Int)(preVerified),
	}
	return nil
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
