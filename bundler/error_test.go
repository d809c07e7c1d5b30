package bundler_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/userop"
)

// refused returns the error of a send that the bundler answers with an error member.
func refused(t *testing.T, status int, member string) error {
	t.Helper()
	server := jsonrpctest.Serve(t, jsonrpctest.Exchange{Method: "eth_sendUserOperation", Status: status, Error: json.RawMessage(member)})
	client := bundler.New(server.URL)
	t.Cleanup(client.Close)
	_, err := client.SendUserOperation(t.Context(), operation(), entryPoint)
	require.Error(t, err)
	return err
}

func TestErrorKinds(t *testing.T) {
	kinds := map[int]error{
		-32500: bundler.ErrRejected, -32501: bundler.ErrPaymaster, -32502: bundler.ErrOpcode, -32503: bundler.ErrTimeRange,
		-32504: bundler.ErrBanned, -32505: bundler.ErrStake, -32506: bundler.ErrAggregator, -32507: bundler.ErrSignature,
		-32508: bundler.ErrPaymasterDeposit, -32521: bundler.ErrReverted, -32602: bundler.ErrInvalidParams,
		-32601: bundler.ErrMethodNotFound, -32005: bundler.ErrRateLimited,
	}
	for code, kind := range kinds {
		err := refused(t, 200, fmt.Sprintf(`{"code":%d,"message":"because"}`, code))
		require.ErrorContains(t, err, fmt.Sprintf("bundler: eth_sendUserOperation: because (code %d)", code))
		for other, otherKind := range kinds {
			require.Equal(t, code == other, errors.Is(err, otherKind), "%d is %v", code, otherKind)
		}
		require.ErrorIs(t, fmt.Errorf("wrapped: %w", err), kind)
		var answer *bundler.Error
		require.ErrorAs(t, err, &answer)
		require.Equal(t, code, answer.Code)
		require.Equal(t, "eth_sendUserOperation", answer.Method)
		require.Equal(t, "because", answer.Message)
		require.Equal(t, 200, answer.HTTPStatus)
	}
	require.ErrorIs(t, refused(t, 429, `{"code":-32000,"message":"slow down"}`), bundler.ErrRateLimited)
	require.ErrorIs(t, refused(t, 200, `{"code":-32004,"message":"?"}`), bundler.ErrMethodNotFound)
	require.ErrorIs(t, refused(t, 200, `{"code":-32600,"message":"the method eth_x does not exist/is not available"}`), bundler.ErrMethodNotFound)
	require.NotErrorIs(t, refused(t, 200, `{"code":-32600,"message":"paymaster not found"}`), bundler.ErrMethodNotFound)
}

func TestTheContractsReasonIsInTheText(t *testing.T) {
	reason, err := abi.Pack("function Error(string)", "ABISV Arg Rule Violated")
	require.NoError(t, err)
	blob := hexutil.Encode(reason)
	for _, member := range []string{
		`{"code":-32500,"message":"AA23 reverted: ABISV Arg Rule Violated"}`,
		`{"code":-32500,"message":"UserOperation reverted during simulation with reason: ` + blob + `"}`,
		`{"code":-32521,"message":"execution reverted","data":"` + blob + `"}`,
		`{"code":-32521,"message":"execution reverted","data":{"revertData":"` + blob + `"}}`,
	} {
		err := refused(t, 200, member)
		require.ErrorContains(t, err, "ABISV Arg Rule Violated", member)
	}
	var aa *userop.AAError
	require.ErrorAs(t, refused(t, 200, `{"code":-32500,"message":"AA23 reverted: SessionNotApproved"}`), &aa)
	require.Equal(t, userop.AAError{Code: "AA23", Reason: "reverted: SessionNotApproved"}, *aa)
	var reverted abi.Revert
	require.ErrorAs(t, refused(t, 200, `{"code":-32521,"message":"execution reverted","data":"`+blob+`"}`), &reverted)
	require.Equal(t, "ABISV Arg Rule Violated", reverted.Reason())
}

// What the pipeline asks of an error: may the operation be on its way, and is it worth another try?
func TestWhatBecameOfASend(t *testing.T) {
	for _, c := range []struct {
		status               int
		member               string
		temporary, delivered bool
	}{
		{200, `{"code":-32500,"message":"AA25 invalid account nonce"}`, false, false},
		{400, `{"code":-32602,"message":"missing field"}`, false, false},
		{429, `{"code":-32005,"message":"slow down"}`, true, false},
		{200, `{"code":-32603,"message":"internal"}`, true, true},
		{500, `{"message":"internal"}`, true, true},
		{200, `{"code":-32000,"message":"something"}`, false, true},
	} {
		err := refused(t, c.status, c.member)
		var judged interface {
			Temporary() bool
			MayBeDelivered() bool
		}
		require.ErrorAs(t, err, &judged)
		require.Equal(t, c.temporary, judged.Temporary(), c.member)
		require.Equal(t, c.delivered, judged.MayBeDelivered(), c.member)
		sent := &userop.Error{Step: userop.StepSend, Operation: operation(), Err: err}
		require.Equal(t, c.delivered, userop.MayBeAccepted(sent), c.member)
	}
}
