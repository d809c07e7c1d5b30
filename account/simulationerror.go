package account

import (
	"fmt"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/userop"
)

// SimulationError is why an operation would fail.
type SimulationError struct {
	Operation *userop.Operation
	// AA is why the EntryPoint would not include the operation; nil if it would, and the call fail: that
	// costs gas.
	AA *userop.AAError
	// Revert is what the account, the factory, the paymaster or the call reverts with; without data where
	// there is no reason beyond Err.
	Revert abi.Revert
	// Err is a failure that is no revert: out of gas, or too little money. Nil for a revert.
	Err error
}

// Error says at which stage the operation fails, and why.
func (e *SimulationError) Error() string {
	cause := e.Revert.String()
	if e.Err != nil {
		cause = e.Err.Error()
	}
	switch {
	case e.AA == nil:
		return fmt.Sprintf("user operation of %s would be included, but its call would fail: %s", e.Operation.Sender, cause)
	case len(e.Revert.Data) == 0 && e.Err == nil:
		return fmt.Sprintf("user operation of %s would be refused: %v", e.Operation.Sender, e.AA)
	}
	return fmt.Sprintf("user operation of %s would be refused: %s %s: %s", e.Operation.Sender, e.AA.Code, e.AA.Reason, cause)
}

// Unwrap returns the refusal, the revert and Err, as far as they are there.
func (e *SimulationError) Unwrap() []error {
	var causes []error
	if e.AA != nil {
		causes = append(causes, e.AA)
	}
	if e.Err != nil {
		causes = append(causes, e.Err)
	} else if e.AA == nil || len(e.Revert.Data) > 0 {
		causes = append(causes, &e.Revert)
	}
	return causes
}
