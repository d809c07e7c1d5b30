package account_test

import (
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// TestACallThatRunsOutOfGasSaysSo gives a call less gas than it takes: nothing comes back that says why.
func TestACallThatRunsOutOfGasSaysSo(t *testing.T) {
	w := newWorld(t)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	_, err := w.send(t, []account.Call{w.mint(t, w.user.Address())}, account.WithLeafOf(sess), account.WithGas(userop.Gas{
		CallGasLimit: *uint256.NewInt(20_000), VerificationGasLimit: *uint256.NewInt(500_000), PreVerificationGas: *uint256.NewInt(100_000),
	}))
	var reverted *userop.RevertError
	require.ErrorAs(t, err, &reverted)
	require.ErrorContains(t, err, "its call reverted: it ran out of call gas, or its contract reverts without telling why; estimate callGasLimit, or raise it")
	require.Zero(t, w.nfts(t))
}
