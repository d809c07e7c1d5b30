package jsonrpc

import (
	"log/slog"
	"time"

	"github.com/go-sesame/sesame/internal/logvalue"
)

// LogValue implements [slog.LogValuer]: who was asked what, and what came back. The answer's data is not
// told, which may hold what was asked.
func (e *Error) LogValue() slog.Value {
	return logvalue.Error(e, AnswerAttrs(e.Service, e.Endpoint, e.Method, e.Code, e.HTTPStatus, e.RetryAfter)...)
}

// LogValue implements [slog.LogValuer]: who was asked what, and what came back.
func (e *TransportError) LogValue() slog.Value {
	return logvalue.Error(e, AnswerAttrs(e.Service, e.Endpoint, e.Method, 0, e.HTTPStatus, e.RetryAfter)...)
}

// AnswerAttrs are what a log says of a request that failed; what is zero is left out.
func AnswerAttrs(service, endpoint, method string, code, status int, retryAfter time.Duration) []slog.Attr {
	attrs := []slog.Attr{slog.String("service", service), slog.String("endpoint", endpoint), slog.String("method", method)}
	if code != 0 {
		attrs = append(attrs, slog.Int("code", code))
	}
	if status != 0 {
		attrs = append(attrs, slog.Int("status", status))
	}
	if retryAfter != 0 {
		attrs = append(attrs, slog.Duration("retryAfter", retryAfter))
	}
	return attrs
}
