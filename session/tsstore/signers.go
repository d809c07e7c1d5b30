package tsstore

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session/seal"
)

// signers is an account's file of session keys: entries by lower-case address.
type signers struct{ entries object }

const (
	privateKeyField = "pvKey"
	publicKeyField  = "pbKey" // the address, in spite of its name; a public key in files of older SDKs
)

func parseSigners(path string, content []byte) (*signers, error) {
	f := &signers{entries: make(object)}
	if len(content) == 0 {
		return f, nil
	}
	if err := parseObject(content, &f.entries); err != nil {
		return nil, inFile(path, err)
	}
	return f, nil
}

// wipe clears what was read.
func (f *signers) wipe() {
	for _, raw := range f.entries {
		clear(raw)
	}
}

// addresses returns the names of the entries by the addresses they are.
func (f *signers) addresses() (map[common.Address]string, *FormatError) {
	names := make(map[common.Address]string, len(f.entries))
	for name := range f.entries {
		address, bad := entryAddress(name)
		if bad != nil {
			return nil, bad
		}
		if other, ok := names[address]; ok {
			return nil, sameEntry(name, other)
		}
		names[address] = name
	}
	return names, nil
}

// entryAddress returns the address that an entry's name is.
func entryAddress(name string) (common.Address, *FormatError) {
	b, wrong := parseHex(name)
	if wrong == "" && len(b) != common.AddressLength {
		wrong = "not an address"
	}
	if wrong != "" {
		entry := fmt.Sprintf("%q", name)
		if len(name) > len(common.Address{}.Hex()) {
			entry = "a long name" // it may be a key
		}
		return common.Address{}, &FormatError{Entry: entry, Problem: wrong}
	}
	return common.BytesToAddress(b), nil
}

func sameEntry(name, other string) *FormatError {
	return &FormatError{Entry: max(name, other), Problem: "second entry of the same address; keep one"}
}

// key returns the key of one entry, or nil where there is no such entry.
func (f *signers) key(name string, address common.Address) (*seal.Key, *FormatError) {
	fields := make(object)
	if err := parseObject(f.entries[name], &fields); err != nil {
		return nil, &FormatError{Entry: name, Problem: "want an object with pvKey and pbKey"}
	}
	defer (&signers{entries: fields}).wipe()
	key, wrong := parsePrivateKey(fields[privateKeyField])
	if wrong != "" {
		return nil, &FormatError{Entry: name + "." + privateKeyField, Problem: wrong}
	}
	if key.Address() != address {
		return nil, &FormatError{Entry: name + "." + privateKeyField, Problem: "is the key of " + key.Address().Hex() + ", not of its entry"}
	}
	if named, ok := addressIn(fields[publicKeyField]); ok && named != address {
		return nil, &FormatError{Entry: name + "." + publicKeyField, Problem: "is " + named.Hex() + ", not the address of its entry"}
	}
	return key, nil
}

// parsePrivateKey reads a JSON string of 0x and 64 hex digits without leaving copies behind.
func parsePrivateKey(raw json.RawMessage) (*seal.Key, string) {
	const want = "want a string of 0x and 64 hex digits"
	if len(raw) != 2+2+2*seal.KeySize || raw[0] != '"' || raw[1] != '0' || raw[2]|0x20 != 'x' {
		return nil, want
	}
	var secret [seal.KeySize]byte
	defer clear(secret[:])
	if _, err := hex.Decode(secret[:], raw[3:len(raw)-1]); err != nil {
		return nil, want
	}
	key, err := seal.ParseKey(secret[:])
	if err != nil {
		return nil, err.Error()
	}
	return key, ""
}

// addressIn returns the address that a JSON string is, if it is one.
func addressIn(raw json.RawMessage) (common.Address, bool) {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return common.Address{}, false
	}
	b, wrong := parseHex(text)
	return common.BytesToAddress(b), wrong == "" && len(b) == common.AddressLength
}

// put adds the key's entry as the SDK writes it.
func (f *signers) put(key *seal.Key) error {
	return key.Expose(func(secret []byte) error {
		raw := fmt.Appendf(nil, `{"%s":"0x%x","%s":"%s"}`, privateKeyField, secret, publicKeyField, key.Address().Hex())
		f.entries[strings.ToLower(key.Address().Hex())] = raw
		return nil
	})
}
