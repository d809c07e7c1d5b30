package jsonobject_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/jsonobject"
)

// The quick reading of an object gives what encoding/json gives, or nothing.
func FuzzMembers(f *testing.F) {
	for _, text := range []string{
		`{}`, ` { } `, `{"a":1,"b":"2","c":null,"d":true,"e":false}`, `{"a":{"b":[1,-2.5e+3,"\u00e9\n\\\"/"]},"a":[]}`,
		`{"jsonrpc":"2.0","id":1,"result":"0x1"}`, `{"a":01}`, `{"a":1.}`, `{"a":-}`, `{"a":1e}`, `{"a":1e5}`, `{"a":.5}`,
		`{"a":"\x"}`, `{"a":"\u12g4"}`, "{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}", `{"a":1,}`, `{"a" 1}`, `{"a":}`, `{"a":1}x`,
		`{"a":tru}`, `{"a":nul`, `{"\u0061":1}`, `{"é":1}`, `{"a":[1,]}`, `{"a":[1 2]}`, `{"a":[}`, `{"a`, `{"a":"`, `{"a":"\`,
		`{"a":"\u00`, `{`, ``, `null`, `[]`, `7`, `{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`, "{\r\n\t\"a\" : 0 }", `{"a":-0}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		members, ok := jsonobject.Members(data, nil)
		var want map[string]json.RawMessage
		err := json.Unmarshal(data, &want)
		if !ok {
			// What is left to encoding/json is what it refuses, or what is unusual.
			unusual := err != nil || want == nil || strings.Count(string(data), "[")+strings.Count(string(data), "{") > 60
			for name := range maps.Keys(want) {
				unusual = unusual || strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 })
			}
			require.True(t, unusual || strings.Contains(string(data), `\`), "%q", data)
			return
		}
		require.NoError(t, err)
		got := map[string]json.RawMessage{}
		for _, m := range members { // of several of one name the last counts
			got[string(m.Name)] = m.Value
		}
		require.Equal(t, want, got)
	})
}

func TestMembersKeepTheirOrder(t *testing.T) {
	members, ok := jsonobject.Members([]byte(`{"b":1,"a":[2],"b":"3"}`), nil)
	require.True(t, ok)
	texts := slices.Collect(func(yield func(string) bool) {
		for _, m := range members {
			if !yield(string(m.Name) + "=" + string(m.Value)) {
				return
			}
		}
	})
	require.Equal(t, []string{"b=1", "a=[2]", `b="3"`}, texts)
}
