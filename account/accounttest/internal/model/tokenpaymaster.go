package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/userop"
)

// tokenOverhead is the gas that the token paymaster charges for beside what the EntryPoint has counted.
const tokenOverhead = 45_000

const paymentDueEvent = "TokenPaymentDue(address,address,uint256)"

func tokenPaymasterMethods() map[string]method {
	return map[string]method{validatePaymaster: {run: validateOnly(validateToken)}}
}

// tokenBill is an operation that an account pays for in a token.
type tokenBill struct {
	*call
	op    *userop.Operation
	hash  common.Hash
	price contracts.TokenPaymasterData
}

// validateToken is the token paymaster's judgement.
func validateToken(c *call, op *userop.Operation, hash common.Hash, _ *uint256.Int) (postOp, validation, error) {
	if !op.VerificationGasLimit.GtUint64(tokenOverhead) {
		return nil, validation{}, reason("BTPM: gas too low for postOp")
	}
	price, err := readPrice(op.PaymasterAndData)
	if err != nil {
		return nil, validation{}, err
	}
	v := validation{until: price.ValidUntil, after: price.ValidAfter}
	signer, err := recoverSigner(messageHash(kit.TokenHash(op, &price, c.ChainID)), price.Signature)
	if err != nil {
		return nil, v, err
	}
	if v.failed = signer != c.Signer; v.failed {
		return nil, v, nil
	}
	bill := &tokenBill{call: c, op: op, hash: hash, price: price}
	return bill.charge, v, bill.checkBalance()
}

// readPrice reads paymasterAndData as the contract does.
func readPrice(data []byte) (price contracts.TokenPaymasterData, err error) {
	const sourceAt, signatureAt = common.AddressLength, common.AddressLength + 1 + 6*abi.WordSize
	if len(data) < signatureAt {
		return price, reason("BTPM: Invalid length for paymasterAndData")
	}
	if data[sourceAt] > 1 {
		return price, panicked(0x21) // no such member of an enumeration
	}
	if price, err = contracts.DecodeTokenPaymasterData(data); err != nil {
		return price, bare()
	}
	if len(price.Signature) != crypto.SignatureLength {
		return price, reason("BTPM: invalid signature length in paymasterAndData")
	}
	return price, nil
}

// checkBalance reverts where the account does not have what the operation may cost at the signed rate.
func (b *tokenBill) checkBalance() error {
	gas := new(uint256.Int).Add(&b.op.CallGasLimit, &b.op.VerificationGasLimit)
	gas.Add(gas, &b.op.PreVerificationGas).AddUint64(gas, tokenOverhead)
	tokens, ok := inTokens(gas.Mul(gas, &b.op.MaxFeePerGas), &b.price.Rate)
	switch {
	case !ok:
		return panicked(0x11)
	case tokens.IsZero():
		return reason("BTPM: calculated token charge invalid")
	case b.price.Markup > 2*contracts.MarkupUnit:
		return reason("BTPM: price markup percentage too high")
	case b.price.Markup < contracts.MarkupUnit:
		return reason("BTPM: price markup percentage too low")
	}
	result, err := b.call.call(b.price.Token, new(uint256.Int), contracts.BalanceOf(b.op.Sender))
	if err != nil {
		return err
	}
	balance, err := contracts.DecodeUint256(result)
	if err != nil {
		return bare()
	}
	most, ok := b.marked(&tokens)
	switch {
	case !ok:
		return panicked(0x11)
	case balance.Lt(&most):
		return reason("BTPM: account does not have enough token balance")
	}
	return nil
}

// charge takes what the operation cost, from the account's allowance. Where it cannot although the calls were
// undone, it notes what is due.
func (b *tokenBill) charge(cost *uint256.Int, undone bool) error {
	rate, err := b.rate()
	if err != nil {
		return err
	}
	wei := new(uint256.Int).Mul(uint256.NewInt(tokenOverhead), b.gasPrice(b.op))
	tokens, ok := inTokens(wei.Add(wei, cost), &rate)
	if !ok {
		return panicked(0x11)
	}
	amount, ok := b.marked(&tokens)
	if !ok {
		return panicked(0x11)
	}
	transfer := pack("transferFrom(address,address,uint256)", word(b.op.Sender), word(b.self), numberWord(&amount))
	_, err = b.call.call(b.price.Token, new(uint256.Int), transfer)
	switch {
	case undone && err != nil:
		b.emit(paymentDueEvent, []common.Hash{word(b.price.Token), word(b.op.Sender), numberWord(&amount)})
		return nil
	case undone || err != nil:
		return err
	}
	b.log(b.self, []common.Hash{contracts.TokenPaymasterOperationTopic, word(b.op.Sender), word(b.price.Token), numberWord(&amount)},
		flat([]common.Hash{word(b.price.Oracle), uintWord(uint64(b.price.Markup)), b.hash, numberWord(&rate), uintWord(uint64(b.price.Source))}))
	return nil
}

// native is an oracle's address that stands for none.
var native = common.HexToAddress("0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE")

// rate is the oracle's where the price names one and it answers, else the signed one.
func (b *tokenBill) rate() (uint256.Int, error) {
	oracle := b.price.Oracle
	if b.price.Source != 1 || oracle == (common.Address{}) || oracle == native {
		return b.price.Rate, nil
	}
	if !b.HasCode(oracle) {
		return b.price.Rate, bare()
	}
	result, err := b.call.call(oracle, new(uint256.Int), pack(oracleRate, word(b.price.Token)))
	if err != nil {
		return b.price.Rate, nil
	}
	rate, err := contracts.DecodeUint256(result)
	switch {
	case err != nil:
		return rate, bare()
	case rate.IsZero():
		return b.price.Rate, nil
	}
	return rate, nil
}

// marked puts the markup on an amount; false where that does not fit into 256 bits.
func (b *tokenBill) marked(tokens *uint256.Int) (amount uint256.Int, ok bool) {
	_, overflow := amount.MulOverflow(tokens, uint256.NewInt(uint64(b.price.Markup)))
	amount.Div(&amount, uint256.NewInt(contracts.MarkupUnit))
	return amount, !overflow
}

// inTokens is what wei cost at a rate for one ether; false where that does not fit into 256 bits.
func inTokens(wei, rate *uint256.Int) (tokens uint256.Int, ok bool) {
	_, overflow := tokens.MulOverflow(wei, rate)
	tokens.Div(&tokens, uint256.NewInt(params.Ether))
	return tokens, !overflow
}
