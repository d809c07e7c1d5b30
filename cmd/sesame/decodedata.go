package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/abi"
)

// hexData reads a text that is nothing but hex after 0x.
func hexData(text string) ([]byte, bool) {
	digits, isHex := strings.CutPrefix(strings.Replace(text, "0X", "0x", 1), "0x")
	if !isHex {
		return nil, false
	}
	data, err := hex.DecodeString(digits)
	return data, err == nil
}

// badHex says what is wrong with digits that are no hex data.
func badHex(digits string) error {
	if i := strings.IndexFunc(digits, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) }); i >= 0 {
		return fmt.Errorf("it begins with 0x and is no hex: character %d is %q; copy all of it, and nothing else", i+3, digits[i:i+1])
	}
	return fmt.Errorf("it has %d hex digits, which are no whole bytes; the copy lacks some", len(digits))
}

// cutShort are the selectors of errors whose data a copy may lack the rest of.
var cutShort = map[string]string{"0x08c379a0": "Error(string)", "0x4e487b71": "Panic(uint256)", "0x220266b6": "FailedOp(uint256,string)"}

// callJSON is one call.
type callJSON struct {
	To       *common.Address `json:"to,omitempty"`
	ToIs     string          `json:"toIs,omitempty"`
	Value    string          `json:"value,omitempty"` // in wei
	Selector string          `json:"selector,omitempty"`
	Function string          `json:"function,omitempty"`
	Args     []argJSON       `json:"args,omitempty"`
	Data     string          `json:"data,omitempty"` // what could not be decoded
	Problem  string          `json:"problem,omitempty"`
}

// argJSON is one argument.
type argJSON struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// revertJSON is what a call reverted with.
type revertJSON struct {
	Text      string    `json:"text"`
	Name      string    `json:"name,omitempty"`
	Signature string    `json:"signature,omitempty"`
	Args      []argJSON `json:"args,omitempty"`
}

// data says what bytes are: an account's calls, another call, or a revert.
func (d *decoding) data(ctx context.Context, data []byte) (*decodedJSON, error) {
	if d.as == kindRevert {
		return d.reverted(ctx, data), nil
	}
	if calls, err := d.client.Account(common.Address{}).Decode(data); err == nil && len(calls) > 0 {
		return d.accountCalls(calls), nil
	}
	one := d.callData(data)
	if one.Function == "" && d.as != kindCall {
		if revert := d.revert(ctx, data); revert.Name != "" {
			return d.reverted(ctx, data), nil
		}
	}
	if len(data) < abi.SelectorSize {
		return nil, fmt.Errorf("%d bytes are too few for call data or a revert", len(data))
	}
	summary := "Call data"
	if one.Function == "" {
		summary = fmt.Sprintf("%d bytes that begin with the selector %s, which neither a known function nor a known error has; -abi names others", len(data), one.Selector)
	}
	if name := cutShort[one.Selector]; name != "" && one.Function == "" {
		summary = fmt.Sprintf("%d bytes that begin with the selector of the error %s, and are not all of it; copy it anew", len(data), name)
	}
	return &decodedJSON{Kind: kindCall, Summary: summary, Calls: []callJSON{one}}, nil
}

// accountCalls says the calls that an account is asked to make.
func (d *decoding) accountCalls(calls []abi.Call) *decodedJSON {
	said := &decodedJSON{Kind: kindCall, Summary: counted(len(calls), "call") + " of a smart account"}
	said.Calls = d.calls(calls)
	return said
}

func (d *decoding) calls(calls []abi.Call) (said []callJSON) {
	for i := range calls {
		one := d.callData(calls[i].Data)
		to := calls[i].To
		one.To, one.ToIs, one.Value = &to, contractName(to, d.chain), calls[i].Value.Dec()
		said = append(said, one)
	}
	return said
}

// callData says one call by its data.
func (d *decoding) callData(data []byte) callJSON {
	if len(data) < abi.SelectorSize {
		return callJSON{Data: hexOf(data)}
	}
	one := callJSON{Selector: hexutil.Encode(data[:abi.SelectorSize])}
	for _, known := range []*abi.Contract{d.known, wellKnown()} {
		for _, f := range known.Functions() {
			if f.Selector() != [abi.SelectorSize]byte(data[:abi.SelectorSize]) {
				continue
			}
			one.Function = f.Signature()
			args, err := f.Unpack(data)
			if err != nil {
				one.Problem, one.Data = err.Error(), hexOf(data)
				return one
			}
			one.Args = argsOf(f.Inputs(), args)
			return one
		}
	}
	one.Data = hexOf(data)
	return one
}

