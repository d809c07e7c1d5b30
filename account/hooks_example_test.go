package account_test

import (
	"context"
	"fmt"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/userop"
)

// Hooks see each stage of a send, and how the chain ended it, without a wrapper around anything.
func ExampleConfig_hooks() {
	w := exampleWorld()
	sess := w.grantMinting()
	config := w.config
	config.Hooks = userop.Hooks{End: func(_ context.Context, e userop.Event) {
		switch e.What {
		case userop.StageSponsor, userop.StageSign, userop.StageSubmit:
			fmt.Println(e.What, e.Err)
		case userop.StageSend, userop.StageWait:
			fmt.Println(e.What, e.Outcome, e.Err)
		}
	}}
	client, err := account.NewClient(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	tx, err := client.Account(w.owner.Address()).Send(w.ctx, []account.Call{w.mintCall()}, account.WithLeafOf(sess), account.Sponsored())
	if err == nil {
		_, err = tx.Wait(w.ctx)
	}
	fmt.Println(err)
	// Output:
	// sponsor <nil>
	// sign <nil>
	// submit <nil>
	// send accepted <nil>
	// wait landed <nil>
	// <nil>
}
