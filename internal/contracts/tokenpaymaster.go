package contracts

import (
	"errors"
	"fmt"
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
)

// TokenPaymaster returns the interface of the token paymaster, as far as clients meet it.
func TokenPaymaster() *Contract { return tokenPaymaster() }

var tokenPaymaster = sync.OnceValue(func() *Contract {
	return mustParse(`
event TokenPaymasterOperation(address indexed sender, address indexed token, uint256 indexed totalCharge, address oracleAggregator, uint32 priceMarkup, bytes32 userOpHash, uint256 exchangeRate, uint8 priceSource)
event TokenPaymentDue(address indexed token, address indexed account, uint256 indexed charge)
`)
})

// TokenPaymasterOperationTopic is the first topic of the log about a fee that was taken in a token.
var TokenPaymasterOperationTopic = common.HexToHash("0x7c405b9cef9e824a5cf31a09e7b8810d01d9db34ee384388f33b438608807e1a")

// TokenPaymasterOperation is what the token paymaster logs for an operation that it was paid for.
type TokenPaymasterOperation struct {
	Sender, Token common.Address
	// Charge is what was taken from the sender, in the token's smallest unit.
	Charge     uint256.Int
	UserOpHash common.Hash
}

// DecodeTokenPaymasterOperation reads a TokenPaymasterOperation. See [abi.Event.Decode] for the errors, and
// for what the caller has to check.
func DecodeTokenPaymasterOperation(log *types.Log) (TokenPaymasterOperation, error) {
	v, err := tokenPaymaster().events[TokenPaymasterOperationTopic].Decode(log)
	if err != nil {
		return TokenPaymasterOperation{}, err
	}
	return TokenPaymasterOperation{
		Sender:     v[0].(common.Address),
		Token:      v[1].(common.Address),
		Charge:     toUint256(v[2]),
		UserOpHash: v[5].(common.Hash),
	}, nil
}

// TokenPaymentDueTopic is the first topic of the log about a fee that could not be taken.
var TokenPaymentDueTopic = common.HexToHash("0x41614445ea2ab6d87c504bdfc83cb5cb840e7219aa772383baff1ab0dd2a3113")

// TokenPaymentDue is what the token paymaster logs where it could not take its fee from the account: the
// operation was included then, its calls undone, and there is no revert reason. It does not name the
// operation.
type TokenPaymentDue struct {
	Token, Account common.Address
	// Charge is what could not be taken, in the token's smallest unit.
	Charge uint256.Int
}

// DecodeTokenPaymentDue reads a TokenPaymentDue, as [DecodeTokenPaymasterOperation] does its event.
func DecodeTokenPaymentDue(log *types.Log) (TokenPaymentDue, error) {
	v, err := tokenPaymaster().events[TokenPaymentDueTopic].Decode(log)
	if err != nil {
		return TokenPaymentDue{}, err
	}
	return TokenPaymentDue{Token: v[0].(common.Address), Account: v[1].(common.Address), Charge: toUint256(v[2])}, nil
}

// TokenPaymasterVerificationGas is what an operation's verificationGasLimit has to be above, for the token
// paymaster to take its fee within the same limit.
const TokenPaymasterVerificationGas = 45_000

// TokenPaymasterOverhead is the gas that the token paymaster charges for beside what the EntryPoint counts,
// at the price that the bundler's transaction pays.
const TokenPaymasterOverhead = 45_000

// PriceQuoted is the [TokenPaymasterData].Source of a final rate.
const PriceQuoted = 0

// MarkupUnit is a markup of nothing: markups are millionths of the price.
const MarkupUnit = 1_000_000

