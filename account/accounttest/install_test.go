package accounttest_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account/accounttest"
)

// Where nothing is installed, and nothing to install it with, it says what it wanted to do and what is
// missing.
func TestContractsThatCannotBeInstalled(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("SESAME_CONTRACTS", "")
	t.Setenv("PATH", t.TempDir())
	var said bytes.Buffer
	err := accounttest.InstallContracts(t.Context(), &said)
	require.ErrorContains(t, err, "compile the contracts of the test chain: node is needed to compile the contracts")
	require.Contains(t, said.String(), "Compiling the contracts, which is done once")
}

// Where they are installed there is nothing to do, or to say.
func TestContractsThatAreInstalled(t *testing.T) {
	accounttest.NewChain(t, accounttest.ChainConfig{}) // skips where they are not
	var said bytes.Buffer
	require.NoError(t, accounttest.InstallContracts(t.Context(), &said))
	require.Empty(t, said.String())
}
