package account

import (
	"errors"
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// nodeError is a node's error with data, as rpc.DataError has it.
type nodeError struct {
	text string
	data any
}

func (e nodeError) Error() string { return e.text }

func (e nodeError) ErrorData() any { return e.data }

func TestRevertOfANodesError(t *testing.T) {
	const because = "0x08c379a0000000000000000000000000000000000000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000000076265636175736500000000000000000000000000000000000000000000000000"
	for _, tt := range []struct {
		name     string
		err      error
		reverted bool
		want     string
	}{
		{"geth", nodeError{"execution reverted: because", because}, true, "because"},
		{"wrapped", fmt.Errorf("call: %w", nodeError{"execution reverted", because}), true, "because"},
		{"OpenEthereum", nodeError{"VM execution error.", "Reverted " + because}, true, "because"},
		{"no data", nodeError{"execution reverted", nil}, true, "no reason"},
		{"data that is no hex", nodeError{"execution reverted", "because"}, true, "no reason"},
		{"other words", errors.New("VM Exception while processing transaction: Revert"), true, "no reason"},
		{"node is down", errors.New("connection refused"), false, "no reason"},
		{"out of gas", nodeError{"out of gas", nil}, false, "no reason"},
		{"URL that reads like one", &url.Error{Op: "Post", URL: "https://revert.example", Err: errors.New("connection refused")}, false, "no reason"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			revert, reverted := revertOf(tt.err)
			require.Equal(t, tt.reverted, reverted)
			require.Equal(t, tt.want, revert.String())
		})
	}
}
