package paymaster_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/paymaster/paymastertest"
	"github.com/go-sesame/sesame/userop"
)

// A refusal of nobody's operation shows that a service is there; one of everybody's that it is of no use.
func TestCheck(t *testing.T) {
	methods := map[string]func(url string) userop.Checker{
		"pm_getFeeQuoteOrData":    func(url string) userop.Checker { return paymaster.New(url) },
		"pm_getPaymasterStubData": func(url string) userop.Checker { return paymaster.NewERC7677(url, nil) },
	}
	for name, c := range map[string]struct {
		answer *paymastertest.Answer
		said   string
		failed string
		is     error
	}{
		"it answers":    {},
		"a policy":      {answer: answer(-32602, "Sponsorship policy: the contract is not whitelisted"), said: "is not whitelisted"},
		"AA":            {answer: answer(-32500, "AA20 account not deployed"), said: "AA20 account not deployed"},
		"a bad request": {answer: answer(-32602, "nonce is missing"), said: "nonce is missing"},
		"no gas":        {answer: answer(-32602, "gas tank is empty, please top up"), failed: "fill the gas tank up", is: paymaster.ErrGasTank},
		"limit of all":  {answer: answer(-32602, "global max count exceeded for all users"), failed: "limit", is: paymaster.ErrGlobalLimit},
		"no method":     {answer: answer(-32601, "the method does not exist"), failed: "does not seem to be a paymaster of this kind"},
		"too often":     {answer: answer(-32005, "too many requests"), failed: "too many requests", is: paymaster.ErrRateLimited},
		"no such key":   {answer: denied(403, "Forbidden: this key was disabled"), failed: "this key was disabled"},
		"key in words":  {answer: answer(-32602, "Invalid API key"), failed: "check the key"},
		"no such path":  {answer: denied(404, "no such project"), failed: "no such project"},
		"policy, 403":   {answer: denied(403, "the contract is not whitelisted"), said: "is not whitelisted"},
		"other chain":   {answer: answer(-32602, "chain 80002 is not supported"), failed: "is not supported"},
		"no EntryPoint": {answer: answer(-32602, "Unsupported EntryPoint 0x5FF1"), failed: "Unsupported EntryPoint"},
		"no policy":     {answer: answer(-32602, "sponsorship policy sp_x not found"), failed: "not found"},
		"a signature":   {answer: answer(-32602, "invalid signature"), said: "invalid signature"},
		"trouble":       {answer: answer(-32603, "internal error"), failed: "internal error"},
	} {
		for method, client := range methods {
			t.Run(name+" "+method, func(t *testing.T) {
				server := paymastertest.NewServer(t, paymastertest.Config{})
				if c.answer != nil {
					server.On(method, *c.answer, *c.answer, *c.answer)
				}
				said, err := client(server.URL()).Check(t.Context(), chainID, common.Address{1})
				require.Equal(t, c.failed != "", err != nil, err)
				if err != nil {
					require.Empty(t, said)
					require.ErrorContains(t, err, c.failed)
				} else {
					require.Contains(t, said, c.said)
					require.Equal(t, c.said == "", said == "")
				}
				if c.is != nil {
					require.ErrorIs(t, err, c.is)
				}
				require.Zero(t, server.Count("pm_sponsorUserOperation")+server.Count("pm_getPaymasterData"))
			})
		}
	}
}

func answer(code int, message string) *paymastertest.Answer {
	failed := paymastertest.Fail(code, message)
	return &failed
}

// denied is an error under an HTTP status, as a gateway has it.
func denied(status int, message string) *paymastertest.Answer {
	answer := paymastertest.Status(status, `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"`+message+`"}}`)
	return &answer
}

// silent is a paymaster that cannot be asked.
type silent struct{ userop.Paymaster }

// One member that answers will do, and one that cannot be asked is none of trouble.
func TestCheckOfAPool(t *testing.T) {
	a, b := twoServices(t)
	pool := newPool(t, paymaster.Times{}, silent{}, paymaster.New(a.URL()), paymaster.NewERC7677(b.URL(), nil))
	said, err := pool.Check(t.Context(), chainID, common.Address{1})
	require.NoError(t, err)
	require.Empty(t, said)
	require.Equal(t, 1, a.Count("pm_getFeeQuoteOrData"))

	empty := paymastertest.Fail(-32602, "gas tank is empty, please top up")
	a.On("pm_getFeeQuoteOrData", empty, empty)
	_, err = pool.Check(t.Context(), chainID, common.Address{1})
	require.NoError(t, err)
	require.Equal(t, 1, b.Count("pm_getPaymasterStubData"))
	b.On("pm_getPaymasterStubData", empty)
	_, err = pool.Check(t.Context(), chainID, common.Address{1})
	require.ErrorIs(t, err, paymaster.ErrGasTank)
	var failed *paymaster.PoolError
	require.ErrorAs(t, err, &failed)
	require.Len(t, failed.Members, 2)

	said, err = newPool(t, paymaster.Times{}, silent{}).Check(t.Context(), chainID, common.Address{1})
	require.NoError(t, err)
	require.Empty(t, said)
}
