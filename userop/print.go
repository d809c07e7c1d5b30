package userop

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// String says what the operation is in one line, for people: who acts, the nonce, what is called, the gas
// limits, the fees and who pays. Signatures, the account's and the paymaster's, are told by their length
// only: whoever has an operation with its signature can send it.
func (op Operation) String() string {
	parts := []string{"nonce " + nonceText(&op.Nonce)}
	if len(op.InitCode) > 0 {
		parts = append(parts, "deploys with "+named(op.InitCode, "factory"))
	}
	parts = append(parts,
		callText(op.CallData),
		"gas "+op.Gas().String(),
		"fee "+op.Fees().String())
	if len(op.PaymasterAndData) > 0 {
		parts = append(parts, "paid by "+named(op.PaymasterAndData, "paymaster"))
	}
	parts = append(parts, signatureText(op.Signature))
	return "user operation of " + op.Sender.Hex() + ": " + strings.Join(parts, ", ")
}

// Format implements [fmt.Formatter], so that every verb prints [Operation.String].
func (op Operation) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, op.String()) }

// LogValue implements [slog.LogValuer] with the fields of [Operation.String].
func (op Operation) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("sender", op.Sender.Hex()),
		slog.String("nonce", op.Nonce.Hex()),
		slog.String("call", callText(op.CallData)),
		slog.String("callGasLimit", op.CallGasLimit.Dec()),
		slog.String("verificationGasLimit", op.VerificationGasLimit.Dec()),
		slog.String("preVerificationGas", op.PreVerificationGas.Dec()),
		slog.String("maxFeePerGas", op.MaxFeePerGas.Dec()),
		slog.String("maxPriorityFeePerGas", op.MaxPriorityFeePerGas.Dec()),
		slog.String("signature", signatureText(op.Signature)),
	}
	if len(op.InitCode) > 0 {
		attrs = append(attrs, slog.String("deploys", named(op.InitCode, "factory")))
	}
	if len(op.PaymasterAndData) > 0 {
		attrs = append(attrs, slog.String("payer", named(op.PaymasterAndData, "paymaster")))
	}
	return slog.GroupValue(attrs...)
}

// String says the limits in words.
func (g Gas) String() string {
	return partsText(&g.CallGasLimit, &g.VerificationGasLimit, &g.PreVerificationGas)
}

// String says the fees in words.
func (f Fees) String() string {
	return fmt.Sprintf("at most %s wei per gas, tip %s", f.MaxFeePerGas.Dec(), f.MaxPriorityFeePerGas.Dec())
}

// String says the sum and its parts in words.
func (c Cost) String() string {
	total := c.Total()
	return fmt.Sprintf("%s wei (%s)", total.Dec(), partsText(&c.Call, &c.Verification, &c.PreVerification))
}

// String says the estimate in one line.
func (e Estimate) String() string {
	payer := "the account"
	if e.Paymaster != (common.Address{}) {
		payer = "paymaster " + e.Paymaster.Hex()
	}
	return fmt.Sprintf("at most %s, paid by %s: gas %s; fee %s", e.Cost, payer, e.Gas, e.Fees)
}

func partsText(call, verification, preVerification *uint256.Int) string {
	return fmt.Sprintf("%s call + %s verification + %s pre-verification", call.Dec(), verification.Dec(), preVerification.Dec())
}

// nonceText says a nonce by its two parts where there are two.
func nonceText(nonce *uint256.Int) string {
	lane := new(uint256.Int).Rsh(nonce, 64)
	if lane.IsZero() {
		return nonce.Dec()
	}
	return fmt.Sprintf("%d of lane %s", nonce.Uint64(), lane.Hex())
}

func callText(data []byte) string {
	switch n := len(data); {
	case n == 0:
		return "no call"
	case n < 4:
		return fmt.Sprintf("calls with 0x%x", data)
	default:
		return fmt.Sprintf("calls 0x%x with %d bytes", data[:4], n-4)
	}
}

// named returns the address that bytes begin with, and how many follow.
func named(data []byte, what string) string {
	if len(data) < common.AddressLength {
		return fmt.Sprintf("%d bytes, too short for a %s", len(data), what)
	}
	return fmt.Sprintf("%s %s and %d bytes", what, common.BytesToAddress(data[:common.AddressLength]), len(data)-common.AddressLength)
}

func signatureText(signature []byte) string {
	if len(signature) == 0 {
		return "unsigned"
	}
	return fmt.Sprintf("signed with %d bytes", len(signature))
}
