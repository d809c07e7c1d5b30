package kit

import (
	"encoding/json"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/signature"
)

// StubSponsorData has the right shape for estimating, and the contract does not accept it.
func StubSponsorData(paymasterID common.Address) *contracts.VerifyingPaymasterData {
	return &contracts.VerifyingPaymasterData{Paymaster: VerifyingPaymaster(), PaymasterID: paymasterID, ValidUntil: abiword.MaxUint48, Signature: signature.Dummy()}
}

// SponsorContext is the second parameter of pm_sponsorUserOperation and pm_getFeeQuoteOrData, as far as it
// matters here.
type SponsorContext struct {
	Mode               string `json:"mode"`
	CalculateGasLimits bool   `json:"calculateGasLimits"`
	TokenInfo          struct {
		FeeToken  common.Address   `json:"feeTokenAddress"`
		Tokens    []common.Address `json:"tokenList"`
		Preferred common.Address   `json:"preferredToken"`
	} `json:"tokenInfo"`
}

// Modes of the service.
const (
	ModeSponsored = "SPONSORED"
	ModeERC20     = "ERC20"
)

// Sponsorship is the answer. As in the service it stands for, one limit is a decimal string and the others
// are numbers.
type Sponsorship struct {
	Mode                 string        `json:"mode,omitempty"`
	PaymasterAndData     hexutil.Bytes `json:"paymasterAndData"`
	PreVerificationGas   string        `json:"preVerificationGas,omitempty"`
	VerificationGasLimit uint64        `json:"verificationGasLimit,omitempty"`
	CallGasLimit         uint64        `json:"callGasLimit,omitempty"`
}

// StubData is the answer of ERC-7677's two methods.
type StubData struct {
	PaymasterAndData hexutil.Bytes `json:"paymasterAndData"`
	Sponsor          *SponsorName  `json:"sponsor,omitempty"`
	IsFinal          *bool         `json:"isFinal,omitempty"`
}

// SponsorName says who sponsors.
type SponsorName struct {
	Name string `json:"name"`
}

// TokenQuotes is the answer of pm_getFeeQuoteOrData in mode ERC20.
type TokenQuotes struct {
	Mode      string         `json:"mode"`
	Paymaster common.Address `json:"paymasterAddress"`
	Quotes    []*TokenQuote  `json:"feeQuotes"`
}

// TokenQuote is the most that an operation may cost in one token.
type TokenQuote struct {
	Symbol            string         `json:"symbol"`
	Token             common.Address `json:"tokenAddress"`
	Decimals          uint8          `json:"decimal"`
	MaxGasFee         json.Number    `json:"maxGasFee"`
	PremiumPercentage string         `json:"premiumPercentage"`
	ValidUntil        int64          `json:"validUntil"`
	LogoURL           string         `json:"logoUrl"`
}

// DefaultPaymasterID is whose balance at the verifying paymaster pays where nothing else is said.
func DefaultPaymasterID() common.Address { return Address("paymaster ID") }

// The gas limits that scripted services propose, whoever is asked.
const (
	CallGasLimit         = 100_000
	VerificationGasLimit = 200_000
	PreVerificationGas   = 50_000
)
