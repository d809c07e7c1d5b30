package accounttest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/internal/reason"
	"github.com/go-sesame/sesame/userop"
)

// ModelRequest is a request that a service of a [Model] got.
type ModelRequest struct {
	// Method is the JSON-RPC method that a real service would have been asked.
	Method string
	// Operation is a copy of the one that the request is about, Hash its hash where that alone was given.
	Operation *userop.Operation
	Hash      common.Hash
}

// script is what a service of a model does instead of its work, and the log of what it was asked. The model's
// lock guards it.
type script struct {
	log     []ModelRequest
	broken  error   // of every request
	refuses []error // of the operations that come next
}

// enter notes a request, and returns the error that it is to have.
func (s *script) enter(ctx context.Context, r ModelRequest) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.Operation != nil {
		r.Operation = r.Operation.Clone()
	}
	s.log = append(s.log, r)
	return s.broken
}

// refuse puts a refusal at the end of the script; nil refuses nothing.
func (s *script) refuse(err error) {
	if v := reflect.ValueOf(err); err != nil && !(v.Kind() == reflect.Pointer && v.IsNil()) {
		s.refuses = append(s.refuses, err)
	}
}

// refusal takes the next refusal off the script, nil if there is none.
func (s *script) refusal() (err error) {
	if len(s.refuses) > 0 {
		err, s.refuses = s.refuses[0], s.refuses[1:]
	}
	return err
}

// answerOf is a service's error as a client has it from its JSON-RPC answer; nil for an error that is none.
func answerOf(service, method string, err error) *reason.Answer {
	failed, ok := errors.AsType[*jsonrpctest.Error](err)
	if !ok {
		return nil
	}
	answer := &jsonrpc.Error{Service: service, Method: method, Code: failed.Code, Message: failed.Message, HTTPStatus: http.StatusOK}
	if failed.Data != nil {
		answer.Data, _ = json.Marshal(failed.Data) // a string
	}
	read, _ := reason.AnswerIn(answer)
	return read
}

// complete fills in what a client reads out of an answer.
func complete(answer reason.Answer, method string) *reason.Answer {
	why := reason.Of(answer.Message, answer.Data)
	answer.Method = cmp.Or(answer.Method, method)
	answer.AA, answer.Revert = cmp.Or(answer.AA, why.AA), cmp.Or(answer.Revert, why.Revert)
	return &answer
}
