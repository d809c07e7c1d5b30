package account

import (
	"log/slog"
	"strconv"

	"github.com/go-sesame/sesame/internal/logvalue"
)

// LogValue implements [slog.LogValuer]: account, owner, and the hash by which it is known again. What is in
// the operation is not told: that is what [Prepared.Describe] is for.
func (p *Prepared) LogValue() slog.Value {
	if p == nil {
		return slog.StringValue("nothing prepared")
	}
	ref := p.Ref()
	return slog.GroupValue(logvalue.Chain(ref.ChainID), logvalue.Account(ref.Account), logvalue.Address("owner", p.owner),
		slog.String("prepared", p.hash.Hex()), slog.Int("operations", len(p.legs)))
}

// LogValue implements [slog.LogValuer]: account and key.
func (e *KeyReusedError) LogValue() slog.Value {
	return logvalue.Error(e, logvalue.Chain(e.Ref.ChainID), logvalue.Account(e.Ref.Account), slog.String("key", e.Key))
}

// LogValue implements [slog.LogValuer]: the operation's account, the AA code, and the revert.
func (e *SimulationError) LogValue() slog.Value {
	var fields []slog.Attr
	if e.Operation != nil {
		fields = append(fields, logvalue.Account(e.Operation.Sender))
	}
	return logvalue.Error(e, fields...)
}

// LogValue implements [slog.LogValuer]: each leg that failed, by its number.
func (e *LegsError) LogValue() slog.Value {
	var legs []any
	for i, err := range e.Errs {
		if err != nil {
			legs = append(legs, slog.Any(strconv.Itoa(i), err))
		}
	}
	return slog.GroupValue(slog.String("msg", e.Error()), slog.Group("legs", legs...))
}
