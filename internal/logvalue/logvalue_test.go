package logvalue_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/logvalue"
)

var (
	address = common.HexToAddress("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")
	hash    = common.HexToHash("0x01")
)

// fieldsError is an error with fields, around another one or several.
type fieldsError struct {
	text   string
	fields []slog.Attr
	within []error
}

func (e *fieldsError) Error() string        { return e.text }
func (e *fieldsError) Unwrap() []error      { return e.within }
func (e *fieldsError) LogValue() slog.Value { return logvalue.Error(e, e.fields...) }

// panics is an error of somebody else's.
type panics struct{}

func (panics) Error() string        { return "panics" }
func (panics) LogValue() slog.Value { panic("a nil pointer") }

// logged is how the two handlers write a value.
func logged(t *testing.T, value any) (text, json string) {
	t.Helper()
	write := func(handler func(*strings.Builder) slog.Handler) string {
		var b strings.Builder
		slog.New(handler(&b)).Info("x", "error", value)
		return strings.TrimSpace(b.String())
	}
	bare := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
			return slog.Attr{}
		}
		return a
	}}
	return write(func(b *strings.Builder) slog.Handler { return slog.NewTextHandler(b, bare) }),
		write(func(b *strings.Builder) slog.Handler { return slog.NewJSONHandler(b, bare) })
}

func TestError(t *testing.T) {
	inner := &fieldsError{"inner", []slog.Attr{logvalue.Chain(5), logvalue.Text("none", ""), logvalue.Address("nobody", common.Address{})}, nil}
	for name, test := range map[string]struct {
		err        error
		text, json string
	}{
		"fields": {inner, `error.msg=inner error.chain=5`, `{"error":{"msg":"inner","chain":5}}`},
		"addresses with their checksum": {
			&fieldsError{"x", []slog.Attr{logvalue.Account(address), logvalue.Hash(hash)}, nil},
			"error.msg=x error.account=0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed error.hash=" + hash.Hex(),
			`{"error":{"msg":"x","account":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed","hash":"` + hash.Hex() + `"}}`,
		},
		"a cause far within": {
			&fieldsError{"outer", nil, []error{errors.New("plain"), fmt.Errorf("wrapped: %w", inner)}},
			`error.msg=outer error.cause.chain=5`, `{"error":{"msg":"outer","cause":{"chain":5}}}`,
		},
		"no cause with fields": {
			&fieldsError{"outer", nil, []error{errors.New("plain"), &fieldsError{text: "bare"}}},
			`error.msg=outer`, `{"error":{"msg":"outer"}}`,
		},
		"a cause after one without fields": {
			&fieldsError{"outer", nil, []error{&fieldsError{text: "bare", fields: []slog.Attr{{}}}, inner}},
			`error.msg=outer error.cause.chain=5`, `{"error":{"msg":"outer","cause":{"chain":5}}}`,
		},
		"a cause that panics": {
			&fieldsError{"outer", []slog.Attr{logvalue.Chain(1)}, []error{panics{}, inner}},
			`error.msg=outer error.chain=1 error.cause.chain=5`, `{"error":{"msg":"outer","chain":1,"cause":{"chain":5}}}`,
		},
		"wrapped, it is its text": {fmt.Errorf("wrapped: %w", inner), `error="wrapped: inner"`, `{"error":"wrapped: inner"}`},
	} {
		t.Run(name, func(t *testing.T) {
			text, json := logged(t, test.err)
			require.Equal(t, test.text, text)
			require.Equal(t, test.json, json)
		})
	}
}