// revert decodes revert data: by what -abi has, and by what the library knows.
func (d *decoding) revert(ctx context.Context, data []byte) abi.Revert {
	if revert := abi.DecodeRevert(data, d.known.Errors()...); revert.Name != "" && revert.Name != "Error" && revert.Name != "Panic" {
		return revert
	}
	return offlineRevert(ctx, d.client, data)
}

func (d *decoding) reverted(ctx context.Context, data []byte) *decodedJSON {
	revert := d.revert(ctx, data)
	said := &decodedJSON{Kind: kindRevert, Summary: "What a call reverted with", Revert: d.newRevertJSON(&revert)}
	if found := findAA(revert.String()); found != nil {
		said.Error = found
	}
	return said
}

func (d *decoding) newRevertJSON(revert *abi.Revert) *revertJSON {
	said := &revertJSON{Text: revert.String(), Name: revert.Name, Signature: revert.Signature}
	var inputs []abi.Param
	for _, known := range d.known.Errors() {
		if known.Signature() == revert.Signature {
			inputs = known.Inputs()
		}
	}
	for i, arg := range revert.Args {
		one := argJSON{Value: valueText(arg)}
		if i < len(inputs) {
			one.Name, one.Type = inputs[i].Name, inputs[i].Type
		}
		said.Args = append(said.Args, one)
	}
	return said
}

func (r *revertJSON) facts(t *table) {
	t.row("reverted with", cell{r.Text, alarm})
	if r.Signature != "" {
		t.row("error", r.Signature)
	}
}

// print writes a call for people.
func (c *callJSON) print(p *printer, i, n int) {
	what := c.Function
	if what == "" {
		what = "a function that is not known"
		if c.Selector == "" {
			what = "a transfer of value"
		}
	}
	if n > 1 {
		what = fmt.Sprintf("%d. %s", i+1, what)
	}
	p.title("%s", what)
	t := new(table)
	if c.To != nil {
		t.row("contract", named(*c.To, c.ToIs))
	}
	if c.Value != "" && c.Value != "0" {
		t.row("sends", ether(c.Value))
	}
	for i, arg := range c.Args {
		name := arg.Name
		if name == "" {
			name = fmt.Sprintf("argument %d", i)
		}
		t.row(name, arg.Value)
	}
	if c.Problem != "" {
		t.row(cell{"problem", alarm}, c.Problem)
	}
	if c.Data != "" {
		t.row("data", c.Data)
	}
	p.table(2, t)
}

func named(address common.Address, name string) string {
	if name == "" {
		return address.Hex()
	}
	return address.Hex() + ", the " + name
}

func argsOf(inputs []abi.Param, args []any) (said []argJSON) {
	for i, arg := range args {
		said = append(said, argJSON{inputs[i].Name, inputs[i].Type, valueText(arg)})
	}
	return said
}

// What is shown of a value at most.
const (
	maxBytes    = 256  // of bytes
	maxText     = 1024 // of a string, in bytes
	maxElements = 32   // of an array
	maxDepth    = 8
)

// valueText says a decoded value, as far as is worth reading.
func valueText(value any) string {
	var b strings.Builder
	writeValue(&b, value, 0)
	return b.String()
}

func writeValue(b *strings.Builder, value any, depth int) {
	if depth > maxDepth || b.Len() > 16<<10 {
		b.WriteString("…")
		return
	}
	switch v := value.(type) {
	case []byte:
		b.WriteString(hexOf(v))
	case string:
		b.WriteString(textOf(v))
	case common.Address:
		b.WriteString(v.Hex())
	case common.Hash:
		b.WriteString(v.Hex())
	case *big.Int:
		b.WriteString(v.String())
	case abi.Tuple:
		b.WriteString("(")
		for i, component := range v {
			separate(b, i)
			if component.Name != "" {
				b.WriteString(component.Name + ": ")
			}
			writeValue(b, component.Value, depth+1)
		}
		b.WriteString(")")
	default:
		writeList(b, v, depth)
	}
}

func separate(b *strings.Builder, i int) {
	if i > 0 {
		b.WriteString(", ")
	}
}

func hexOf(data []byte) string {
	if len(data) > maxBytes {
		return fmt.Sprintf("%s… (%d bytes)", hexutil.Encode(data[:maxBytes]), len(data))
	}
	return hexutil.Encode(data)
}

func textOf(text string) string {
	if len(text) > maxText {
		return fmt.Sprintf("%q… (%d bytes)", strings.ToValidUTF8(text[:maxText], ""), len(text))
	}
	return fmt.Sprintf("%q", text)
}
