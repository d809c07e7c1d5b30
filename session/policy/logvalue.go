package policy

import (
	"log/slog"

	"github.com/go-sesame/sesame/internal/logvalue"
	"github.com/go-sesame/sesame/session/internal/line"
)

// LogValue implements [slog.LogValuer]: session, rule, argument, and what the contract would say.
func (v *Violation) LogValue() slog.Value {
	fields := []slog.Attr{logvalue.Text("session", line.Text(v.Session))}
	if v.Rule != NoRule {
		fields = append(fields, slog.Int("rule", v.Rule))
	}
	return logvalue.Error(v, append(fields, logvalue.Text("arg", v.Arg), logvalue.Text("reason", v.Reason))...)
}

// LogValue implements [slog.LogValuer]: the codes of what was found.
func (e *DangerError) LogValue() slog.Value {
	codes := make([]FindingCode, len(e.Findings))
	for i, f := range e.Findings {
		codes[i] = f.Code
	}
	return logvalue.Error(e, slog.Any("findings", codes))
}
