package userop

import (
	"log/slog"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/logvalue"
)

// LogValue implements [slog.LogValuer] with what [Operation.String] says: no signature, and of the call its
// selector.
func (op Operation) LogValue() slog.Value {
	attrs := []slog.Attr{
		logvalue.Account(op.Sender),
		slog.String("nonce", op.Nonce.Hex()),
		slog.String("call", callText(op.CallData)),
		slog.String("callGasLimit", op.CallGasLimit.Dec()),
		slog.String("verificationGasLimit", op.VerificationGasLimit.Dec()),
		slog.String("preVerificationGas", op.PreVerificationGas.Dec()),
		slog.String("maxFeePerGas", op.MaxFeePerGas.Dec()),
		slog.String("maxPriorityFeePerGas", op.MaxPriorityFeePerGas.Dec()),
		slog.String("signature", signatureText(op.Signature)),
	}
	if len(op.InitCode) >= common.AddressLength {
		attrs = append(attrs, logvalue.Address("factory", common.Address(op.InitCode[:common.AddressLength])))
	}
	if len(op.PaymasterAndData) >= common.AddressLength {
		attrs = append(attrs, logvalue.Address("paymaster", common.Address(op.PaymasterAndData[:common.AddressLength])))
	}
	return slog.GroupValue(attrs...)
}

// LogValue implements [slog.LogValuer]: which operation it is, and who took it where there are several.
func (p *Pending) LogValue() slog.Value {
	if p == nil || p.sender == nil {
		return slog.StringValue("no operation")
	}
	attrs := []slog.Attr{logvalue.Chain(p.sender.cfg.ChainID), logvalue.Hash(p.hash)}
	if p.op != nil {
		attrs = append(attrs, logvalue.Account(p.op.Sender), slog.String("nonce", p.op.Nonce.Hex()))
	}
	if name := p.Bundler(); name != "" {
		attrs = append(attrs, slog.String("bundler", name))
	}
	return slog.GroupValue(attrs...)
}

// LogValue implements [slog.LogValuer]: step, account, hash, and what the cause says of itself.
func (e *Error) LogValue() slog.Value {
	fields := []slog.Attr{slog.String("step", string(e.Step)), logvalue.Account(e.Sender)}
	if e.Operation != nil {
		fields = append(fields, logvalue.Hash(e.Hash), slog.String("nonce", e.Operation.Nonce.Hex()))
	}
	return logvalue.Error(e, append(fields, slog.Bool("given", e.Given), slog.Bool("refused", e.Refused))...)
}

// LogValue implements [slog.LogValuer]: the receipt and the revert's name.
func (e *RevertError) LogValue() slog.Value {
	return logvalue.Error(e, logvalue.Account(e.Receipt.Sender), logvalue.Hash(e.Receipt.UserOpHash),
		slog.String("transaction", e.Receipt.TransactionHash.Hex()), slog.Uint64("block", e.Receipt.BlockNumber))
}

// LogValue implements [slog.LogValuer]: account, hash, nonce, and what ended the operation.
func (e *EndedError) LogValue() slog.Value {
	fields := []slog.Attr{logvalue.Account(e.Sender), logvalue.Hash(e.Hash), slog.String("nonce", e.Nonce.Hex())}
	if e.By != (common.Hash{}) {
		fields = append(fields, slog.String("by", e.By.Hex()), slog.String("transaction", e.Transaction.Hex()))
	} else {
		fields = append(fields, slog.Uint64("until", e.Until))
	}
	return logvalue.Error(e, fields...)
}

// LogValue implements [slog.LogValuer]: hash, how long was waited, and what was seen.
func (e *WaitError) LogValue() slog.Value {
	fields := []slog.Attr{logvalue.Hash(e.Hash), slog.Duration("waited", e.Waited)}
	if e.Seen != nil {
		fields = append(fields, logvalue.Account(e.Seen.Sender), slog.Uint64("block", e.Seen.BlockNumber), slog.Bool("lost", e.Lost))
	}
	return logvalue.Error(e, fields...)
}

// LogValue implements [slog.LogValuer]: the code and its reason.
func (e *AAError) LogValue() slog.Value {
	return logvalue.Error(e, slog.String("aa", e.Code), logvalue.Text("reason", e.Reason))
}

// LogValue implements [slog.LogValuer]: what the guard says.
func (e *NotHandedOnError) LogValue() slog.Value { return logvalue.Error(e) }
