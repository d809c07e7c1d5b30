package jsonobject_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/jsonobject"
)

func TestParseWantsAnObject(t *testing.T) {
	for in, want := range map[string]string{
		`null`:  "a JSON object was expected, got null",
		`[1]`:   "a JSON object was expected, got array",
		`"x"`:   "a JSON object was expected, got string",
		`{"a":`: "unexpected end of JSON input",
	} {
		_, err := jsonobject.Parse([]byte(in))
		require.EqualError(t, err, want, in)
	}
}

func TestFieldsGoByTheirExactName(t *testing.T) {
	r, err := jsonobject.Parse([]byte(`{"a":1,"A":2,"n":null,"z":true}`))
	require.NoError(t, err)
	var a, n int
	r.Require("a", &a)
	r.Optional("n", &n)
	require.NoError(t, r.Err())
	require.Equal(t, 1, a)
	require.Zero(t, n)
	require.True(t, r.Has("z"))
	require.False(t, r.Has("n"))
	require.False(t, r.Has("Z"))
}

func TestOptionalHexMayBeEmpty(t *testing.T) {
	r, err := jsonobject.Parse([]byte(`{"a":"","b":"0x","c":null,"d":"0x1","e":"0"}`))
	require.NoError(t, err)
	for _, name := range []string{"a", "b", "c", "none"} {
		text := "before"
		r.OptionalHex(name, &text)
		require.Equal(t, "before", text, name)
	}
	var d, e string
	r.OptionalHex("d", &d)
	r.OptionalHex("e", &e)
	require.NoError(t, r.Err())
	require.Equal(t, "0x1", d)
	require.Equal(t, "0", e)
}

func TestErrNamesEveryField(t *testing.T) {
	r, err := jsonobject.Parse([]byte(`{"a":"x","b":null,"c":"y"}`))
	require.NoError(t, err)
	var n int
	r.Require("a", &n)
	r.Require("b", &n)
	r.Optional("c", &n)
	r.Missing("d")
	require.EqualError(t, r.Err(), "missing b, d; "+
		"a: json: cannot unmarshal string into Go value of type int; "+
		"c: json: cannot unmarshal string into Go value of type int")
}

func TestStrict(t *testing.T) {
	type inner struct {
		B int `json:"b,omitempty"`
	}
	type outer struct {
		A     int
		In    inner           `json:"in"`
		Ptr   *inner          `json:"ptr"`
		List  []inner         `json:"list"`
		Plain json.RawMessage `json:"plain"`
	}
	var read outer
	require.NoError(t, jsonobject.Strict([]byte(` {"A":1,"in":{"b":2},"ptr":{"b":3},"list":[{"b":4},{}],"plain":{"b":1,"B":2}} `), &read))
	require.Equal(t, outer{A: 1, In: inner{2}, Ptr: &inner{3}, List: []inner{{4}, {}}, Plain: json.RawMessage(`{"b":1,"B":2}`)}, read)
	require.NoError(t, jsonobject.Strict([]byte(`{"ptr":null,"list":null}`), &outer{}))
	for text, want := range map[string]string{
		`{"A":1}{}`:                  "more than one JSON value",
		`{"A":1}]`:                   "more than one JSON value",
		`{"A":1}x`:                   "more than one JSON value",
		`{"a":1}`:                    `field "a" twice, or in other letter case`,
		`{"A":1,"A":1}`:              `field "A" twice, or in other letter case`,
		`{"in":{"B":1}}`:             `in: field "B" twice, or in other letter case`,
		`{"ptr":{"b":1,"b":2}}`:      `ptr: field "b" twice, or in other letter case`,
		`{"list":[{"b":1},{"B":2}]}`: `list: [1]: field "B" twice, or in other letter case`,
		`{"x":1}`:                    `json: unknown field "x"`,
		`{"A":`:                      "unexpected EOF",
		"{\"A\":1}" + strings.Repeat(" ", 5000) + "x": "more than one JSON value",
	} {
		require.EqualError(t, jsonobject.Strict([]byte(text), &outer{}), want, text)
	}
}
