package tsstore

import (
	"log/slog"

	"github.com/go-sesame/sesame/internal/logvalue"
)

// LogValue implements [slog.LogValuer]: the file, and the place in it.
func (e *FormatError) LogValue() slog.Value {
	return logvalue.Error(e, logvalue.Text("path", e.Path), logvalue.Text("entry", e.Entry))
}

// LogValue implements [slog.LogValuer]: the account, and how much was found.
func (e *RefusedError) LogValue() slog.Value {
	return logvalue.Error(e, logvalue.Chain(e.Ref.ChainID), logvalue.Account(e.Ref.Account), slog.Int("findings", len(e.Findings)))
}
