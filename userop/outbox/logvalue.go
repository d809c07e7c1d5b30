package outbox

import (
	"log/slog"

	"github.com/go-sesame/sesame/internal/logvalue"
)

// LogValue implements [slog.LogValuer]: which send it is and how far. None of its operations is told, as
// whoever has one can send it; by value neither, so that no copy is logged as JSON, which has them.
func (e Entry) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.Uint64("id", e.ID), slog.String("key", e.Key), slog.String("kind", e.Kind), slog.String("state", e.State.String()),
		logvalue.Chain(e.ChainID), logvalue.Account(e.Account),
	}
	if len(e.Attempts) > 0 {
		attrs = append(attrs, logvalue.Hash(e.Latest().Hash), slog.Int("attempts", len(e.Attempts)))
	}
	return slog.GroupValue(attrs...)
}

// LogValue implements [slog.LogValuer]: which operation it is, and not its bytes.
func (a Attempt) LogValue() slog.Value {
	return slog.GroupValue(logvalue.Hash(a.Hash), slog.Uint64("until", a.Until), slog.Time("at", a.At))
}

// LogValue implements [slog.LogValuer]: the entry that has it.
func (e *TakenError) LogValue() slog.Value {
	if e.Entry == nil {
		return logvalue.Error(e)
	}
	return logvalue.Error(e, slog.Attr{Key: "entry", Value: e.Entry.LogValue()})
}

// LogValue implements [slog.LogValuer]: which budget, its limit, what the send may take, and what is left.
func (e *OverBudgetError) LogValue() slog.Value {
	left := e.Usage.Left(&e.Charge.Limit)
	return logvalue.Error(e, logvalue.Chain(e.ChainID), logvalue.Account(e.Account), logvalue.Address("key", e.Charge.Key),
		slog.String("unit", string(e.Charge.Unit)), slog.String("limit", e.Charge.Limit.Dec()),
		slog.String("amount", e.Charge.Amount.Dec()), slog.String("left", left.Dec()))
}
