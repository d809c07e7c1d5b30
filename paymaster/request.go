package paymaster

import (
	"encoding/json"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/internal/quantity"
	"github.com/go-sesame/sesame/userop"
)

// question is a request to a service. It costs nothing until the operation is sent, so that it is asked again where
// that helps.
func question(method string, result any, params ...any) jsonrpc.Request {
	return jsonrpc.Request{Method: method, Params: params, Result: result, Repeatable: true}
}

// Modes of Biconomy's service.
const (
	modeSponsored = "SPONSORED"
	modeERC20     = "ERC20"
)

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
