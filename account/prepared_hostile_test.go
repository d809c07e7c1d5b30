package account_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// forged is what a hostile browser makes of a prepared grant: it changes the plan, and makes the rest fit.
func forged(t *testing.T, change func(leg map[string]any, plan *session.RootPlan)) []byte {
	t.Helper()
	var text map[string]any
	require.NoError(t, json.Unmarshal(readPrepared(t), &text))
	leg := text["operations"].([]any)[0].(map[string]any)
	written, err := json.Marshal(leg["root"])
	require.NoError(t, err)
	var plan session.RootPlan
	require.NoError(t, json.Unmarshal(written, &plan))
	change(leg, &plan)
	plan.Root = merkle.New(plan.Tree).Root()
	leg["root"] = plan
	p, err := account.ParsePrepared(readPrepared(t))
	require.NoError(t, err)
	op := p.Operations()[0].Operation
	known := contracts.Deployed()
	op.CallData = contracts.Execute(known.SessionKeyManager, uint256.Int{}, contracts.SetMerkleRoot(plan.Root))
	leg["operation"].(map[string]any)["callData"] = hexutil.Encode(op.CallData)
	leg["userOpHash"] = op.Hash(known.EntryPoint, p.Ref().ChainID)
	made, err := json.Marshal(text)
	require.NoError(t, err)
	return made
}

// Megabytes of sessions and keys are read in no time, before anything says who sent them.
func TestPreparedThatIsHuge(t *testing.T) {
	t.Parallel()
	text := forged(t, func(leg map[string]any, plan *session.RootPlan) {
		leaf := plan.Grant[0]
		plan.Tree, plan.Grant, plan.Remove = nil, nil, nil
		leaf.Module, leaf.Data = stranger, nil
		leaf.Function = ""
		keys := make([]common.Address, 6000)
		for i := range keys {
			leaf.ID, leaf.Key = fmt.Sprint(i), common.BigToAddress(uint256.NewInt(uint64(i)+1).ToBig())
			leaf.Data = slices.Clone(leaf.Key[:])
			plan.Grant = append(plan.Grant, leaf)
			plan.Tree = append(plan.Tree, leaf.Hash())
			keys[i] = leaf.Key
		}
		leg["keys"] = keys
	})
	p, err := account.ParsePrepared(text)
	require.NoError(t, err)
	require.Len(t, p.Describe(), 6003)
}

// What is short in JSON does not take gigabytes here.
func TestPreparedThatGrows(t *testing.T) {
	for _, many := range []string{"{},", "null,"} {
		text := `{"sesamePrepared":1,"owner":"0x0000000000000000000000000000000000000001","until":1,"operations":[` + strings.Repeat(many, 800_000) + `{}]}`
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := account.ParsePrepared([]byte(text))
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, policy.ErrInvalid)
		require.ErrorContains(t, err, "it has 800001 operations; 1 to 32 can be")
		require.Less(t, (after.TotalAlloc-before.TotalAlloc)>>20, uint64(512), "megabytes")
	}
}

// A session that ends where another one that allows the same stays has not ended.
func TestDescribeTellsOfASessionThatStaysTheSame(t *testing.T) {
	t.Parallel()
	p, err := account.ParsePrepared(forged(t, func(_ map[string]any, plan *session.RootPlan) {
		plan.Tree = append(plan.Tree, plan.Remove[0].Hash())
	}))
	require.NoError(t, err)
	said := strings.Join(p.Describe(), "\n")
	require.Contains(t, said, `Session "first" ends, and another one that allows the same stays or is granted: its key 0x67c2cD5F2319408525534A10f5EA747385fd5ae5 still may call `)
	require.NotContains(t, said, "ends on chain")
}

