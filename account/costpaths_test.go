package account_test

import (
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

func TestNoWayToPayItselfIsLeftUnbounded(t *testing.T) {
	w := newWorld(t)
	w.fund(t, 10)
	unwilling := accounttest.NewPaymaster(t, accounttest.PaymasterConfig{Chain: w.chain, Policy: func(*userop.Operation) error { return accounttest.ErrUnsponsored }})
	calls := []account.Call{w.mint(t, w.owner.Address())}
	all := []account.Withdrawal{{To: stranger, All: true}}
	some := []account.Withdrawal{{To: stranger, Amount: *uint256.NewInt(1)}}
	partly := account.WithGas(userop.Gas{CallGasLimit: *uint256.NewInt(300_000)})
	for name, b := range map[string]dearBundler{"gas": {gas: allOf}, "a little more gas than may be": {gas: gasTimes(8, 1)}, "fees": {tip: 1000}} {
		sess := w.grant(t, []policy.Policy{w.nftPolicy()})
		config, sent := w.dear(t, b)
		config.Paymaster = paymaster.New(unwilling.URL())
		signed := 0
		client := newClient(t, config)
		owner := client.OwnedAccount(countingOwner{w.owner.Owner(), &signed})
		fresh := client.OwnedAccount(countingOwner{w.owner.Owner(), &signed}, account.Index(7))
		many := client.OwnedAccount(countingOwner{w.owner.Owner(), &signed}, account.Multichain())
		user := client.Account(owner.Address())
		for _, payer := range [][]account.Option{nil, {account.SponsoredOrSelf()}} {
			for way, send := range map[string]func() error{
				"withdraw all":               func() error { _, err := owner.Withdraw(t.Context(), all, payer...); return err },
				"withdraw all, with a limit": func() error { _, err := owner.Withdraw(t.Context(), all, append(payer, partly)...); return err },
				"withdraw some":              func() error { _, err := owner.Withdraw(t.Context(), some, payer...); return err },
				"deploy":                     func() error { _, err := fresh.Deploy(t.Context(), payer...); return err },
				"first":                      func() error { _, err := fresh.Send(t.Context(), calls, payer...); return err },
				"build":                      func() error { _, err := owner.Build(t.Context(), calls, payer...); return err },
				"session build": func() error {
					_, err := user.Build(t.Context(), calls, append(payer, account.WithLeafOf(sess))...)
					return err
				},
				"simulate": func() error { return owner.Simulate(t.Context(), calls, payer...) },
				"enable": func() error {
					_, err := owner.EnableModule(t.Context(), w.chain.Contracts.Target, payer...)
					return err
				},
				"grant": func() error {
					_, _, err := owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, payer...)
					return err
				},
				"together": func() error {
					_, err := account.SendTogether(t.Context(), account.Leg{Account: many, Calls: calls, Options: payer})
					return err
				},
				"grant together": func() error {
					store := memstore.New()
					key, err := store.NewKey(t.Context(), many.Ref())
					require.NoError(t, err)
					p := w.nftPolicy()
					p.Key = key
					_, err = account.GrantTogether(t.Context(), store, account.GrantLeg{Account: many, Policies: []policy.Policy{p}, Options: payer})
					return err
				},
				"transfer": func() error { _, err := owner.TransferOwnership(t.Context(), stranger, payer...); return err },
			} {
				err := send()
				require.ErrorIs(t, err, userop.ErrCap, "%s: %s", name, way)
				require.ErrorContains(t, err, "Config.Caps.", "%s: %s", name, way)
			}
		}
		_, err := owner.RevokeAll(t.Context(), sess)
		require.ErrorIs(t, err, userop.ErrCap, name)
		require.Zero(t, signed, name)
		require.Zero(t, sent.Load(), name)
		deposit := w.read(t, w.chain.Contracts.EntryPoint, contracts.BalanceOf(owner.Address()))
		require.True(t, deposit.IsZero(), name)
	}
}
