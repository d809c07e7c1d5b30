package cores_test

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/internal/cores"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEach(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 100, 1000} {
		done := make([]atomic.Int32, n)
		cores.Each(n, func(i int) { done[i].Add(1) })
		for i := range done {
			require.EqualValues(t, 1, done[i].Load(), "%d of %d", i, n)
		}
	}
}
