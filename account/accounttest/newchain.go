package accounttest

import (
	"errors"
	"os"

	"github.com/go-sesame/sesame/account/accounttest/internal/artifacts"
)

// TB is the part of testing.TB that the New functions need. They fail, skip and clean up after a test without
// importing testing into programs that use the chain.
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Cleanup(func())
}

// ErrNoContracts means that the compiled contracts of the chain are not there. It says how to get them.
var ErrNoContracts = artifacts.ErrNotInstalled

// requireEnv makes a missing contract a failure where it would be a skipped test.
const requireEnv = "SESAME_REQUIRE_CONTRACTS"

// NewChain starts a chain that ends with the test. Where the compiled contracts are not there the test is
// skipped, or fails if SESAME_REQUIRE_CONTRACTS=1.
func NewChain(t TB, cfg ChainConfig) *Chain {
	t.Helper()
	chain, err := StartChain(cfg)
	checkStart(t, err)
	t.Cleanup(func() { logClose(t, "chain", chain.Close) })
	return chain
}

// checkStart ends a test whose chain did not start.
func checkStart(t TB, err error) {
	t.Helper()
	if errors.Is(err, ErrNoContracts) && os.Getenv(requireEnv) != "1" {
		t.Skipf("%v", err)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// logClose closes something at the end of a test, which a failure of closing does not fail.
func logClose(t TB, what string, close func() error) {
	if err := close(); err != nil {
		t.Logf("close %s: %v", what, err)
	}
}