// What gives the account away is told plainly, however the call is written.
func TestDescribeTellsWhoOwnsTheAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(t)
	at, user := w.client.Contracts(), w.owner.Address()
	word := append(make([]byte, 12), stranger[:]...)
	longer := func(data []byte) []byte { return append(slices.Clone(data), 0) } // which the contract does not read
	router := at.Session.Router
	for name, tt := range map[string]struct {
		call account.Call
		want string
	}{
		"transfer":      {account.Call{To: at.ECDSA, Data: contracts.TransferOwnership(stranger)}, "The account is given away: at module " + at.ECDSA.Hex() + " it belongs to " + stranger.Hex() + " from then on."},
		"with value":    {account.Call{To: at.ECDSA, Value: *uint256.NewInt(1), Data: contracts.TransferOwnership(stranger)}, " from then on. It sends 1 wei (0.000000000000000001 of the chain's currency) along."},
		"longer":        {account.Call{To: at.ECDSA, Data: longer(contracts.TransferOwnership(stranger))}, "The account is given away: at module " + at.ECDSA.Hex()},
		"renounced":     {account.Call{To: at.ECDSA, Data: common.FromHex("0x715018a6")}, "The account is given up: at module " + at.ECDSA.Hex() + " nobody owns it from then on."},
		"registered":    {account.Call{To: at.Multichain, Data: contracts.InitForSmartAccount(stranger)}, "At module " + at.Multichain.Hex() + " the account belongs to " + stranger.Hex() + ", once it listens to that module."},
		"set up":        {account.Call{To: user, Data: contracts.SetupAndEnableModule(at.Multichain, contracts.InitForSmartAccount(stranger))}, "From then on " + stranger.Hex() + ", who is registered there, owns it."},
		"set up longer": {account.Call{To: user, Data: longer(contracts.SetupAndEnableModule(at.Multichain, contracts.InitForSmartAccount(stranger)))}, "From then on whoever that registers there owns it."},
		"set up by another": {account.Call{To: user, Data: contracts.SetupAndEnableModule(stranger, []byte{1, 2, 3, 4})},
			"The account calls contract " + stranger.Hex() + ", and listens to the module that it names, whichever that is. From then on that module decides what is done for the account."},
		"set up by the manager": {account.Call{To: user, Data: contracts.SetupAndEnableModule(at.Session.Manager, nil)}, "listens to the module that it names, whichever that is"},
		"enabled longer":        {account.Call{To: user, Data: longer(contracts.EnableModule(router))}, "The account listens to batched session router " + router.Hex()},
		"disabled longer":       {account.Call{To: user, Data: longer(contracts.DisableModule(stranger, router))}, "The account does not listen to batched session router " + router.Hex()},
		"code":                  {account.Call{To: user, Data: slices.Concat(common.FromHex("0x025b22bc"), word)}, "The account's code is replaced by that of " + stranger.Hex()},
		"fallback":              {account.Call{To: user, Data: slices.Concat(common.FromHex("0xf08a0323"), word)}, "From then on contract " + stranger.Hex() + " answers the calls that the account's code does not know."},
		"root longer":           {account.Call{To: at.Session.Manager, Data: longer(contracts.SetMerkleRoot(common.Hash{7}))}, "The session root is set to 0x07"},
		"tokens longer":         {account.Call{To: router, Data: longer(contracts.Transfer(stranger, *uint256.NewInt(5)))}, "It transfers 5 base units of token " + router.Hex() + " to " + stranger.Hex() + "."},
		"approval longer":       {account.Call{To: router, Data: longer(contracts.Approve(stranger, *uint256.NewInt(5)))}, "It lets " + stranger.Hex() + " take 5 base units of token " + router.Hex() + "."},
	} {
		p, err := w.elsewhere(t).PrepareSend(t.Context(), []account.Call{tt.call},
			account.WithFees(userop.Fees{MaxFeePerGas: *uint256.NewInt(1), MaxPriorityFeePerGas: *uint256.NewInt(1)}),
			account.WithGas(userop.Gas{CallGasLimit: *uint256.NewInt(1), VerificationGasLimit: *uint256.NewInt(1), PreVerificationGas: *uint256.NewInt(1)}))
		require.NoError(t, err, name)
		require.Contains(t, strings.Join(p.Describe(), "\n"), tt.want, name)
	}
}

// What a page counts down to is when it really is too late.
func TestDeadlineIsTheEarliestEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.prepareGrant(t, "minting", account.SignWithin(24*time.Hour))
	require.Equal(t, p.Operations()[0].Until, p.Deadline(), "that of the sponsorship")
	p = w.prepareGrant(t, "minting", account.SignWithin(time.Minute))
	require.True(t, p.Deadline().Before(p.Operations()[0].Until), "that of SignWithin")
}
