package kit

import (
	"encoding/json"
	"errors"

	"github.com/go-sesame/sesame/userop"
)

// DraftOperation is an operation whose gas limits and fees may be missing, as services take it for an
// estimation.
type DraftOperation struct{ userop.Operation }

// UnmarshalJSON reads the operation; numbers that are missing are zero.
func (d *DraftOperation) UnmarshalJSON(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	if fields == nil {
		return errors.New("user operation: a JSON object was expected, not null")
	}
	for _, name := range []string{
		"callGasLimit", "verificationGasLimit", "preVerificationGas", "maxFeePerGas", "maxPriorityFeePerGas",
	} {
		if value, ok := fields[name]; !ok || string(value) == "null" {
			fields[name] = json.RawMessage(`"0x0"`)
		}
	}
	complete, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return json.Unmarshal(complete, &d.Operation)
}
