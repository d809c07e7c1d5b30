package policy_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session/policy"
)

func TestFault06ReferenceValuesHaveTheTypeOfTheirArgument(t *testing.T) {
	hundred := common.BigToHash(big.NewInt(100))
	tests := map[string]struct {
		path  string
		value any
		want  common.Hash
	}{
		"decimal text": {"amount", "100", hundred},
		"hex text":     {"amount", "0x64", hundred},
		"int":          {"amount", 100, hundred},
		"uint64":       {"amount", uint64(100), hundred},
		"big.Int":      {"amount", big.NewInt(100), hundred},
		"uint256":      {"amount", uint256.NewInt(100), hundred},
		"bool":         {"loud", true, common.BigToHash(big.NewInt(1))},
		"address":      {"to", common.HexToAddress("0x99"), common.HexToHash("0x99")},
		"bytes4 left":  {"tag", "0xaabbccdd", common.HexToHash("0xaabbccdd00000000000000000000000000000000000000000000000000000000")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := policy.ABI{
				Key: policyKey, Contract: common.HexToAddress("0x22"),
				Function: "f(address to, uint256 amount, bool loud, bytes4 tag)",
				Rules:    []policy.Rule{policy.Arg(tt.path, policy.LessThanOrEqual, tt.value)},
				Window:   policy.Until(time.Now().Add(time.Hour)),
			}
			leaf, err := p.Compile(policy.Modules{}.WithDefaults())
			require.NoError(t, err)
			rule := leaf.Data[62:]
			require.Equal(t, byte(1), rule[2], "LESS_THAN_OR_EQUAL is 1, never -1")
			require.Equal(t, tt.want, common.BytesToHash(rule[3:35]))
		})
	}
}
