package line

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"alice's é": "alice's é", "👩\u200d🚀": "👩\u200d🚀", "": "",
		"a\x1b[2J\n": `"a\x1b[2J\n"`, "\u0085": `"\u0085"`, "\xff": `"\xff"`, "a\u2028b": `"a\u2028b"`, "\u202eevil": `"\u202eevil"`,
	} {
		require.Equal(t, want, Text(text))
		require.Equal(t, want == text, Is(text))
	}
}
