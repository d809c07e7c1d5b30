package account_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session/policy"
)

// preparedFile is a prepared grant that replaces one session by another, as a browser has it. A third one,
// which stays, is the same as the one that goes.
const (
	preparedFile = "testdata/prepared1.json"
	preparedHash = "0xe41a83dbb796f9de437e299899d4a2d6ec2b9240b2b6842934079d090044ce6c"
	preparedText = `On chain 80002, account 0x45a80c8B6F9720f53AE9120efF5658A3c54F88c3:
Session "first" ends, and another one that allows the same stays or is granted: its key 0x67c2cD5F2319408525534A10f5EA747385fd5ae5 still may call safeMint(address) on 0x5e5a3e0000000000000000000000000000000721 with to = 0x45a80c8B6F9720f53AE9120efF5658A3c54F88c3, no value, until 2027-01-15T08:00:00Z.
Session "second" is granted: its key 0x67c2cD5F2319408525534A10f5EA747385fd5ae5 may call safeMint(address) on 0x5e5a3e0000000000000000000000000000000721 with to = 0x45a80c8B6F9720f53AE9120efF5658A3c54F88c3, no value, until 2027-01-15T09:00:00Z.
Sessions that stay as they are: 1.
The account pays the gas itself, at most 365772444447128 wei (0.000365772444447128 of the chain's currency).
Nothing on chain ends it: once it is signed, whoever has it can send it until another operation uses its nonce 0x736573616d652070726570617265640000000000000000. This application takes the signature until 2026-11-29T08:22:59Z.`
)

func readPrepared(t testing.TB) []byte {
	text, err := os.ReadFile(preparedFile)
	require.NoError(t, err)
	return text
}

// The form that is out there is read for good, and its hash is the one that applications kept.
func TestTheFormOfWhatIsPrepared(t *testing.T) {
	t.Parallel()
	text := readPrepared(t)
	p, err := account.ParsePrepared(text)
	require.NoError(t, err)
	written, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, string(text), string(written))
	require.Equal(t, preparedHash, p.Hash().Hex())
	require.Equal(t, preparedText, strings.Join(p.Describe(), "\n"))
	require.NotContains(t, string(text), "signature")
}

// What does not hold together is refused, whatever it is made to look like.
func TestPreparedThatDoesNotHoldTogether(t *testing.T) {
	t.Parallel()
	text := string(readPrepared(t))
	other := "0x00000000000000000000000000000000000000ff"
	for name, tt := range map[string]struct{ old, new, want string }{
		"another form":           {`"sesamePrepared":1`, `"sesamePrepared":2`, "of form 2, this library reads form 1"},
		"an unknown field":       {`"sesamePrepared":1`, `"sesamePrepared":1,"sudo":true`, `unknown field "sudo"`},
		"a field twice":          {`"sesamePrepared":1`, `"sesamePrepared":1,"sesamePrepared":1`, "twice"},
		"a field's letter case":  {`"nonce"`, `"Nonce"`, "letter case"},
		"no owner":               {`"owner":"0xa1655394e87a251c342edd19c4298a2ff393d89a"`, `"owner":"0x0000000000000000000000000000000000000000"`, "no owner"},
		"no time":                {`"until":1`, `"until":0,"until":1`, "twice"},
		"another kind":           {`"kind":"grant"`, `"kind":"revoke"`, "the plan of its session root is none of a revoke"},
		"an unknown kind":        {`"kind":"grant"`, `"kind":"drain"`, "does not go with it"},
		"a kind without a root":  {`"kind":"grant"`, `"kind":"send"`, "does not go with it"},
		"another chain":          {`"chainID":80002`, `"chainID":1`, "its hash is 0x"},
		"another nonce":          {`"nonce":"0x`, `"nonce":"0x1`, "its hash is 0x"},
		"another fee":            {`"maxFeePerGas":"0x`, `"maxFeePerGas":"0x1`, "its hash is 0x"},
		"another policy":         {`"validAfter":0`, `"validAfter":1`, "is not in the tree of the planned root"},
		"a longer session":       {`"validUntil":1800003600`, `"validUntil":1900003600`, "is not in the tree of the planned root"},
		"another manager":        {`"sessionKeyManager":"0x`, `"sessionKeyManager":"` + other + `","x":"0x`, "unknown field"},
		"an ownership module":    {`"module":"0x0000001c5b32f37f5bea87bdd5374eb2ac54ea8e","userOpHash"`, `"module":"` + other + `","userOpHash"`, "is none of the two ownership modules"},
		"more after it":          {"", "", "more than one JSON value"},
		"a number that is none":  {`"callGasLimit":"0x`, `"callGasLimit":"0x0`, "leading zero"},
		"a number that is not":   {`"callGasLimit":`, `"callGasLimit":null,"x":`, "unknown field"},
		"an account of another":  {`"sender":"0x`, `"sender":"` + other + `","x":"0x`, "unknown field"},
		"a window without a way": {`"userOpHash"`, `"window":{"until":5,"after":0},"userOpHash"`, "a window is for the multichain module"},
		"a fee in tokens":        {`"root":`, `"fee":{"token":"` + other + `","max":"0x1"},"root":`, "a fee in tokens without the token paymaster"},
		"a key of nobody's":      {`"keys":["0x`, `"keys":["` + other + `","0x`, "is that of no session that it grants"},
		"a leaf that was there":  {`"status":"pending","inTree":false`, `"status":"active","inTree":false`, "is granted as one that is active"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := strings.Replace(text, tt.old, tt.new, 1)
			if tt.old == "" {
				changed = text + "{}"
			}
			require.NotEqual(t, text, changed)
			_, err := account.ParsePrepared([]byte(changed))
			require.ErrorIs(t, err, policy.ErrInvalid)
			require.ErrorContains(t, err, tt.want)
			require.Error(t, new(account.Prepared).UnmarshalJSON([]byte(changed)))
		})
	}
	_, err := account.ParsePrepared(make([]byte, 5<<20))
	require.ErrorContains(t, err, "at most 4194304 are read")
}

