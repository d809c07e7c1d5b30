package bundler_test

import (
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/userop"
)

// unlimited is an operation with these limits, the others of which are not known.
func unlimited(call, verification, preVerification uint64) *userop.Operation {
	op := operation()
	op.CallGasLimit, op.VerificationGasLimit, op.PreVerificationGas = *uint256.NewInt(call), *uint256.NewInt(verification), *uint256.NewInt(preVerification)
	return op
}

func TestUnknownLimitsInAnEstimate(t *testing.T) {
	client, _ := play(t, "estimate_unknown.jsonl")
	for _, op := range []*userop.Operation{unlimited(0, 0, 0), unlimited(0, 200_000, 0), unlimited(100_000, 0, 0)} {
		gas, err := client.EstimateUserOperationGas(t.Context(), op, entryPoint, nil)
		require.NoError(t, err)
		require.Equal(t, operation().Gas(), gas)
	}
}

func TestTheFormThatWorkedIsRemembered(t *testing.T) {
	client, server := play(t, "estimate_refused_form.jsonl")
	for _, asked := range []int{2, 3, 5, 6} {
		gas, err := client.EstimateUserOperationGas(t.Context(), unlimited(0, 0, 0), entryPoint, nil)
		require.NoError(t, err)
		require.Equal(t, operation().Gas(), gas)
		require.Len(t, server.Methods(), asked)
	}
}

func TestRefusedInBothForms(t *testing.T) {
	client, _ := play(t, "estimate_refused_twice.jsonl")
	_, err := client.EstimateUserOperationGas(t.Context(), unlimited(0, 0, 0), entryPoint, nil)
	require.EqualError(t, err, "bundler: eth_estimateUserOperationGas: unsupported EntryPoint (code -32602)"+
		" (asked again without gas limits: bundler: eth_estimateUserOperationGas: Missing userOp field: callGasLimit (code -32602))")
	require.ErrorIs(t, err, bundler.ErrInvalidParams)
	_, err = client.EstimateUserOperationGas(t.Context(), unlimited(0, 0, 0), entryPoint, nil)
	require.EqualError(t, err, "bundler: eth_estimateUserOperationGas: unsupported EntryPoint (code -32602)")
}

func TestOtherRefusalsAreNotAboutTheForm(t *testing.T) {
	client, _ := play(t, "estimate_other_refusals.jsonl")
	for range 5 {
		_, err := client.EstimateUserOperationGas(t.Context(), unlimited(0, 0, 0), entryPoint, nil)
		require.Error(t, err)
	}
	_, err := client.EstimateUserOperationGas(t.Context(), unlimited(100_000, 0, 50_000), entryPoint, nil)
	require.ErrorContains(t, err, "bad callGasLimit")
}

// Gateways check the form before the bundler does.
func TestAGatewayRefusesTheForm(t *testing.T) {
	for _, status := range []int{400, 422} {
		body := "Bad Request"
		server := jsonrpctest.Serve(t,
			jsonrpctest.Exchange{Method: estimateMethod, Status: status, Body: &body},
			jsonrpctest.Exchange{Method: estimateMethod, Result: []byte(`{"callGasLimit":1,"verificationGasLimit":"2","preVerificationGas":"0x3"}`)})
		client := bundler.New(server.URL)
		defer client.Close()
		gas, err := client.EstimateUserOperationGas(t.Context(), unlimited(0, 0, 0), entryPoint, nil)
		require.NoError(t, err)
		require.Equal(t, unlimited(1, 2, 3).Gas(), gas)
	}
}
