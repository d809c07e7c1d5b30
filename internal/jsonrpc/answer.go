package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/go-sesame/sesame/internal/jsonobject"
)

// NoMessage begins the message of an [*Error] that came without one; the rest is what came.
const NoMessage = "no message: "

// ErrNull is the cause of the error for a result of null.
var ErrNull = errors.New("the answer is null")

// errNeither is how a service in JavaScript writes a result that is undefined.
var errNeither = errors.New("the answer has neither a result nor an error; is this the service's URL?")

// answer is a JSON-RPC answer; fields that are missing stay nil, null is "null". Version and ID are not
// looked at: services leave them out, and some answer under an ID of their own. One POST has one answer;
// whether it is about what was asked is told by what it names.
type answer struct {
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// parseAnswer reads an answer, also one that came as the only one of a batch.
func parseAnswer(body []byte) (ans answer, err error) {
	if !bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) {
		err = json.Unmarshal(body, &ans)
		return ans, err
	}
	var batch []answer
	if err = json.Unmarshal(body, &batch); err == nil && len(batch) != 1 {
		err = errors.New("not one answer")
	}
	if err != nil {
		return ans, err
	}
	return batch[0], nil
}

// readQuickly reads the result of an answer as services usually write it. False says that it is to be read
// with care: it may be anything.
func (c *Client) readQuickly(resp *http.Response, body []byte, result any) bool {
	if resp.StatusCode < 200 || resp.StatusCode > 299 || int64(len(body)) > c.maxResponse {
		return false
	}
	raw, ok := usualResult(body)
	return ok && jsonobject.Unmarshal(raw, result) == nil
}

// usualResult is the result in an answer that has one and nothing else but a version, an ID, and no error.
func usualResult(body []byte) (json.RawMessage, bool) {
	var space [4]jsonobject.Member
	members, ok := jsonobject.Members(body, space[:0])
	if !ok {
		return nil, false
	}
	var result json.RawMessage
	for _, m := range members {
		switch string(m.Name) {
		case "jsonrpc", "id":
		case "result":
			if result != nil {
				return nil, false
			}
			result = m.Value
		case "error":
			if string(m.Value) != "null" {
				return nil, false
			}
		default:
			return nil, false
		}
	}
	return result, present(result)
}

// decode reads the answer to a request. The service's own error counts whatever the HTTP status is.
func (c *Client) decode(method string, resp *http.Response, body []byte) (json.RawMessage, error) {
	fail := func(cause error) (json.RawMessage, error) {
		failed := c.fail(method, cause)
		failed.unusable, failed.steady = cause != nil, cause == errNeither
		failed.HTTPStatus = resp.StatusCode
		failed.RetryAfter = retryAfter(resp.Header)
		failed.BodyStart = c.endpoint.start(body)
		return nil, failed
	}
	refused := resp.StatusCode < 200 || resp.StatusCode > 299
	ans, err := parseAnswer(body)
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode <= 399:
		return fail(fmt.Errorf("redirects are not followed; use the final URL%s", c.location(resp)))
	case int64(len(body)) > c.maxResponse:
		return fail(fmt.Errorf("the answer is longer than %d bytes", c.maxResponse))
	case err == nil && present(ans.Error):
		return nil, c.serviceError(method, resp, ans.Error)
	case refused:
		return fail(nil)
	case len(bytes.TrimSpace(body)) == 0:
		return fail(errors.New("the answer is empty; is this the service's URL?"))
	case err != nil && bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")):
		return fail(errors.New("the answer is a batch, one answer was expected"))
	case err != nil:
		return fail(errors.New("the answer is not JSON-RPC; is this the service's URL?"))
	case ans.Result == nil:
		return fail(errNeither)
	}
	return ans.Result, nil
}

// unmarshal decodes the result of an answer. One of null, or of another form than was expected, is no trouble
// of the moment: the next try would bring the same.
func (c *Client) unmarshal(method string, raw json.RawMessage, result any) error {
	if string(raw) == "null" {
		failed := c.fail(method, ErrNull)
		failed.unusable, failed.steady = true, true
		return failed
	}
	if err := json.Unmarshal(raw, result); err != nil {
		failed := c.fail(method, fmt.Errorf("unexpected result: %w", c.endpoint.redactError(err)))
		failed.unusable, failed.steady = true, true
		failed.BodyStart = c.endpoint.start(raw)
		return failed
	}
	return nil
}

// location says where a redirect leads, without secrets.
func (c *Client) location(resp *http.Response) string {
	to, err := resp.Location()
	if err != nil {
		return ""
	}
	return " (it points to " + parseEndpoint(to.String()).String() + ")"
}

// serviceError makes the service's error out of the answer's error member.
func (c *Client) serviceError(method string, resp *http.Response, raw json.RawMessage) *Error {
	e := &Error{
		Service:    c.service,
		Endpoint:   c.endpoint.String(),
		Method:     method,
		HTTPStatus: resp.StatusCode,
		RetryAfter: retryAfter(resp.Header),
	}
	var member struct {
		Code    json.RawMessage `json:"code"`
		Message json.RawMessage `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(raw, &member); err != nil {
		e.Message = c.endpoint.message(text(raw)) // an error that is a bare string
		return e
	}
	e.Code, _ = strconv.Atoi(text(member.Code))
	e.Message = c.endpoint.message(text(member.Message))
	if e.Message == "" {
		e.Message = NoMessage + c.endpoint.start(raw)
	}
	if present(member.Data) {
		e.Data = c.endpoint.redactJSON(member.Data)
	}
	return e
}

// text returns what a JSON string says, and anything else as it is written.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

func present(raw json.RawMessage) bool { return raw != nil && string(raw) != "null" }
