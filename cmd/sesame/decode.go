package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
)

const decodeAbout = `Says in words what a text is, without asking anybody: a user operation or its receipt as JSON, also within a
JSON-RPC request or answer; call data, also of an account's execute functions; what a call reverted with; an
error of a bundler or paymaster with its AA code; a prepared operation; a document of sessions. The text comes
as an argument, from @FILE, or from standard input.

  sesame decode 0x08c379a0…
  sesame decode "AA23 reverted: ABISV Arg Rule Violated"
  curl … | sesame decode -chain 137
  sesame decode -abi 'function buy(uint256 id, address to)' 0x…

-abi knows further functions, errors and events by their signatures, one a line. -chain names the well-known
contracts of a chain, and works out an operation's hash. Signatures are told by their length and their module
alone: who has an operation with its signature can send it.
`

// maxDecoded bounds what is decoded, in bytes.
const maxDecoded = 4 << 20

// decoding is how a text is decoded.
type decoding struct {
	as         string
	chain      uint64
	entryPoint *common.Address
	abi        string
	client     *account.Client // asks nobody
	known      *abi.Contract   // what -abi has
}

func decodeCommand() command {
	return command{
		name: "decode", args: "[TEXT | @FILE | -]", summary: "say an operation, call data, a revert, an error or a receipt in words, offline", about: decodeAbout,
		define: func(f *flags) action {
			d := new(decoding)
			f.StringVar(&d.as, "as", "", "what the text is, where that is not found out: operation, receipt, call, revert or error")
			f.Uint64Var(&d.chain, "chain", 0, "`ID` of the chain")
			d.entryPoint = f.address("entrypoint", "`address` of the EntryPoint, for an operation's hash; the well-known one by default")
			f.StringVar(&d.abi, "abi", "", "`signatures` of functions, errors and events, one a line, or @FILE of them")
			return d.run
		},
	}
}

// decodedJSON is what was decoded. Kind says which of the fields there is.
type decodedJSON struct {
	Kind      string         `json:"kind"`
	Summary   string         `json:"summary,omitempty"`
	Operation *operationJSON `json:"operation,omitempty"`
	Receipt   *receiptJSON   `json:"receipt,omitempty"`
	Calls     []callJSON     `json:"calls,omitempty"`
	Revert    *revertJSON    `json:"revert,omitempty"`
	Error     *errorJSON     `json:"error,omitempty"`
	Sentences []string       `json:"sentences,omitempty"`
}

// The kinds of what is decoded.
const (
	kindOperation = "operation"
	kindReceipt   = "receipt"
	kindCall      = "call"
	kindRevert    = "revert"
	kindError     = "error"
	kindPrepared  = "prepared"
	kindDocument  = "document"
)

// errUnknownText is a text that is nothing that decode knows.
var errUnknownText = errors.New("it is neither an operation, a receipt, call data, a revert, an error with an AA code, a prepared operation nor a document; sesame help decode has examples")

func (d *decoding) run(ctx context.Context, c *call) error {
	if len(c.args) > 1 {
		return usagef("%d texts: quote one that has spaces in it", len(c.args))
	}
	if err := d.prepare(); err != nil {
		return err
	}
	text, err := d.text(c)
	if err != nil {
		return err
	}
	said, err := d.decode(ctx, text)
	if err != nil {
		return err
	}
	if c.json {
		return c.out.value(said)
	}
	said.print(c.out)
	return nil
}

// prepare reads the flags.
func (d *decoding) prepare() (err error) {
	switch d.as {
	case "", kindOperation, kindReceipt, kindCall, kindRevert, kindError:
	default:
		return usagef("-as: %s is none of operation, receipt, call, revert and error", shown(d.as))
	}
	signatures := d.abi
	if path, isFile := strings.CutPrefix(signatures, "@"); isFile {
		text, err := readSecret(path)
		if err != nil {
			return fmt.Errorf("-abi: %w", err)
		}
		signatures = string(text)
	}
	if d.known, err = abi.ParseContract(signatures); err != nil {
		return &usageError{fmt.Sprintf("-abi: %v", err)}
	}
	d.client, err = offlineClient(d.chain)
	return err
}

// text is what is to be decoded.
func (d *decoding) text(c *call) (string, error) {
	from := c.stdin
	if len(c.args) == 1 && c.args[0] != "-" {
		path, isFile := strings.CutPrefix(c.args[0], "@")
		if !isFile {
			from = strings.NewReader(c.args[0])
		} else {
			file, err := os.Open(path)
			if err != nil {
				return "", err
			}
			defer file.Close()
			from = file
		}
	}
	text, err := io.ReadAll(io.LimitReader(from, maxDecoded+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("read the text: %w", err)
	case len(text) > maxDecoded:
		return "", fmt.Errorf("the text is longer than %d MiB", maxDecoded>>20)
	case strings.TrimSpace(string(text)) == "":
		return "", usagef("there is no text to decode")
	}
	return strings.TrimSpace(string(text)), nil
}

// decode says what the text is.
func (d *decoding) decode(ctx context.Context, text string) (*decodedJSON, error) {
	if len(text) > 1 && text[0] == '"' { // as a service's answer is copied
		var plain string
		if json.Unmarshal([]byte(text), &plain) == nil {
			text = strings.TrimSpace(plain)
		}
	}
	if data, ok := hexData(text); ok {
		return d.data(ctx, data)
	}
	if strings.HasPrefix(text, "0x") && !strings.ContainsAny(text, " \n\t:,") {
		return nil, badHex(text[len("0x"):])
	}
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		return d.object(ctx, []byte(text), 0)
	}
	return d.words(ctx, text)
}

// print writes what was decoded for people.
func (s *decodedJSON) print(p *printer) {
	if s.Summary != "" {
		p.text(0, "%s", s.Summary)
	}
	t := new(table)
	if s.Operation != nil {
		s.Operation.facts(t)
	}
	if s.Receipt != nil {
		s.Receipt.facts(t)
	}
	if s.Error != nil {
		s.Error.facts(t)
	}
	if s.Revert != nil {
		s.Revert.facts(t)
	}
	p.table(2, t)
	for i := range s.Calls {
		s.Calls[i].print(p, i, len(s.Calls))
	}
	for _, sentence := range s.Sentences {
		p.text(2, "%s", sentence)
	}
	if s.Receipt != nil {
		s.Receipt.printLogs(p)
	}
}
