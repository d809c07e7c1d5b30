package reason

import (
	"log/slog"

	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/internal/logvalue"
)

// Logged is what a log says of an answer that is told as that error: who was asked what, and what came
// back. The answer's data is not told, which may hold what was asked.
func (a *Answer) Logged(err error, service string) slog.Value {
	return logvalue.Error(err, jsonrpc.AnswerAttrs(service, a.Endpoint, a.Method, a.Code, a.HTTPStatus, a.RetryAfter)...)
}
