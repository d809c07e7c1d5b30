package bundler

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/internal/jsonrpc"
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
	// Dropped: given up by the bundler without a transaction. It will not be included.
	Dropped
	// Reverted: in a transaction that reverted as a whole, so that it was not executed.
	Reverted
)

// states maps what Biconomy and Pimlico say.
var states = map[string]State{
	"BUNDLER_MEMPOOL":              Pending,
	"SUBMITTED":                    Submitted,
	"CONFIRMED":                    Included,
	"DROPPED_FROM_BUNDLER_MEMPOOL": Dropped,

	"not_found":     Unknown,
	"not_submitted": Pending,
	"queued":        Pending,
	"submitted":     Submitted,
	"included":      Included,
	"rejected":      Dropped,
	"reverted":      Reverted,
	"failed":        Reverted,
}

// String names the state in lower case.
func (s State) String() string {
	names := [...]string{"unknown", "pending", "submitted", "included", "dropped", "reverted"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("state %d", int(s))
	}
	return names[s]
}

// Final reports whether the state will not change any more.
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
	obj.Optional("transactionHash", &read.TransactionHash)
	if err := obj.Err(); err != nil {
		return err
	}
	read.State = states[read.Raw]
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
	biconomy, pimlico jsonrpc.Request
	answers           [2]status // Biconomy's, Pimlico's
}

func newStatusQuestion(hash common.Hash) *statusQuestion {
	unknown := status{State: Unknown, Raw: "null"}
	q := &statusQuestion{answers: [2]status{unknown, unknown}}
	q.biconomy = jsonrpc.Request{Method: "biconomy_getUserOperationStatus", Params: []any{hash}, Result: &q.answers[0]}
	q.pimlico = jsonrpc.Request{Method: "pimlico_getUserOperationStatus", Params: []any{hash}, Result: &q.answers[1]}
	return q
}

// status is what was answered.
func (q *statusQuestion) status(vendor Vendor, err error) (Status, error) {
	switch {
	case errors.Is(err, errNotOffered):
		return Status{}, fmt.Errorf("%w: %w", ErrNoStatus, err)
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
