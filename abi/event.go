package abi

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// Event is a contract's event, parsed from its human-readable signature. It is immutable and safe for
// concurrent use.
type Event struct {
	declaration
	topic common.Hash
}

// ParseEvent reads a signature such as "event Transfer(address indexed from, address indexed to, uint256
// value)"; the word "event" is optional. See [ParseFunction] for what a signature may have. Anonymous events
// are not supported.
func ParseEvent(signature string) (*Event, error) {
	d, err := parseDeclaration(formEvent, signature)
	if err != nil {
		return nil, err
	}
	return &Event{declaration: d, topic: crypto.Keccak256Hash([]byte(d.Signature()))}, nil
}

// MustParseEvent is [ParseEvent] for signatures that are constants of a program: it panics where ParseEvent
// returns an error.
func MustParseEvent(signature string) *Event {
	e, err := ParseEvent(signature)
	if err != nil {
		panic(err)
	}
	return e
}

// ErrOtherEvent is the error for a log that is not of the wanted event. Whoever looks through many logs
// passes over it.
var ErrOtherEvent = errors.New("log of another event")

// Topic returns the hash that is the first topic of the event's logs.
func (e *Event) Topic() common.Hash { return e.topic }

// String returns the event with its names, as [ParseEvent] reads it.
func (e *Event) String() string {
	var b strings.Builder
	b.WriteString("event " + e.name)
	writeFields(&b, e.inputs, true)
	return b.String()
}

// Decode returns the arguments of a log, in the order of the signature and in the types of [Function.Unpack].
// Of an indexed argument that is dynamic or of more than one word the log has only a hash: that is returned,
// as [common.Hash]. A log of another event is [ErrOtherEvent]. Any contract can log any event: whether
// log.Address is the one that counts is for the caller to check.
func (e *Event) Decode(log *types.Log) ([]any, error) {
	indexed, plain := e.split()
	if len(log.Topics) != len(indexed)+1 || log.Topics[0] != e.topic {
		return nil, fmt.Errorf("decode %s: %w", e.Signature(), ErrOtherEvent)
	}
	values, err := decode(log.Data, plain, anyLayout)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", e.Signature(), inArgument("unindexed argument", plain, err))
	}
	all := make([]any, len(e.inputs))
	topics := log.Topics[1:]
	for i, f := range e.inputs {
		if !f.indexed {
			all[i], values = values[0], values[1:]
			continue
		}
		if all[i], err = f.typ.fromTopic(topics[0]); err != nil {
			return nil, fmt.Errorf("decode %s: %w", e.Signature(), inArgument("argument", e.inputs, inField(i, e.inputs, err)))
		}
		topics = topics[1:]
	}
	return all, nil
}

// split separates the arguments that are topics from those in the data.
func (e *Event) split() (indexed, plain []field) {
	for _, f := range e.inputs {
		if f.indexed {
			indexed = append(indexed, f)
		} else {
			plain = append(plain, f)
		}
	}
	return indexed, plain
}

func (t *valueType) fromTopic(topic common.Hash) (any, error) {
	if t.dynamic || t.kind == kindTuple || t.kind == kindArray {
		return topic, nil
	}
	return t.fromWord(topic)
}
