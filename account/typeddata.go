package account

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/session/policy"
)

// domainType is the type of a domain, which TypeScript libraries leave out of the types that they write.
const domainType = "EIP712Domain"

// typedDataHash returns the EIP-712 hash of typed data: what isValidSignature is asked about. Like viem and
// ethers it knows the type of the domain by the fields that the domain has, and, as ethers, the primary type
// for the one that no other contains. The caller's data stays as it is.
func typedDataHash(data apitypes.TypedData) (common.Hash, error) {
	hash, err := hashTypedData(data)
	if err != nil {
		// Values are in the text as they are: it may have what does not print.
		return common.Hash{}, fmt.Errorf("%w: typed data: %s", policy.ErrInvalid, strings.Trim(strconv.Quote(err.Error()), `"`))
	}
	return hash, nil
}

func hashTypedData(data apitypes.TypedData) (hash common.Hash, err error) {
	data.Types = maps.Clone(data.Types)
	declared := data.Types[domainType] != nil
	if !declared && data.Types != nil {
		data.Types[domainType] = domainFields(&data.Domain)
	}
	if data.PrimaryType = cmp.Or(data.PrimaryType, outermost(data.Types)); data.Types[data.PrimaryType] == nil {
		return hash, fmt.Errorf("the primary type %q is none of its types", data.PrimaryType)
	}
	domain := domainValues(&data)
	if declared { // go-ethereum refuses a domain without anything: right, unless that is what its type says
		data.Domain.Name = cmp.Or(data.Domain.Name, domainType)
	}
	separator, err := data.HashStruct(domainType, domain)
	if err != nil {
		return hash, fmt.Errorf("domain: %w", err)
	}
	if data.PrimaryType == domainType { // a signature of the domain alone
		return crypto.Keccak256Hash([]byte("\x19\x01"), separator), nil
	}
	message, err := plainValue(map[string]any(data.Message))
	if err != nil {
		return hash, fmt.Errorf("message%w", err)
	}
	if err := checkTyped(data.Types, data.PrimaryType, message); err != nil {
		return hash, fmt.Errorf("message%w", err)
	}
	content, err := data.HashStruct(data.PrimaryType, message.(map[string]any))
	if err != nil {
		return hash, fmt.Errorf("message: %w", err)
	}
	return crypto.Keccak256Hash([]byte("\x19\x01"), separator, content), nil
}

// domainValues are the domain's values. A name or version that its type declares and that is empty is there
// all the same: go-ethereum leaves out what is empty.
func domainValues(data *apitypes.TypedData) map[string]any {
	values := data.Domain.Map()
	for _, field := range data.Types[domainType] {
		if values[field.Name] == nil && (field.Name == "name" || field.Name == "version") {
			values[field.Name] = ""
		}
	}
	return values
}

// domainFields are the fields that a domain has, in the standard's order. Without a type that declares it, an
// empty name cannot be told from none, and is taken for none.
func domainFields(domain *apitypes.TypedDataDomain) []apitypes.Type {
	all := []apitypes.Type{
		{Name: "name", Type: "string"}, {Name: "version", Type: "string"}, {Name: "chainId", Type: "uint256"},
		{Name: "verifyingContract", Type: "address"}, {Name: "salt", Type: "bytes32"},
	}
	present := domain.Map()
	return slices.DeleteFunc(all, func(field apitypes.Type) bool { return present[field.Name] == nil })
}

// outermost returns the one type that no other contains; empty where there are several, or none.
func outermost(types apitypes.Types) string {
	contained := map[string]bool{domainType: true}
	for _, fields := range types {
		for _, field := range fields {
			contained[strings.Split(field.Type, "[")[0]] = true
		}
	}
	var names []string
	for name := range types {
		if !contained[name] {
			names = append(names, name)
		}
	}
	if len(names) != 1 {
		return ""
	}
	return names[0]
}

// maxExact is up to where every integer is a float64 of its own.
const maxExact = 1 << 53

// plainValue returns a value of a message in the forms that go-ethereum takes, which are those of JSON. It
// refuses what has no exact meaning: a null in an array, and a JSON number that lost digits.
func plainValue(value any) (any, error) {
	switch v := value.(type) {
	case string, bool, []byte, *big.Int, nil:
		return value, nil
	case json.Number:
		return v.String(), nil
	case common.Address:
		return v.Hex(), nil
	case uint256.Int:
		return v.ToBig(), nil
	case *uint256.Int:
		if v == nil {
			return nil, nil
		}
		return v.ToBig(), nil
	case float64:
		if v > maxExact || v < -maxExact {
			return nil, errors.New(": a number beyond 2^53 loses digits as a JSON number; write it as a string")
		}
		return value, nil
	}
	rv := reflect.ValueOf(value)
	switch kind := rv.Kind(); {
	case rv.CanInt():
		return big.NewInt(rv.Int()), nil
	case rv.CanUint():
		return new(big.Int).SetUint64(rv.Uint()), nil
	case kind == reflect.Map && rv.Type().Key().Kind() == reflect.String:
		return plainMap(rv)
	case (kind == reflect.Slice || kind == reflect.Array) && rv.Type().Elem().Kind() != reflect.Uint8:
		return plainList(rv)
	}
	return value, nil
}

func plainMap(rv reflect.Value) (any, error) {
	plain := make(map[string]any, rv.Len())
	for entries := rv.MapRange(); entries.Next(); {
		name := entries.Key().String()
		value, err := plainValue(entries.Value().Interface())
		if err != nil {
			return nil, fmt.Errorf(".%s%w", name, err)
		}
		plain[name] = value
	}
	return plain, nil
}

func plainList(rv reflect.Value) (any, error) {
	plain := make([]any, rv.Len())
	for i := range plain {
		value, err := plainValue(rv.Index(i).Interface())
		if err == nil && value == nil {
			err = errors.New(": null in an array")
		}
		if err != nil {
			return nil, fmt.Errorf("[%d]%w", i, err)
		}
		plain[i] = value
	}
	return plain, nil
}
