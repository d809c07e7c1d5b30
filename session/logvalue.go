package session

import (
	"log/slog"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/logvalue"
	"github.com/go-sesame/sesame/session/internal/line"
)

// LogValue implements [slog.LogValuer]: chain and account.
func (r Ref) LogValue() slog.Value {
	return slog.GroupValue(logvalue.Chain(r.ChainID), logvalue.Account(r.Account))
}

// LogValue implements [slog.LogValuer]: the account, and which of its sessions.
func (r LeafRef) LogValue() slog.Value {
	if r.sessions == nil {
		return slog.StringValue("no session")
	}
	ref := r.sessions.ref
	return slog.GroupValue(logvalue.Chain(ref.ChainID), logvalue.Account(ref.Account), slog.String("session", line.Text(r.id)))
}

// LogValue implements [slog.LogValuer]: whose sessions they are.
func (s *Sessions) LogValue() slog.Value {
	if s == nil {
		return slog.StringValue("no sessions")
	}
	return s.ref.LogValue()
}

// LogValue implements [slog.LogValuer]: the account and the roots.
func (m *RootMismatch) LogValue() slog.Value {
	fields := []slog.Attr{
		logvalue.Chain(m.Ref.ChainID), logvalue.Account(m.Ref.Account),
		slog.String("stored", m.Stored.Hex()), slog.String("leaves", m.Leaves.Hex()),
	}
	if m.Chain != nil {
		fields = append(fields, slog.String("onChain", m.Chain.Hex()))
	}
	if m.TakenBack != (common.Hash{}) {
		fields = append(fields, slog.String("takenBack", m.TakenBack.Hex()))
	}
	return logvalue.Error(m, append(fields, slog.Bool("pending", m.Pending), slog.Int("lost", len(m.Lost)))...)
}

// LogValue implements [slog.LogValuer]: the account, and who stopped what.
func (e *StoppedError) LogValue() slog.Value {
	return logvalue.Error(e, logvalue.Chain(e.Ref.ChainID), logvalue.Account(e.Ref.Account), slog.String("stop", e.Stop.Name),
		slog.String("who", e.Stop.Who), slog.String("why", e.Stop.Why), slog.Time("at", e.Stop.At), slog.Bool("final", e.Stop.Final))
}
