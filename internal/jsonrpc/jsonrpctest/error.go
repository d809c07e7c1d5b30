package jsonrpctest

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-sesame/sesame/internal/jsonrpc"
)

// JSON-RPC error codes that scripted services answer with.
const (
	CodeUnknownMethod = jsonrpc.CodeMethodNotFound
	CodeInvalidInput  = jsonrpc.CodeInvalidParams
	CodeServerError   = jsonrpc.CodeServer
)

// Error is a JSON-RPC error as a service answers it. It is what go-ethereum's server takes, too.
type Error struct {
	Code    int
	Message string
	Data    any // nil for none
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// ErrorCode returns the code.
func (e *Error) ErrorCode() int { return e.Code }

// ErrorData returns the data, nil for none.
func (e *Error) ErrorData() any { return e.Data }

// Invalid is the error for a request that is wrong in itself.
func Invalid(format string, args ...any) *Error {
	return &Error{Code: CodeInvalidInput, Message: fmt.Sprintf(format, args...)}
}

// ReadParams reads the first parameters of a request.
func ReadParams(request Request, into ...any) error {
	if len(request.Params) < len(into) {
		return Invalid("%s takes %d parameters, %d given", request.Method, len(into), len(request.Params))
	}
	var errs []error
	for i, dst := range into {
		if err := json.Unmarshal(request.Params[i], dst); err != nil {
			errs = append(errs, fmt.Errorf("parameter %d: %w", i, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Invalid("%v", err)
	}
	return nil
}
