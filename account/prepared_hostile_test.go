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
	t.Log(len(text), "bytes")
	before := time.Now()
	p, err := account.ParsePrepared(text)
	t.Log(time.Since(before))
	require.NoError(t, err)
	p.Describe()
	t.Log(time.Since(before))
}

func TestPreparedThatGrows(t *testing.T) {
	for name, text := range map[string]string{
		"operations": `{"sesamePrepared":1,"owner":"0x0000000000000000000000000000000000000001","until":1,"operations":[` + strings.Repeat("{},", 1_350_000) + `{}]}`,
		"nulls":      `{"sesamePrepared":1,"owner":"0x0000000000000000000000000000000000000001","until":1,"operations":[` + strings.Repeat("null,", 800_000) + `{}]}`,
		"leaves":     `{"sesamePrepared":1,"owner":"0x0000000000000000000000000000000000000001","until":1,"operations":[{"root":{"remove":[` + strings.Repeat("null,", 800_000) + `{}]}}]}`,
		"revoke":     `{"sesamePrepared":1,"owner":"0x0000000000000000000000000000000000000001","until":1,"operations":[{"root":{"revoke":[` + strings.Repeat(`"",`, 1_300_000) + `""]}}]}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		at := time.Now()
		_, err := account.ParsePrepared([]byte(text))
		runtime.ReadMemStats(&after)
		t.Log(name, time.Since(at), (after.TotalAlloc-before.TotalAlloc)>>20, "MB", err)
	}
}

// describing a huge session
func TestPreparedThatSaysMuch(t *testing.T) {
	t.Parallel()
	text := forged(t, func(leg map[string]any, plan *session.RootPlan) {
		leaf := plan.Grant[0]
		plan.Remove, plan.Grant = nil, nil
		n := 28_000
		head := slices.Clone(leaf.Data[:62])
		head[60], head[61] = byte(n>>8), byte(n)
		leaf.Data = head
		for i := range n {
			rule := make([]byte, 35)
			rule[0], rule[1] = byte(i>>8), byte(i)
			leaf.Data = append(leaf.Data, rule...)
		}
		plan.Grant = []session.Leaf{leaf}
		plan.Tree = []common.Hash{leaf.Hash()}
	})
	t.Log(len(text), "bytes")
	before := time.Now()
	p, err := account.ParsePrepared(text)
	t.Log(time.Since(before))
	require.NoError(t, err)
	said := p.Describe()
	t.Log(time.Since(before), len(said[1]), said[1][:300], len(said))
}
