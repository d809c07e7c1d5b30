package session_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// An ID is in errors and logs: what moves a terminal's cursor or makes a line of its own comes in nowhere.
func TestIDsAreOneLineOfText(t *testing.T) {
	leaf := session.Leaf{Status: session.StatusActive, Key: common.Address{1}, Compiled: policy.Compiled{Module: common.Address{2}}}
	for id, fine := range map[string]bool{
		"a": true, `alice's "first" / session`: true, "世界 é": true, "👩\u200d🚀": true, "%s": true,
		"": false, "a\nb": false, "a\x1b[2J": false, "\x00": false, "a\x7f": false, "\u0085": false, "\xff": false, "a\u2028b": false, "\u202eevil": false,
	} {
		leaf.ID = id
		err := leaf.Validate()
		require.Equal(t, fine, err == nil, "%q: %v", id, err)
		if fine {
			continue
		}
		require.ErrorIs(t, err, policy.ErrInvalid)
		require.Regexp(t, `^[ -~]+$`, err.Error())
	}
}
