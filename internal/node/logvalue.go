package node

import (
	"log/slog"

	"github.com/go-sesame/sesame/internal/logvalue"
)

// LogValue implements [slog.LogValuer]: which node it is.
func (e *Error) LogValue() slog.Value {
	return logvalue.Error(e, slog.String("service", "node"), logvalue.Text("host", e.Host))
}
