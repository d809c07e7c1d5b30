package policy_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session/policy"
)

// What is named is read from the data, by the module that it is for.
func TestSessionKeyAndTarget(t *testing.T) {
	mint, transfer := [4]byte{0x40, 0xd0, 0x97, 0xc3}, [4]byte{0xa9, 0x05, 0x9c, 0xbb}
	for name, tt := range map[string]struct {
		policy         policy.Policy
		short          int // too few bytes of data
		mints, anyCall bool
	}{
		"ABI":    {mintPolicy(), 61, true, false},
		"ERC-20": {transferPolicy(), 127, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := tt.policy.Compile(policy.Modules{})
			require.NoError(t, err)
			key, ok := c.SessionKey(policy.Modules{})
			require.True(t, ok)
			require.Equal(t, policyKey, key)
			require.Equal(t, tt.mints, c.Targets(policy.Modules{}, policyNFT, mint))
			require.Equal(t, tt.anyCall, c.Targets(policy.Modules{}, policyNFT, transfer))
			require.False(t, c.Targets(policy.Modules{}, policyTo, mint))

			elsewhere := policy.Modules{ABI: common.Address{9}, ERC20: common.Address{8}}
			_, ok = c.SessionKey(elsewhere)
			require.False(t, ok, "the module is not known")
			require.False(t, c.Targets(elsewhere, policyNFT, mint))

			c.Data = c.Data[:tt.short]
			_, ok = c.SessionKey(policy.Modules{})
			require.False(t, ok, "the module cannot read it")
			require.False(t, c.Targets(policy.Modules{}, policyNFT, mint))
		})
	}
}
