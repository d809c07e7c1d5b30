package observe

import (
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"

	"github.com/go-sesame/sesame/internal/oneline"
)

const (
	// longestText is how much is told of an error, in bytes.
	longestText = 1024
	// wordDigits are those of a hash, the longest hexadecimal number that is told whole.
	wordDigits = 64
)

// longHex are bytes that are more than a hash: a signature, call data, or a whole operation that a service
// quotes.
var longHex = regexp.MustCompile(`[0-9a-fA-F]{` + strconv.Itoa(wordDigits+1) + `,}`)

// Text is what is told of an error: its text in one line, not too long, without signatures and call data.
func Text(err error) string {
	if err == nil {
		return ""
	}
	return clean(err.Error())
}

// errorAttr is the attribute of a log's line for an error.
func errorAttr(err error) slog.Attr { return slog.Attr{Key: "error", Value: errorValue(err)} }

// errorValue is what an error says of itself for a log, or its text, as [Text] tells texts.
func errorValue(err error) slog.Value { return cleanValue(slog.AnyValue(err)) }

func cleanValue(value slog.Value) slog.Value {
	value = value.Resolve()
	switch value.Kind() {
	case slog.KindString:
		return slog.StringValue(clean(value.String()))
	case slog.KindGroup:
		group := slices.Clone(value.Group())
		for i := range group {
			group[i].Value = cleanValue(group[i].Value)
		}
		return slog.GroupValue(group...)
	case slog.KindAny:
		return slog.StringValue(clean(fmt.Sprint(value.Any())))
	}
	return value
}

func clean(text string) string {
	text = longHex.ReplaceAllStringFunc(text, func(digits string) string {
		return digits[:8] + "…(" + strconv.Itoa(len(digits)/2) + " bytes)"
	})
	return oneline.Within(longestText, text)
}
