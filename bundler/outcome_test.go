package bundler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/userop"
)

// faulty answers every method as it should be, but one.
type faulty struct {
	method string
	status int
	body   string // "$ID" is the request's ID
	err    error  // instead of an answer; errSilent for none at all
}

var errSilent = errors.New("no answer")

func (f faulty) RoundTrip(r *http.Request) (*http.Response, error) {
	var request struct {
		ID     uint64
		Method string
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	status, body := http.StatusOK, `{"id":$ID,"result":`+map[string]string{
		"eth_chainId":                  `"0x13882"`,
		"eth_supportedEntryPoints":     `["` + entryPoint.Hex() + `"]`,
		"eth_estimateUserOperationGas": `{"callGasLimit":1,"verificationGasLimit":2,"preVerificationGas":3}`,
		"eth_getUserOperationReceipt":  `null`,
	}[request.Method]+`}`
	if request.Method == f.method {
		status, body = f.status, f.body
		if f.err == errSilent {
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		}
		if f.err != nil {
			return nil, f.err
		}
	}
	body = strings.ReplaceAll(body, "$ID", fmt.Sprint(request.ID))
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// send sends an operation through a bundler with the fault.
func (f faulty) send(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client := bundler.New("https://bundler.example", bundler.WithHTTPClient(&http.Client{Transport: f}))
	sender, err := userop.NewSender(userop.SenderConfig{ChainID: chainID, EntryPoint: entryPoint, Bundler: client})
	if err != nil {
		return err
	}
	_, err = sender.Send(ctx, userop.Draft{
		Sender:   common.Address{1},
		CallData: []byte{1, 2, 3, 4},
		Signer:   stamp{},
		Nonce:    func(context.Context) (uint256.Int, error) { return uint256.Int{}, nil },
		Fees:     userop.Fees{MaxFeePerGas: *uint256.NewInt(1)},
		Caps:     userop.Caps{MaxCost: uint256.NewInt(1e18)},
	})
	return err
}

// stamp signs everything.
type stamp struct{}

func (stamp) DummySignature(*userop.Operation) ([]byte, error) { return []byte{1}, nil }

func (stamp) Sign(context.Context, *userop.Operation, common.Hash) ([]byte, error) {
	return []byte{2}, nil
}

// What is said after each way in which a bundler can fail: may the operation have been accepted, may the
// whole be tried again. Before the sending nothing can have been accepted.
func TestWhatCanBeDoneAfterEachFault(t *testing.T) {
	const no, yes = false, true
	member := func(member string) string { return `{"id":$ID,"error":` + member + `}` }
	for _, c := range []struct {
		name           string
		status         int
		body           string
		err            error
		accepted       bool // maybe, when sending failed so
		again          bool // safe, when sending failed so
		againIfNotSent bool // safe, when the step before failed so
	}{
		{"nobody listens", 0, "", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, no, yes, yes},
		{"the connection is cut", 0, "", io.ErrUnexpectedEOF, yes, no, yes},
		{"no answer comes", 0, "", errSilent, yes, no, yes},
		{"moved", 307, "", nil, no, no, no},
		{"no access", 401, "", nil, no, no, no},
		{"no such path", 404, "", nil, no, no, no},
		{"a gateway's timeout", 408, "", nil, yes, no, yes},
		{"a gateway's timeout in JSON", 408, member(`{"code":-32000,"message":"timeout"}`), nil, yes, no, yes},
		{"too often", 429, "", nil, no, yes, yes},
		{"a gateway's fault", 500, "oops", nil, yes, no, yes},
		{"nothing behind the gateway", 502, "", nil, yes, no, yes},
		{"a CDN's timeout", 524, "", nil, yes, no, yes},
		{"a web page", 200, "<html>", nil, yes, no, yes},
		{"nothing", 200, "", nil, yes, no, yes},
		{"null", 200, `{"id":$ID,"result":null}`, nil, yes, no, yes},
		{"two results", 200, `{"id":$ID,"result":"0x1","result":null}`, nil, yes, no, yes},
		{"a batch of two", 200, `[{"id":$ID,"result":"0x1"},{"id":$ID,"result":"0x1"}]`, nil, yes, no, yes},
		{"cut", 200, `{"id":$ID,"resu`, nil, yes, no, yes},
		{"another type", 200, `{"id":$ID,"result":true}`, nil, yes, no, yes},
		{"a refusal", 200, member(`{"code":-32500,"message":"AA24 signature error"}`), nil, no, no, no},
		{"a refusal under 500", 500, member(`{"code":-32500,"message":"AA24 signature error"}`), nil, no, no, no},
		{"a refusal without its code", 200, member(`{"message":"AA24 signature error"}`), nil, no, no, no},
		{"a refusal for the nonce, and no chain to ask", 200, member(`{"code":-32500,"message":"AA25 invalid account nonce"}`), nil, yes, no, no},
		{"bad parameters", 400, member(`{"code":-32602,"message":"bad"}`), nil, no, no, no},
		{"no such method", 200, member(`{"code":-32601,"message":"bad"}`), nil, no, no, no},
		{"a limit", 200, member(`{"code":-32005,"message":"slow down"}`), nil, no, yes, yes},
		{"an inner fault", 200, member(`{"code":-32603,"message":"oops"}`), nil, yes, no, yes},
		{"no code", 200, member(`{"message":"oops"}`), nil, yes, no, yes},
		{"a word", 200, member(`"oops"`), nil, yes, no, yes},
		{"a node that lags", 200, member(`{"code":-32000,"message":"header not found"}`), nil, yes, no, yes},
		{"a node that lags, as Stackup says it", 200, member(`{"code":-32601,"message":"header not found"}`), nil, yes, no, yes},
		{"too low for Rundler", 200, member(`{"code":-32000,"message":"precheck failed: maxPriorityFeePerGas is 1 but must be at least 2"}`), nil, no, no, no},
		{"too low for Biconomy", 200, member(`{"code":-32006,"message":"?"}`), nil, no, no, no},
		{"unable", 200, member(`{"code":-32005,"message":"Unable to process userOp"}`), nil, yes, no, yes},
		{"a code of the vendor's", 200, member(`{"code":-32000,"message":"oops"}`), nil, yes, no, no},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				err := faulty{"eth_sendUserOperation", c.status, c.body, c.err}.send(t.Context())
				require.Error(t, err)
				require.Equal(t, c.accepted, userop.MayBeAccepted(err), "%v", err)
				require.Equal(t, c.again, userop.SafeToRetry(err), "%v", err)
				for _, method := range []string{"eth_chainId", "eth_supportedEntryPoints", "eth_estimateUserOperationGas"} {
					err = faulty{method, c.status, c.body, c.err}.send(t.Context())
					require.Error(t, err)
					require.False(t, userop.MayBeAccepted(err), "%v", err)
					require.Equal(t, c.againIfNotSent, userop.SafeToRetry(err), "%v", err)
				}
			})
		})
	}
}
