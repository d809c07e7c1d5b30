package kit

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDraftOp(t *testing.T) {
	var draft DraftOperation
	require.NoError(t, json.Unmarshal([]byte(`{"sender":"0x0100000000000000000000000000000000000000","nonce":"7","callData":"0x01","callGasLimit":null,"preVerificationGas":9}`), &draft))
	require.EqualValues(t, 7, draft.Nonce.Uint64())
	require.EqualValues(t, 9, draft.PreVerificationGas.Uint64())
	require.True(t, draft.CallGasLimit.IsZero())
	require.Zero(t, draft.Fees())
	require.ErrorContains(t, json.Unmarshal([]byte(`{"nonce":"7"}`), &draft), "missing sender")
}

func FuzzDraftOp(f *testing.F) {
	f.Add([]byte(`{"sender":"0x0100000000000000000000000000000000000000","nonce":"0x0","callData":"0x"}`))
	f.Add([]byte(`{"callGasLimit":1.5}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var draft DraftOperation
		if json.Unmarshal(data, &draft) != nil {
			return
		}
		again, err := json.Marshal(draft.Operation)
		require.NoError(t, err)
		var reread DraftOperation
		require.NoError(t, json.Unmarshal(again, &reread))
	})
}
