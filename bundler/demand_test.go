package bundler_test

import (
	"encoding/json"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/userop"
)

// What bundlers say of the fees that would do, in words after their manner.
func TestFeeDemand(t *testing.T) {
	fees := func(fee, tip uint64) userop.Fees {
		return userop.Fees{MaxFeePerGas: *uint256.NewInt(fee), MaxPriorityFeePerGas: *uint256.NewInt(tip)}
	}
	for name, test := range map[string]struct {
		message, data string
		want          userop.FeeDemand
	}{
		"Rundler":               {message: "replacement underpriced. Current priority fee: 100. Current fee: 205", data: `{"currentPriority":"0x64","currentFee":"0xcd"}`, want: userop.FeeDemand{AtLeast: fees(226, 110)}},
		"Rundler, in words":     {message: "replacement underpriced. Current priority fee: 100. Current fee: 200", want: userop.FeeDemand{AtLeast: fees(220, 110)}},
		"its data alone":        {message: "replacement underpriced", data: `{"currentPriority":"0x64","currentFee":"0xc8"}`, want: userop.FeeDemand{AtLeast: fees(220, 110)}},
		"a precheck":            {message: "precheck failed: maxFeePerGas is 1 but must be at least 1000000007", want: userop.FeeDemand{AtLeast: fees(1000000007, 0)}},
		"a precheck of the tip": {message: "precheck failed: maxPriorityFeePerGas is 0 but must be at least 1000", want: userop.FeeDemand{AtLeast: fees(0, 1000)}},
		"the reference bundler": {message: "Replacement UserOperation must have higher maxFeePerGas (old=0x64 new=0x65) ", want: userop.FeeDemand{AtLeast: fees(110, 0)}},
		"Alto":                  {message: "AA25 invalid account nonce: User operation already present in mempool, bump the gas price by minimum 10%", want: userop.FeeDemand{Percent: 10}},
		"Stackup":               {message: "pending ops: replacement op must increase maxFeePerGas and MaxPriorityFeePerGas by >= 20%", want: userop.FeeDemand{Percent: 20}},
		"Silius":                {message: "Replacement user operation fees too low, at least 10 % more needed", want: userop.FeeDemand{Percent: 10}},
		"geth":                  {message: "replacement transaction underpriced"},
		"nothing of fees":       {message: "AA21 didn't pay prefund"},
		"a limit":               {message: "precheck failed: preVerificationGas is 1 but must be at least 2"},
		"nonsense":              {message: "replacement underpriced. Current fee: 0x", data: `{"currentFee":{"a":1},"currentPriority":-3}`},
		"too large":             {message: "maxFeePerGas must be at least 999999999999999999999999999999999999999999"},
	} {
		err := &bundler.Error{Message: test.message}
		if test.data != "" {
			err.Data = json.RawMessage(test.data)
		}
		demand, ok := err.FeeDemand()
		require.Equal(t, test.want, demand, name)
		require.Equal(t, test.want != userop.FeeDemand{}, ok, name)
	}
}

func FuzzFeeDemand(f *testing.F) {
	f.Add("replacement underpriced. Current priority fee: 100. Current fee: 205", `{"currentPriority":"0x64"}`)
	f.Add("maxFeePerGas must be at least 0x10", `null`)
	f.Add("replace by >= 999%", `[]`)
	f.Fuzz(func(t *testing.T, message, data string) {
		demand, ok := (&bundler.Error{Message: message, Data: json.RawMessage(data)}).FeeDemand()
		require.Equal(t, demand != userop.FeeDemand{}, ok)
		require.Less(t, demand.AtLeast.MaxFeePerGas.BitLen(), 140)
		require.Less(t, demand.AtLeast.MaxPriorityFeePerGas.BitLen(), 140)
		require.LessOrEqual(t, demand.Percent, uint(255))
	})
}