// What is read is written as it was, and means the same.
func FuzzParsePrepared(f *testing.F) {
	f.Add(readPrepared(f))
	f.Add([]byte(`{"sesamePrepared":1,"owner":"0x0000000000000000000000000000000000000001","until":1,"operations":[{}]}`))
	f.Add([]byte(`{"sesamePrepared":1,"operations":[null]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := account.ParsePrepared(text)
		if err != nil {
			require.ErrorIs(t, err, policy.ErrInvalid)
			return
		}
		written, err := json.Marshal(p)
		require.NoError(t, err)
		again, err := account.ParsePrepared(written)
		require.NoError(t, err)
		require.Equal(t, p.Hash(), again.Hash())
		require.Equal(t, p.Describe(), again.Describe())
		require.Equal(t, p.Request(), again.Request())
		require.NotEmpty(t, p.Operations())
		_, err = new(account.Client).Submit(t.Context(), nil, p, nil)
		require.Error(t, err)
		rewritten, err := json.Marshal(again)
		require.NoError(t, err)
		require.True(t, bytes.Equal(written, rewritten))
	})
}

// Every call that would wait for the signature of an owner known by address says what to do instead, and asks
// no paymaster and no bundler before.
func TestAnOwnerKnownByAddress(t *testing.T) {
	t.Parallel()
	w := newOptionWorld(t)
	calls := func(c *tried) map[string]func() error {
		owner := account.OwnerAddress(c.plain.Owner().Address())
		fresh := c.client.OwnedAccount(owner, account.Index(2))
		plain := c.client.OwnedAccount(owner)
		joint := c.client.OwnedAccount(owner, account.Multichain())
		ctx, at := t.Context(), c.client.Contracts()
		multichain := c.client.MultichainModule(owner)
		sponsored := account.Sponsored()
		return map[string]func() error{
			"Send":              func() error { _, err := plain.Send(ctx, c.calls(), sponsored); return err },
			"Send, once":        func() error { _, err := plain.Send(ctx, c.calls(), sponsored, account.Once("k")); return err },
			"Build":             func() error { _, err := plain.Build(ctx, c.calls(), sponsored); return err },
			"Simulate":          func() error { return plain.Simulate(ctx, c.calls(), sponsored) },
			"Deploy":            func() error { _, err := fresh.Deploy(ctx, sponsored); return err },
			"Revoke":            func() error { _, err := plain.Revoke(ctx, c.sessions(), c.state.Leaves[0].ID, sponsored); return err },
			"RevokeAll":         func() error { _, err := plain.RevokeAll(ctx, c.sessions(), sponsored); return err },
			"Restore":           func() error { _, err := plain.Restore(ctx, c.sessions(), nil, sponsored); return err },
			"EnableModule":      func() error { _, err := fresh.EnableModule(ctx, at.Session.Manager, sponsored); return err },
			"DisableModule":     func() error { _, err := plain.DisableModule(ctx, at.Session.Manager, sponsored); return err },
			"DisableRouter":     func() error { _, err := plain.DisableRouter(ctx, sponsored); return err },
			"TransferOwnership": func() error { _, err := plain.TransferOwnership(ctx, stranger, sponsored); return err },
			"SignMessage":       func() error { _, err := plain.SignMessage(ctx, []byte("hello")); return err },
			"SetupAndEnableModule": func() error {
				_, err := fresh.SetupAndEnableModule(ctx, multichain.Address, multichain.Setup, sponsored)
				return err
			},
			"Withdraw": func() error {
				_, err := plain.Withdraw(ctx, []account.Withdrawal{{To: stranger, All: true}})
				return err
			},
			"Grant": func() error {
				_, _, err := fresh.Grant(ctx, c.store, []policy.Policy{c.granted()}, sponsored)
				return err
			},
			"SendTogether": func() error {
				_, err := account.SendTogether(ctx, account.Leg{Account: joint, Calls: c.calls(), Options: []account.Option{sponsored}})
				return err
			},
			"GrantTogether": func() error {
				_, err := account.GrantTogether(ctx, c.store, account.GrantLeg{Account: joint, Policies: []policy.Policy{c.granted()}, Options: []account.Option{sponsored}})
				return err
			},
		}
	}
	for name := range calls(w.try(t)) {
		c := w.try(t) // with a store of its own
		c.log.take()
		err := calls(c)[name]()
		require.ErrorIs(t, err, account.ErrNoSigner, name)
		require.ErrorContains(t, err, "prepare the operation with PrepareGrant", name)
		require.ErrorContains(t, err, c.plain.Owner().Address().Hex(), name)
		if name != "Simulate" {
			require.NotContains(t, c.log.take(), "pm_", name)
		}
	}
	c := w.try(t)
	plain := c.client.OwnedAccount(account.OwnerAddress(c.plain.Owner().Address()))
	estimate, err := plain.Estimate(t.Context(), c.calls(), account.Sponsored())
	require.NoError(t, err)
	require.NotZero(t, estimate.Gas)
}

// What is signed elsewhere is for the two ownership modules.
func TestPreparedForTheOwnershipModulesOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	module := w.client.ECDSAModule(w.owner.Owner())
	module.Signer = constSigner{}
	owned := w.client.OwnedAccount(nil, account.DefaultModule(module))
	_, err := owned.PrepareSend(t.Context(), []account.Call{{To: stranger}}, account.Sponsored())
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "what is signed elsewhere is for the two ownership modules")
}

// A submission asks for the account's state in one request, and no service for a price.
func TestASubmissionAsksLittle(t *testing.T) {
	t.Parallel()
	w := newOptionWorld(t)
	c := w.try(t)
	_, err := c.store.NewKey(t.Context(), c.plain.Ref())
	require.NoError(t, err)
	p, err := c.plain.PrepareGrant(t.Context(), c.store, []policy.Policy{c.granted()}, account.Sponsored())
	require.NoError(t, err)
	sig, err := account.KeyOwner(c.ownerKey).SignMessage(t.Context(), common.FromHex(p.Request().Params[0]))
	require.NoError(t, err)
	c.log.take()
	_, err = c.client.Submit(t.Context(), c.store, p, sig)
	require.NoError(t, err)
	asked := c.log.take()
	require.Equal(t, 1, strings.Count(asked, "eth_call"), asked)
	require.Equal(t, 1, strings.Count(asked, "eth_sendUserOperation"), asked)
	require.Equal(t, 2, strings.Count(asked, "\n")+1, asked)
}

func TestNothingPrepared(t *testing.T) {
	t.Parallel()
	var none account.Prepared
	require.Equal(t, "nothing prepared", none.String())
	require.Empty(t, none.Operations())
	require.Empty(t, none.Describe())
	require.Zero(t, none.Ref())
	require.Equal(t, "personal_sign", none.Request().Method)
	_, err := new(account.Client).Submit(t.Context(), nil, nil, nil)
	require.ErrorIs(t, err, account.ErrConfig)
}
