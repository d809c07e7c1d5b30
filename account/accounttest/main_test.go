package accounttest

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	var opts []goleak.Option
	for _, function := range LeftGoroutines() {
		opts = append(opts, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(m, opts...)
}
