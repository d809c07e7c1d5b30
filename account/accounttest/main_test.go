package accounttest

import (
	"errors"
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/account/accounttest/internal/artifacts"
)

// TestMain leaves the examples out where the contracts they run on are not installed, as the tests are.
func TestMain(m *testing.M) {
	if _, err := artifacts.Load(); errors.Is(err, ErrNoContracts) && os.Getenv(requireEnv) != "1" {
		if err := flag.Set("test.skip", "^Example(StartChain)?$"); err != nil {
			panic(err)
		}
	}
	var opts []goleak.Option
	for _, function := range LeftGoroutines() {
		opts = append(opts, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(m, opts...)
}
