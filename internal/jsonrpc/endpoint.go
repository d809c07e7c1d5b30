package jsonrpc

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Why a URL cannot be used. The URL itself is never part of the error: it has the key in it.
var (
	errNoURL      = errors.New("no service URL is set; see where it is to come from, such as a variable of the environment")
	errUnparsable = errors.New("the service URL cannot be parsed; it has to look like https://host/path")
	errScheme     = errors.New("the service URL has to start with http:// or https://")
	errNoHost     = errors.New("the service URL has no host")
)

// redacted stands where a secret was.
const redacted = "[redacted]"

// endpoint is a service's URL that shows itself without its secrets only.
type endpoint struct {
	url     string
	shown   string
	host    string // with its port
	invalid error  // why the URL cannot be used
	secrets redactor
}

// parseEndpoint reads a URL without I/O. An invalid one is kept as such.
func parseEndpoint(raw string) *endpoint {
	e := &endpoint{url: strings.TrimSpace(raw), shown: "(invalid URL)"}
	u, err := url.Parse(e.url)
	switch {
	case e.url == "":
		e.invalid = errNoURL
	case err != nil:
		e.invalid = errUnparsable
	case u.Scheme != "http" && u.Scheme != "https":
		e.invalid = errScheme
	case u.Hostname() == "":
		e.invalid = errNoHost
	default:
		e.host = u.Host
		e.shown = u.Scheme + "://" + u.Host
		if u.Path != "" && u.Path != "/" || u.RawQuery != "" {
			e.shown += "/…"
		}
		e.secrets = replacer(secretsOf(u))
	}
	return e
}

// String shows scheme and host: "https://bundler.biconomy.io/…".
func (e *endpoint) String() string { return e.shown }

// GoString keeps the URL out of %#v.
func (e *endpoint) GoString() string { return e.shown }

// secretsOf lists what may be a key in a URL, as it is written there.
func secretsOf(u *url.URL) []string {
	secrets := []string{u.EscapedFragment()}
	if u.User != nil {
		password, _ := u.User.Password()
		secrets = append(secrets, u.User.Username(), password)
	}
	return slices.Concat(secrets, querySecrets(u.RawQuery), pathSecrets(u.EscapedPath()))
}

// querySecrets are the values of a query, and the names without one.
func querySecrets(query string) []string {
	var secrets []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if secret := cmp.Or(value, name); !isNumber(secret) { // a chain ID
			secrets = append(secrets, secret)
		}
	}
	return secrets
}

// pathSecrets are the segments of a path except for those that are plainly something else.
func pathSecrets(path string) []string {
	var secrets []string
	afterNumber := false
	for segment := range strings.SplitSeq(path, "/") {
		// A number is a chain ID, unless it follows one: that is where the key is.
		number := isNumber(segment)
		if !number && !plainWords[segment] || number && afterNumber {
			secrets = append(secrets, segment)
		}
		afterNumber = number
	}
	return secrets
}

// plainWords are path segments that are no keys; to hide them would only garble error messages.
var plainWords = map[string]bool{
	"bundler": true, "paymaster": true, "mainnet": true, "testnet": true, "sepolia": true,
	"ethereum": true, "polygon": true, "account-abstraction": true,
}

// isNumber reports whether s may be a chain ID; longer numbers are not taken for one.
func isNumber(s string) bool {
	return s != "" && len(s) <= 12 && strings.Trim(s, "0123456789") == ""
}

// replacer cuts secrets out of texts. What has less than four bytes ("v2", "api") is no secret and is found
// by chance in any text.
func replacer(secrets []string) redactor {
	var spellings redactor
	for _, secret := range secrets {
		plain, err := url.PathUnescape(secret)
		if err != nil {
			plain = secret
		}
		spellings = append(spellings, secret, plain, url.QueryEscape(plain))
	}
	slices.Sort(spellings)
	return slices.DeleteFunc(slices.Compact(spellings), func(s string) bool { return len(s) < 4 })
}

// clean makes a service's text fit for an error or a log: no secrets, and nothing that moves a cursor, ends a
// line or turns its direction.
func (e *endpoint) clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, e.secrets.Replace(s))
	return strings.TrimSpace(s)
}

// message returns a service's message, cleaned, with room for the revert data that some put there.
func (e *endpoint) message(s string) string { return cut(e.clean(s), 32<<10) }

// start returns the first bytes of a body, cleaned.
func (e *endpoint) start(body []byte) string {
	return cut(strings.Join(strings.Fields(e.clean(string(body))), " "), 256)
}

// cut returns at most limit bytes of s, and says if that is not all.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	s = s[:limit-len("…")]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

// redactJSON cuts secrets out of a JSON value. If they were not in a string, the value becomes one.
func (e *endpoint) redactJSON(raw json.RawMessage) json.RawMessage {
	clean := json.RawMessage(e.secrets.Replace(string(raw)))
	if !json.Valid(clean) {
		clean, _ = json.Marshal(string(clean))
	}
	return clean
}

// redactError returns err, or one with the same meaning to errors.Is whose text has no secrets.
func (e *endpoint) redactError(err error) error {
	text := err.Error()
	if clean := e.secrets.Replace(text); clean != text {
		return &redactedError{text: clean, err: err}
	}
	return err
}

// redactedError hides an error whose text has a secret in it; only errors.Is looks through.
type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }

func (e *redactedError) GoString() string { return e.text }

func (e *redactedError) Is(target error) bool { return errors.Is(e.err, target) }
