// Package reason reads why a service refused an operation out of its JSON-RPC error: the EntryPoint's AA code
// and the contract's own revert, wherever the service put them.
package reason

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// Reason is why an operation was refused, as far as the answer tells.
type Reason struct {
	// AA is the EntryPoint's code, nil where none is named.
	AA *userop.AAError
	// Revert is what a contract reverted with, nil where the answer has no revert data.
	Revert *abi.Revert
}

// Of reads an error's message and its data member, which may be nil. Services put revert data into the data
// itself, into a field of it, or as hex into the message.
func Of(message string, data json.RawMessage) Reason {
	var r Reason
	texts := []string{message}
	for _, s := range stringsIn(data) {
		r.tryRevert(s.text, s.isRevert())
		texts = append(texts, s.text)
	}
	for _, blob := range hexBlob.FindAllStringSubmatch(message, -1) {
		r.tryRevert(blob[2], blob[1] != "")
	}
	if r.Revert != nil {
		texts = append(texts, r.Revert.Reason())
	}
	for _, text := range texts {
		if aa, ok := userop.ParseAA(text); ok {
			r.AA = aa
			break
		}
	}
	return r
}

// hexBlob finds hex in a message, and whether the words before it say that it is a revert.
var hexBlob = regexp.MustCompile(`(?i)((?:reason|revert(?:ed)?(?: with)?(?: data)?):? *)?\b(0x(?:[0-9a-f]{2}){4,})`)

// tryRevert takes text for the revert if it is revert data. Without named, only if it is a known one: a hash
// or an address is hex as well.
func (r *Reason) tryRevert(text string, named bool) {
	data, err := hexutil.Decode(text)
	if err != nil || len(data)%abi.WordSize != 4 {
		return
	}
	revert := contracts.DecodeRevert(data)
	known := revert.Name != ""
	if r.Revert == nil && (named || known) || r.Revert != nil && r.Revert.Name == "" && known {
		r.Revert = &revert
	}
}

// dataString is a string in the error's data and the name of the field it is in.
type dataString struct{ name, text string }

// isRevert reports whether the string's place says that it is revert data.
func (s dataString) isRevert() bool {
	switch s.name {
	case "", "data", "revertData", "returnData":
		return true
	}
	return false
}

// stringsIn lists the strings in a JSON value in a stable order.
func stringsIn(data json.RawMessage) []dataString {
	var value any
	if json.Unmarshal(data, &value) != nil {
		return nil
	}
	const deepest = 6
	return appendStrings(nil, "", value, deepest)
}

func appendStrings(found []dataString, name string, value any, depth int) []dataString {
	if depth == 0 {
		return found
	}
	switch value := value.(type) {
	case string:
		found = append(found, dataString{name, value})
	case []any:
		for _, element := range value {
			found = appendStrings(found, name, element, depth-1)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			found = appendStrings(found, key, value[key], depth-1)
		}
	}
	return found
}
