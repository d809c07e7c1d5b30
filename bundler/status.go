package bundler

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/userop"
)

// ErrNoStatus means that the bundler has no method that tells an operation's state. Its receipt tells whether
// it was included.
var ErrNoStatus = errors.New("no operation status offered")

// State is how far an operation has come.
type State int

// The states of an operation, from both vendors' words.
const (
	// Unknown: the bundler does not know the operation, or says something unheard of.
	Unknown State = iota
	// Pending: in the bundler's mempool.
	Pending
	// Submitted: in a transaction that is not yet mined.
	Submitted
	// Included: on chain. Whether its call succeeded is in the receipt.
	Included
	// Dropped: given up by the bundler without a transaction, as it says.
	Dropped
	// Reverted: in a transaction that reverted as a whole, so that it was not executed, as the bundler says.
	Reverted
)

// states maps what Biconomy and Pimlico say, in lower case.
var states = map[string]State{
	"bundler_mempool":              Pending,
	"submitted":                    Submitted,
	"confirmed":                    Included,
	"dropped_from_bundler_mempool": Dropped,
	"failed":                       Reverted,

	"not_found":     Unknown,
	"not_submitted": Pending,
	"queued":        Pending,
	"included":      Included,
	"rejected":      Dropped,
	"reverted":      Reverted,
}

// String names the state in lower case.
func (s State) String() string {
	names := [...]string{"unknown", "pending", "submitted", "included", "dropped", "reverted"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("state %d", int(s))
	}
	return names[s]
}

// Final reports whether the bundler does nothing more about the operation. It is the bundler's word: what the
// chain shows decides, which an operation that was given away may still reach.
func (s State) Final() bool { return s >= Included }

// Status is what the bundler says of an operation.
type Status struct {
	State State
	// Raw is the bundler's own word for the state.
	Raw string
	// TransactionHash is zero before the operation is in a transaction.
	TransactionHash common.Hash
}

// status is an answer that says how far an operation has come.
type status Status

// UnmarshalJSON reads either vendor's answer.
func (s *status) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	var read status
	name := "state" // Biconomy's
	if !obj.Has(name) {
		name = "status" // Pimlico's
	}
	obj.Require(name, &read.Raw)
	obj.OptionalHex("transactionHash", &read.TransactionHash)
	if err := obj.Err(); err != nil {
		return err
	}
	read.State = states[strings.ToLower(read.Raw)]
	*s = read
	return nil
}

// UserOperationStatus returns how far an operation has come: biconomy_getUserOperationStatus or
// pimlico_getUserOperationStatus, whichever the service offers. An operation the bundler does not know has
// the state [Unknown]. A bundler that offers neither is an error matching [ErrNoStatus]. It asks once.
func (c *Client) UserOperationStatus(ctx context.Context, hash common.Hash) (Status, error) {
	q := newStatusQuestion(hash)
	return q.status(c.status.ask(ctx, c.rpc, q.biconomy, q.pimlico))
}

// statusQuestion asks for the status of an operation in both vendors' forms.
type statusQuestion struct {
	biconomy, pimlico question
	answers           [2]status // Biconomy's, Pimlico's
	unknown           [2]bool   // that the hash is not known was answered in another way than by a state
}

func newStatusQuestion(hash common.Hash) *statusQuestion {
	q := new(statusQuestion)
	ask := func(method string, i int) question {
		return question{
			Request:  jsonrpc.Request{Method: method, Params: []any{hash}, Result: &q.answers[i]},
			notFound: func(err error) error { return q.notFound(i, err, hash) },
		}
	}
	q.biconomy = ask("biconomy_getUserOperationStatus", 0)
	q.pimlico = ask("pimlico_getUserOperationStatus", 1)
	return q
}

// notFound takes null, and words for an unknown hash, for an answer. Bare words under the code of a missing
// method may be either; they tell nothing about what the service offers.
func (q *statusQuestion) notFound(i int, err error, hash common.Hash) error {
	failed := notFound(err, hash)
	if !errors.Is(failed, userop.ErrNotFound) {
		return failed
	}
	result := &q.answers[i]
	*result, q.unknown[i] = status{State: Unknown, Raw: "null"}, true
	if answer := (*Error)(nil); errors.As(err, &answer) {
		if result.Raw = answer.Message; answer.Code == jsonrpc.CodeMethodNotFound {
			return failed
		}
	}
	return nil
}

// status is what was answered.
func (q *statusQuestion) status(vendor Vendor, err error) (Status, error) {
	switch {
	case errors.Is(err, errNotOffered):
		return Status{}, fmt.Errorf("%w: %w", ErrNoStatus, err)
	case errors.Is(err, userop.ErrNotFound) && vendor == Pimlico:
		return Status(q.answers[1]), nil
	case errors.Is(err, userop.ErrNotFound):
		return Status(q.answers[0]), nil
	case err != nil:
		return Status{}, err
	case vendor == Pimlico:
		return Status(q.answers[1]), nil
	}
	return Status(q.answers[0]), nil
}

// UserOperationDropped reports whether the bundler says that it gave the operation up, or that the
// transaction it was in reverted as a whole: that is not sent again. A bundler without a status method never
// says so.
func (c *Client) UserOperationDropped(ctx context.Context, hash common.Hash) (bool, error) {
	q := newStatusQuestion(hash)
	told, err := q.status(c.status.ask(ctx, c.rpc, q.biconomy, q.pimlico))
	if errors.Is(err, ErrNoStatus) {
		return false, nil
	}
	return told.State == Dropped || told.State == Reverted, err
}

// UserOperationLost reports whether the bundler says that it does not know the operation, as after it lost
// its mempool. A bundler without a status method never says so, nor does one that says something unheard of.
func (c *Client) UserOperationLost(ctx context.Context, hash common.Hash) (bool, error) {
	q := newStatusQuestion(hash)
	told, err := q.status(c.status.ask(ctx, c.rpc, q.biconomy, q.pimlico))
	if errors.Is(err, ErrNoStatus) {
		return false, nil
	}
	_, heard := states[strings.ToLower(told.Raw)]
	return told.State == Unknown && (heard || q.unknown != [2]bool{}) && err == nil, err
}
