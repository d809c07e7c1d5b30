// Package logvalue has the one spelling of what values say of themselves in a log ([slog.LogValuer]): how
// attributes are called, addresses with their checksum, and errors as groups that keep their text.
package logvalue

import (
	"errors"
	"log/slog"

	"github.com/ethereum/go-ethereum/common"
)

// The names of attributes that several kinds of values have.
const (
	messageName = "msg"
	causeName   = "cause"
	accountName = "account"
	chainName   = "chain"
	hashName    = "hash"
)

// Account is a smart account. A [common.Address] given to slog as it is comes out in lower case.
func Account(account common.Address) slog.Attr { return Address(accountName, account) }

// Chain is the ID of a chain.
func Chain(id uint64) slog.Attr { return slog.Uint64(chainName, id) }

// Hash is the userOpHash of an operation.
func Hash(hash common.Hash) slog.Attr { return slog.String(hashName, hash.Hex()) }

// Address is an address with its checksum, nothing for the zero address.
func Address(name string, address common.Address) slog.Attr {
	if address == (common.Address{}) {
		return slog.Attr{}
	}
	return slog.String(name, address.Hex())
}

// Text is a text, nothing for an empty one.
func Text(name, text string) slog.Attr {
	if text == "" {
		return slog.Attr{}
	}
	return slog.String(name, text)
}

// Error is the group of an error: its text, its fields, and those of the first error within it that has some.
// What that one says is in the text already, and not said again.
func Error(err error, fields ...slog.Attr) slog.Value {
	group := make([]slog.Attr, 0, len(fields)+2)
	group = append(append(group, slog.String(messageName, err.Error())), fields...)
	for _, cause := range causes(err) {
		var within slog.LogValuer
		if !errors.As(cause, &within) {
			continue
		}
		if value, ok := fieldsOf(within); ok {
			return slog.GroupValue(append(group, slog.Attr{Key: causeName, Value: value})...)
		}
	}
	return slog.GroupValue(group...)
}

// causes are what an error wraps.
func causes(err error) []error {
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		return []error{wrapper.Unwrap()}
	case interface{ Unwrap() []error }:
		return wrapper.Unwrap()
	}
	return nil
}

// fieldsOf is what an error says of itself without its text, where there is something. One that is somebody
// else's may panic: that would take the line of the error around it, too.
func fieldsOf(within slog.LogValuer) (value slog.Value, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	value = within.LogValue()
	if value.Kind() != slog.KindGroup {
		return value, true
	}
	var rest []slog.Attr
	for _, attr := range value.Group() {
		if attr.Key != messageName && !attr.Equal(slog.Attr{}) {
			rest = append(rest, attr)
		}
	}
	return slog.GroupValue(rest...), len(rest) > 0
}
