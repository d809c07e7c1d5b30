package abi

import (
	"log/slog"

	"github.com/go-sesame/sesame/internal/logvalue"
)

// LogValue implements [slog.LogValuer]: the revert in words, and the error's signature where it is known.
func (r Revert) LogValue() slog.Value {
	return logvalue.Error(r, logvalue.Text("revert", r.Signature))
}

// LogValue implements [slog.LogValuer]: the column.
func (e *SyntaxError) LogValue() slog.Value { return logvalue.Error(e, slog.Int("column", e.Column)) }
