package ability_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/ability"
)

type service interface{ Serve() }

type able interface{ Able() int }

type plain struct{}

func (plain) Serve() {}

type gifted struct {
	plain
	n int
}

func (g gifted) Able() int { return g.n }

// wrapper says what it wraps, hidden does not.
type (
	wrapper struct{ service }
	hidden  struct{ service }
	endless struct{ plain }
)

func (w wrapper) Unwrap() service { return w.service }

func (e endless) Unwrap() service { return e }

func TestFind(t *testing.T) {
	for name, test := range map[string]struct {
		service service
		want    int // 0 for none
	}{
		"itself":            {gifted{n: 1}, 1},
		"wrapped":           {wrapper{wrapper{gifted{n: 2}}}, 2},
		"the outer one":     {wrapper{outer{wrapper{gifted{n: 3}}}}, 4},
		"none":              {plain{}, 0},
		"none, wrapped":     {wrapper{plain{}}, 0},
		"hidden":            {hidden{gifted{n: 5}}, 0},
		"hidden within":     {wrapper{hidden{gifted{n: 6}}}, 0},
		"nothing":           {nil, 0},
		"a wrapper of none": {wrapper{}, 0},
		"without an end":    {endless{}, 0},
	} {
		found, ok := ability.Find[able](test.service)
		require.Equal(t, test.want != 0, ok, name)
		if ok {
			require.Equal(t, test.want, found.Able(), name)
		}
	}
}

// outer is a wrapper with the ability itself.
type outer struct{ wrapper }

func (outer) Able() int { return 4 }

func TestMissing(t *testing.T) {
	require.True(t, ability.Missing(nil))
	require.True(t, ability.Missing(service((*plain)(nil))), "a nil pointer in an interface")
	require.False(t, ability.Missing(service(plain{})))
	require.False(t, ability.Missing(service(&plain{})))
}
