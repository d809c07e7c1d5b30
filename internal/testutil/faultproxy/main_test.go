package faultproxy_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/account/accounttest"
)

func TestMain(m *testing.M) {
	var opts []goleak.Option
	for _, function := range accounttest.LeftGoroutines() {
		opts = append(opts, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(m, opts...)
}