// TokenPaymasterData is the paymasterAndData of an operation that is paid for in a token: paymaster ‖ uint8
// source ‖ abi.encode(uint48 validUntil, uint48 validAfter, address token, address oracle, uint256 rate,
// uint32 markup) ‖ signature.
type TokenPaymasterData struct {
	Paymaster common.Address
	// Source is [PriceQuoted] where Rate is final, and 1 where the paymaster asks Oracle for a newer one.
	Source uint8
	// ValidUntil and ValidAfter are Unix seconds; ValidUntil 0 is without an end.
	ValidUntil, ValidAfter uint64
	Token, Oracle          common.Address
	// Rate is what one ether costs, in the token's smallest unit.
	Rate uint256.Int
	// Markup multiplies the price, in millionths: 1,000,000 is none.
	Markup    uint32
	Signature []byte
}

// Where the parts of the data begin.
const (
	tokenSourceAt    = common.AddressLength
	tokenTermsAt     = tokenSourceAt + 1
	tokenSignatureAt = tokenTermsAt + 6*abiword.Size
)

var tokenTerms = sync.OnceValue(func() *abi.Function {
	return abi.MustParseFunction("function terms() returns (uint48 validUntil, uint48 validAfter, address token, address oracle, uint256 rate, uint32 markup)")
})

// DecodeTokenPaymasterData reads the paymasterAndData of an operation that is paid for in a token.
func DecodeTokenPaymasterData(data []byte) (TokenPaymasterData, error) {
	if len(data) < tokenSignatureAt {
		return TokenPaymasterData{}, fmt.Errorf("paymasterAndData of a token paymaster: %d bytes where at least %d are needed", len(data), tokenSignatureAt)
	}
	v, err := tokenTerms().UnpackResult(data[tokenTermsAt:tokenSignatureAt])
	if err != nil {
		return TokenPaymasterData{}, fmt.Errorf("paymasterAndData of a token paymaster: %w", err)
	}
	return TokenPaymasterData{
		Paymaster:  common.BytesToAddress(data[:tokenSourceAt]),
		Source:     data[tokenSourceAt],
		ValidUntil: v[0].(*big.Int).Uint64(),
		ValidAfter: v[1].(*big.Int).Uint64(),
		Token:      v[2].(common.Address),
		Oracle:     v[3].(common.Address),
		Rate:       toUint256(v[4]),
		Markup:     v[5].(uint32),
		Signature:  data[tokenSignatureAt:],
	}, nil
}

// Pack returns the paymasterAndData.
func (d *TokenPaymasterData) Pack() []byte {
	data := make([]byte, 0, tokenSignatureAt+len(d.Signature))
	data = append(data, d.Paymaster[:]...)
	data = append(data, d.Source)
	data = append(data, d.PackTerms()...)
	return append(data, d.Signature...)
}

// PackTerms returns the part of the data that says what is paid, as the paymaster's signer signs it.
func (d *TokenPaymasterData) PackTerms() []byte {
	terms := make([]byte, 0, tokenSignatureAt-tokenTermsAt)
	terms = abiword.AppendUint64(terms, d.ValidUntil)
	terms = abiword.AppendUint64(terms, d.ValidAfter)
	terms = abiword.AppendAddress(terms, d.Token)
	terms = abiword.AppendAddress(terms, d.Oracle)
	terms = abiword.AppendUint256(terms, &d.Rate)
	return abiword.AppendUint64(terms, uint64(d.Markup))
}

var errTooDear = errors.New("the price does not fit into 256 bits")

// Fee returns what wei cost in the token, in its smallest unit and rounded as the contract does: down.
func (d *TokenPaymasterData) Fee(wei *uint256.Int) (uint256.Int, error) {
	var fee uint256.Int
	if _, overflow := fee.MulDivOverflow(wei, &d.Rate, uint256.NewInt(1e18)); overflow {
		return uint256.Int{}, errTooDear
	}
	if _, overflow := fee.MulDivOverflow(&fee, uint256.NewInt(uint64(d.Markup)), uint256.NewInt(MarkupUnit)); overflow {
		return uint256.Int{}, errTooDear
	}
	return fee, nil
}
