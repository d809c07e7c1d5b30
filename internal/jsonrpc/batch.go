package jsonrpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// ErrNoBatch means that a service takes one request at a time.
var ErrNoBatch = errors.New("the service takes no batch of requests")

// errUnanswered is what becomes of a request that the answer to its batch says nothing of.
var errUnanswered = errors.New("the answer to the batch does not answer it")

// DoAll sends requests as one batch, once. It decodes the result of each answer, and returns what each failed
// with, in their order, nil for none. The error is why the batch as a whole has no answer; it matches
// [ErrNoBatch] where the service refuses batches, as whatever it refuses in another way than for now is taken
// for: single requests tell more.
func (c *Client) DoAll(ctx context.Context, requests []Request) ([]error, error) {
	if len(requests) == 0 {
		return nil, nil
	}
	start, method := time.Now(), requests[0].Method
	ctx, call := c.observer.Begin(ctx, method, len(requests))
	defer call.Left(ctx)
	ids := make([]uint64, len(requests))
	x := exchanges.Get().(*exchange)
	defer x.release()
	var answers map[uint64]answer
	until := limit{start.Add(c.timeout), c.timeout}
	via, err := c.prepare(ctx, until, method, x, func(b []byte) (_ []byte, err error) {
		for i, r := range requests {
			b = append(b, "[,"[min(i, 1)])
			if b, ids[i], err = appendRequest(b, r); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	})
	var resp *http.Response
	switch {
	case err != nil:
	case via == nil:
		resp, err = c.overWire(ctx, until, method, x)
	default:
		resp, err = c.http.Do(via.Request)
		resp, err = c.answered(via, method, x, resp, err)
	}
	if err == nil {
		answers, err = c.decodeAll(method, resp, x.answer, len(requests))
	}
	call.Tried(ctx, ids[0], start, err, false)
	if call.End(ctx, err); err != nil {
		return nil, err
	}
	failures := make([]error, len(requests))
	for i, r := range requests {
		ans, ok := answers[ids[i]]
		switch {
		case !ok:
			failures[i] = c.unusable(r.Method, errUnanswered)
		case present(ans.Error):
			failures[i] = c.serviceError(r.Method, resp, ans.Error)
		case ans.Result == nil:
			failures[i] = c.unusable(r.Method, errNeither)
		default:
			failures[i] = c.unmarshal(r.Method, ans.Result, r.Result)
		}
	}
	return failures, nil
}

// unusable is for an answer under a status of success that is none.
func (c *Client) unusable(method string, cause error) error {
	failed := c.fail(method, cause)
	failed.unusable = true
	return failed
}

// decodeAll reads the answers to a batch by their IDs.
func (c *Client) decodeAll(method string, resp *http.Response, body []byte, asked int) (map[uint64]answer, error) {
	var batch []struct {
		ID json.RawMessage `json:"id"`
		answer
	}
	tooLong := int64(len(body)) > c.maxResponse
	if tooLong || !bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) || json.Unmarshal(body, &batch) != nil {
		_, err := c.decode(method, resp, body)
		if err == nil || refusesBatches(err) && !tooLong {
			return nil, c.noBatch(method, err)
		}
		return nil, err
	}
	answers := make(map[uint64]answer, len(batch))
	for _, ans := range batch {
		if id, err := strconv.ParseUint(text(ans.ID), 10, 64); err == nil {
			answers[id] = ans.answer
		}
	}
	if len(answers) == 0 && len(batch) == 1 && asked > 1 && present(batch[0].Error) {
		return nil, c.noBatch(method, c.serviceError(method, resp, batch[0].Error))
	}
	return answers, nil
}

// noBatch is an error that matches [ErrNoBatch].
func (c *Client) noBatch(method string, answer error) error {
	if answer == nil {
		answer = c.fail(method, errors.New("the answer to a batch is a single one"))
	}
	return fmt.Errorf("%w: %w", ErrNoBatch, answer)
}

// refusesBatches reports whether an answer to a batch refuses it for what it is: it is an error of the
// service's that does not pass, or a status that refuses the request's form.
func refusesBatches(err error) bool {
	if answered, ok := errors.AsType[*Error](err); ok {
		return !answered.Temporary()
	}
	failed, ok := errors.AsType[*TransportError](err)
	if !ok {
		return false
	}
	switch failed.HTTPStatus {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusNotImplemented:
		return true
	}
	return false
}
