package paymastertest_test

import (
	"context"
	"fmt"

	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/paymaster/paymastertest"
	"github.com/go-sesame/sesame/userop"
)

// A paymaster that sponsors once.
func Example() {
	server, err := paymastertest.StartServer(paymastertest.Config{}) // in a test: paymastertest.NewServer(t, …)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client := paymaster.New(server.URL())
	defer client.Close()
	sponsor := func() (userop.Sponsorship, error) {
		return client.SponsorUserOperation(context.Background(), new(userop.Operation), userop.SponsorRequest{})
	}

	sponsored, err := sponsor()
	fmt.Println(len(sponsored.PaymasterAndData), err)
	server.On("pm_sponsorUserOperation", paymastertest.Fail(-32000, "daily budget is used up"))
	_, err = sponsor()
	fmt.Println(err)
	// Output:
	// 276 <nil>
	// paymaster: pm_sponsorUserOperation: daily budget is used up (code -32000): raise the limit for all accounts at the service, wait for its next period, or have the account pay
}
