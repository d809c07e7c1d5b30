package testutil_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil"
)

// fatal is a test that notes why it failed, and ends there.
type fatal struct {
	testing.TB
	why string
}

type failed struct{}

func (f *fatal) Helper() {}
func (f *fatal) Fatalf(format string, args ...any) {
	f.why = fmt.Sprintf(format, args...)
	panic(failed{})
}

func TestPatiently(t *testing.T) {
	wanted, other := errors.New("wanted"), errors.New("another one")
	for name, c := range map[string]struct {
		takes time.Duration
		end   error
		fails string
	}{
		"at once":     {0, wanted, ""},
		"later":       {time.Second, wanted, ""},
		"never":       {time.Hour, wanted, "after 40.96s: context deadline exceeded; it has to match: wanted"},
		"another one": {0, other, "after 10ms: another one; it has to match: wanted"},
		"none":        {0, nil, "after 10ms: <nil>; it has to match: wanted"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				of := &fatal{TB: t}
				defer func() {
					if r := recover(); r != nil && r != (failed{}) {
						panic(r)
					}
					require.Equal(t, c.fails, of.why)
				}()
				err := testutil.Patiently(of, 10*time.Millisecond, wanted, func(ctx context.Context) error {
					select {
					case <-time.After(c.takes):
						return c.end
					case <-ctx.Done():
						return ctx.Err()
					}
				})
				require.ErrorIs(t, err, wanted)
			})
		})
	}
}
