package jsonrpc

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A key is cut out however a service, a proxy or a library spells it.
func TestRedactionKnowsEverySpelling(t *testing.T) {
	const key = "k/ey+1 é\"9" // in the URL with percent escapes
	e := parseEndpoint("https://bundler.example/v2/" + url.PathEscape(key) + "?token=s3cr%2ft")
	require.NoError(t, e.invalid)
	for name, spelled := range map[string]string{
		"plain":                         key,
		"as it stands in the URL":       url.PathEscape(key),
		"lower case escapes":            "k%2fey+1%20%c3%a9%229",
		"a query's":                     url.QueryEscape(key),
		"every byte escaped":            "%6b%2f%65%79%2b%31%20%c3%a9%22%39",
		"escaped twice":                 "k%252fey%2B1%2520%25c3%25a9%25229",
		"JSON":                          `k/ey+1 é\"9`,
		"JSON of Go's":                  `k/ey\u002b1 é\"9`,
		"JSON of PHP's":                 `k\/ey+1 \u00e9\"9`,
		"JSON all in \\u":               `\u006B\u002f\u0065\u0079\u002B\u0031\u0020\u00E9\u0022\u0039`,
		"percent within JSON":           `k\u00252fey+1\u002520\u0025c3\u0025a9\u0025229`,
		"JSON within JSON":              `k\\/ey+1 \\u00e9\\\"9`,
		"quoted by Go":                  `k/ey+1 \u00e9\"9`,
		"quoted by Go, byte by byte":    `k/ey+1 \xc3\xa9\"9`,
		"HTML":                          "k&#x2F;ey&#43;1 &eacute;&quot;9",
		"HTML of JSON":                  `k\/ey+1 \u00e9\&quot;9`,
		"escaped HTML":                  "k&amp;#x2f;ey+1 é&amp;quot;9",
		"the query's value":             "s3cr/t",
		"the query's value, other case": "s3cr%2Ft",
		"the query's value in JSON":     `s3cr\/t`,
		"the query's value, \\u":        `s3cr\u002ft`,
	} {
		shown := e.clean("cannot POST /v2/" + spelled + " (100%, a\\b)")
		require.Equal(t, "cannot POST /v2/[redacted] (100%, a\\b)", shown, name)
		body := string(e.redactJSON(json.RawMessage(`{"url":"/v2/` + strings.ReplaceAll(spelled, `é"9`, `é\"9`) + `"}`)))
		require.NotContains(t, body, "ey", name)
		require.NotContains(t, body, "s3cr", name)
		require.Contains(t, body, "[redacted]", name)
	}
	for _, innocent := range []string{"", "100% \\u12 %zz \\ %", strings.Repeat("%25", 100), `\ud83d\ude00 \ud83d`, "k/ey+1"} {
		require.Equal(t, innocent, e.secrets.Replace(innocent))
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("secret%2fkey", `a secret\u002fkey`)
	f.Add("a%20bc", "%61%2520bc \\ud83d\\ude00")
	f.Fuzz(func(t *testing.T, path, text string) {
		e := parseEndpoint("https://bundler.example/v2/" + path)
		shown := e.secrets.Replace(text)
		for _, secret := range e.secrets {
			require.NotContains(t, strings.ReplaceAll(shown, redacted, "\x00"), secret)
		}
		if len(e.secrets) == 0 {
			require.Equal(t, text, shown)
		}
	})
}

// A key is cut out where a line ends within it, and where a text ends in it.
func TestRedactionOfPieces(t *testing.T) {
	e := parseEndpoint("https://bundler.example/v2/80002/0123456789abcdef.tail")
	for _, spelled := range []string{
		"01234567\n89abcdef.tail", "01234567\r\n89abcdef.tail", `01234567\n89abcdef.tail`, "0123\u200b4567\u00ad89abcdef.tail",
		"01234567", "0123456789abc", "0123456789abcdef%2Etail", "0123456789abcdef%2", "0123\t4567", "%30123456&#55;",
	} {
		shown := e.clean("no such key: " + spelled)
		require.NotContains(t, shown, "0123", spelled)
		require.NotContains(t, shown, "abc", spelled)
		require.Contains(t, shown, "no such key: [redacted]", spelled)
	}
	for _, innocent := range []string{"no such key: 0123456", "the call 1234567 89abcdef", "123456789abcdef.tail"} {
		require.Equal(t, innocent, e.clean(innocent))
	}
}

// Nothing of a service's text moves a cursor, ends a line or turns its direction.
func TestCleanTextIsOneLine(t *testing.T) {
	e := parseEndpoint("https://bundler.example")
	for _, r := range "\x00\x1b\n\r\t\u0085\u009b\u200e\u200f\u202a\u202e\u2066\u2069\u2028\u2029\u061c\ufeff\U000e0041" {
		require.Equal(t, "a b", e.clean("a"+string(r)+"b"), "%U", r)
	}
	require.Equal(t, "żółć 😀", e.clean("żółć 😀"))
}
