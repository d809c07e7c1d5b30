package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/paymaster/paymastertest"
)

// aHost is where a service of a test listens, and anAge that of a newest block.
var (
	aHost = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	anAge = regexp.MustCompile(`\d+, \d+s old`)
)

func masked(text string) string {
	return anAge.ReplaceAllString(aHost.ReplaceAllString(text, "HOST"), "NUMBER, AGE old")
}

func TestCheckServices(t *testing.T) {
	w := newWorld(t)
	bundler := bundlertest.NewServer(t, bundlertest.Config{})
	paymaster := paymastertest.NewServer(t, paymastertest.Config{})
	args := []string{"check-services", "-node", "http://node.example/key", "-bundler", bundler.URL(), "-paymaster", paymaster.URL()}
	code, out, note := w.run(args...)
	require.Equal(t, exitOK, code, "%s%s", out, note)
	w.golden("check-services", masked(out))
	require.Contains(t, note, "Asking the node, the bundler, the paymaster …")
	for _, server := range []interface{ Count(string) int }{bundler, paymaster} {
		for _, method := range []string{"eth_sendUserOperation", "pm_sponsorUserOperation", "pm_getPaymasterData"} {
			require.Zero(t, server.Count(method), "nothing is sent or sponsored")
		}
	}
	w.golden("check-services-json", masked(w.ok(exitOK, append(args, "-json")...)))
	w.env["SESAME_BUNDLER"] = bundler.URL()
	require.Contains(t, w.ok(exitOK, "check-services"), "fit for")
}

func TestServicesThatDoNotFit(t *testing.T) {
	w := newWorld(t)
	bundler := bundlertest.NewServer(t, bundlertest.Config{ChainID: 137})
	bundler.On("eth_supportedEntryPoints", bundlertest.Result([]common.Address{common.HexToAddress("0x0000000071727De22E5E9d8BAf0edAc6f37da032")}))
	bundler.On("eth_estimateUserOperationGas", bundlertest.Fail(-32601, "method not found"))
	paymaster := paymastertest.NewServer(t, paymastertest.Config{})
	for _, method := range []string{"pm_getFeeQuoteOrData", "pm_getPaymasterStubData"} {
		paymaster.On(method, paymastertest.Fail(-32601, "the method \x1b[31m does not exist"))
	}
	code, out, note := w.run("check-services", "-node", "http://node.example", "-bundler", bundler.URL(), "-paymaster", paymaster.URL())
	require.Equal(t, exitAction, code, note)
	w.golden("check-services-unfit", masked(out))
	require.Contains(t, note, "things need action")

	// A refusal is a good answer, an operation that nobody made is not known.
	bundler = bundlertest.NewServer(t, bundlertest.Config{})
	bundler.On("eth_estimateUserOperationGas", bundlertest.Fail(-32500, "AA20 account not deployed"))
	paymaster.On("pm_getPaymasterStubData", paymastertest.Fail(-32000, "policy does not cover this account"))
	out = w.ok(exitOK, "check-services", "-chain", "80002", "-bundler", bundler.URL(), "-paymaster", paymaster.URL())
	require.Regexp(t, `estimates +ok +it judges operations`, out)
	require.Regexp(t, `ERC-7677 +ok +it judges operations: .*policy does not cover this account`, out)
	require.Regexp(t, `Biconomy's methods +missing `, out)

	// Out of reach, or behind a gateway that wants another key: their URLs stay secret.
	gateway := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Error(rw, "no such key: "+r.URL.Path, http.StatusUnauthorized)
	}))
	defer gateway.Close()
	for _, url := range []string{"http://127.0.0.1:1/v3/sk-0123456789abcdef", gateway.URL + "/v3/sk-0123456789abcdef"} {
		p, out, note := w.program()
		p.dial = networkDialer{}
		require.Equal(t, exitAction, p.run(t.Context(), []string{"check-services", "-chain", "80002", "-node", url, "-bundler", url, "-paymaster", url}))
		require.NotContains(t, out.String()+note.String(), "0123456789")
		require.Contains(t, out.String(), "chain    failed")
		require.Regexp(t, `fit for +nothing`, out.String())
	}
	require.Contains(t, w.fails(exitUsage, "check-services"), "which services? Name -node, -bundler or -paymaster")
	w.model.Chain.Fail(errors.New("out of order"))
	require.Contains(t, w.ok(exitAction, "check-services", "-node", "http://node.example"), "out of order")
}

// Field names are what programs go by.
func TestCheckServicesJSON(t *testing.T) {
	w := newWorld(t)
	var said struct {
		Services []struct {
			Service, Host string
			ChainID       uint64
			Checks        []struct{ Name, Result, Detail string }
			FitFor        []string
		}
		Actions []struct{ What, Do string }
	}
	require.NoError(t, json.Unmarshal([]byte(w.ok(exitOK, "check-services", "-json", "-node", "http://node.example")), &said))
	require.Equal(t, "node.example", said.Services[0].Host)
	require.EqualValues(t, 80002, said.Services[0].ChainID)
	require.NotEmpty(t, said.Services[0].FitFor)
	require.NotNil(t, said.Actions)
}
