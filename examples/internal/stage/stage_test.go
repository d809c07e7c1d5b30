package stage_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/examples/internal/stage"
)

func TestNoArguments(t *testing.T) {
	require.NoError(t, stage.NoArguments(nil))
	require.EqualError(t, stage.NoArguments([]string{"-h"}), `unexpected argument "-h"; this program takes none, and runs by itself on a chain in its own process`)
}
