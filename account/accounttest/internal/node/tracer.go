package node

import (
	"encoding/json"
	"errors"
	"math/big"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/eth/tracers"
	"github.com/ethereum/go-ethereum/params"
)

// OuterCalls is the name of a tracer for debug_traceCall: what callTracer tells, of the call, the calls that
// it makes, and those that these make. A simulated operation has many more below, of which estimation needs
// none.
const OuterCalls = "outerCalls"

// deepest is how deep the calls are that are told.
const deepest = 2

func init() { tracers.DefaultDirectory.Register(OuterCalls, newOuterCalls, false) } // there is no other way

// Frame is one call in a trace.
type Frame struct {
	To      common.Address `json:"to"`
	GasUsed hexutil.Uint64 `json:"gasUsed"`
	Input   hexutil.Bytes  `json:"input"`
	// Output is what the call returned, or reverted with.
	Output hexutil.Bytes `json:"output,omitempty"`
	Error  string        `json:"error,omitempty"`
	Calls  []Frame       `json:"calls,omitempty"`
}

// outerCalls has the frames that are open, the innermost last, and at the end the outermost.
type outerCalls struct {
	open    []Frame
	done    Frame
	stopped atomic.Pointer[error] // why, where the call took too long
}

func newOuterCalls(*tracers.Context, json.RawMessage, *params.ChainConfig) (*tracers.Tracer, error) {
	t := new(outerCalls)
	return &tracers.Tracer{
		Hooks:     &tracing.Hooks{OnEnter: t.enter, OnExit: t.exit},
		GetResult: t.result,
		Stop:      func(why error) { t.stopped.Store(&why) }, // from another goroutine
	}, nil
}

func (t *outerCalls) result() (json.RawMessage, error) {
	if why := t.stopped.Load(); why != nil {
		return nil, *why
	}
	return json.Marshal(t.done)
}

func (t *outerCalls) enter(depth int, _ byte, _, to common.Address, input []byte, _ uint64, _ *big.Int) {
	if depth <= deepest {
		t.open = append(t.open, Frame{To: to, Input: common.CopyBytes(input)})
	}
}

func (t *outerCalls) exit(depth int, output []byte, gasUsed uint64, err error, _ bool) {
	if depth > deepest || len(t.open) == 0 {
		return
	}
	last := len(t.open) - 1
	frame := t.open[last]
	t.open = t.open[:last]
	frame.GasUsed = hexutil.Uint64(gasUsed)
	if err != nil {
		frame.Error = err.Error()
	}
	if err == nil || errors.Is(err, vm.ErrExecutionReverted) {
		frame.Output = common.CopyBytes(output)
	}
	if last == 0 {
		t.done = frame
		return
	}
	above := &t.open[last-1]
	above.Calls = append(above.Calls, frame)
}
