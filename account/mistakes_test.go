package account_test

import (
	"context"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/userop"
)

// TestAServiceThatWasNeverSet has a variable of a client's type that is nil: an interface does not show it,
// and the first call would panic.
func TestAServiceThatWasNeverSet(t *testing.T) {
	good := accounttest.NewModel(accounttest.ModelConfig{}).Config()
	for text, change := range map[string]func(*account.Config){
		"client without a ChainID: set Config.ChainID":                    func(c *account.Config) { c.ChainID = 0 },
		"client without a Chain (*ethclient.Client); ethnode.Dial makes":  func(c *account.Config) { c.Chain = (*ethclient.Client)(nil) },
		"client without a Chain (<nil>)":                                  func(c *account.Config) { c.Chain = nil },
		"client without a Bundler (*bundler.Client); bundler.New makes":   func(c *account.Config) { c.Bundler = (*bundler.Client)(nil) },
		"Config.Paymaster is a nil *paymaster.Client; leave the field":    func(c *account.Config) { c.Paymaster = (*paymaster.Client)(nil) },
		"Config.Outbox is a nil *filestore.Store; leave the field":        func(c *account.Config) { c.Outbox = (*filestore.Store)(nil) },
		"Config.Outbox is a nil *pgstore.Store; leave the field":          func(c *account.Config) { c.Outbox = (*pgstore.Store)(nil) },
		"Config.Fees is a nil *bundler.Client; leave the field unset whe": func(c *account.Config) { c.Fees = (*bundler.Client)(nil) },
	} {
		cfg := good
		change(&cfg)
		_, err := account.NewClient(cfg)
		require.ErrorIs(t, err, account.ErrConfig)
		require.ErrorContains(t, err, text)
	}
}

// TestMistakesOfACall are told before anything is asked of a service.
func TestMistakesOfACall(t *testing.T) {
	model := accounttest.NewModel(accounttest.ModelConfig{})
	owner, err := model.NewOwner(t.Context())
	require.NoError(t, err)
	calls := []account.Call{{To: common.Address{9}}}
	for text, try := range map[string]func(context.Context) error{
		"call 1 of account " + owner.Address().Hex() + " is to the zero address": func(ctx context.Context) error {
			_, err := owner.Send(ctx, append(calls, account.Call{}))
			return err
		},
		"option 2 is nil": func(ctx context.Context) error {
			_, err := owner.Send(ctx, calls, account.Sponsored(), nil)
			return err
		},
		"an option of OwnedAccount is nil": func(ctx context.Context) error {
			_, err := model.Client().OwnedAccount(owner.Owner(), nil).Send(ctx, calls)
			return err
		},
		"its key is nil, or its address zero": func(ctx context.Context) error {
			_, err := model.Client().OwnedAccount(account.OwnerAddress(common.Address{})).PrepareSend(ctx, calls)
			return err
		},
		"an option of the wait is nil": func(ctx context.Context) error {
			sent, err := owner.Send(ctx, calls, account.Sponsored())
			require.NoError(t, err)
			_, err = sent.Wait(ctx, []userop.WaitOption{nil}...)
			return err
		},
	} {
		asked := len(model.Bundler.Requests())
		require.ErrorContains(t, try(t.Context()), text)
		if text != "an option of the wait is nil" {
			require.Len(t, model.Bundler.Requests(), asked)
		}
	}
}
