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
