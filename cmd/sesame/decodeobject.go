package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// deepest is how many JSON-RPC envelopes are looked into.
const deepest = 4

// errorJSON is an error of a service, or of the EntryPoint.
type errorJSON struct {
	Code    int    `json:"code,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Message string `json:"message,omitempty"`
	AA      string `json:"aa,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Help    string `json:"help,omitempty"`
}

func (e *errorJSON) facts(t *table) {
	if e.Message != "" {
		t.row("says", e.Message)
	}
	if e.Code != 0 {
		t.row("code", strings.TrimSuffix(fmt.Sprintf("%d, %s", e.Code, e.Kind), ", "))
	}
	if e.AA != "" {
		t.row("AA code", cell{strings.TrimSpace(e.AA + " " + e.Reason), alarm})
	}
	if e.Help != "" {
		t.row("what to do", e.Help)
	}
}

// findAA finds an AA code in a text, nil for none.
func findAA(text string) *errorJSON {
	aa, ok := userop.ParseAA(text)
	if !ok {
		return nil
	}
	return &errorJSON{AA: aa.Code, Reason: aa.Reason, Help: cmp.Or(aa.Help(), unknownAA(aa.Code))}
}

// unknownAA is what to do about a code that is none of EntryPoint v0.6: who is at fault its first digit says.
func unknownAA(code string) string {
	who := map[byte]string{'1': "the account's deployment", '2': "the account", '3': "the paymaster", '4': "the gas limits", '5': "what came after the call", '9': "the bundle"}[code[2]]
	return "no code that is known here, of " + cmp.Or(who, "something else") + " by its first digit; ask the service what it means"
}

// longHex is hex in a text that may be call data or a revert.
var longHex = regexp.MustCompile(`0x[0-9a-fA-F]{8,}`)

// words says what a text of a service or a program is about: its AA code, and revert data in it.
func (d *decoding) words(ctx context.Context, text string) (*decodedJSON, error) {
	said := &decodedJSON{Kind: kindError, Error: findAA(text)}
	for _, found := range longHex.FindAllString(text, 16) {
		data, ok := hexData(found)
		if !ok {
			continue
		}
		if revert := d.revert(ctx, data); revert.Name != "" {
			said.Revert = d.newRevertJSON(&revert)
			if said.Error == nil {
				said.Error = findAA(revert.String())
			}
			break
		}
	}
	if said.Error == nil && said.Revert == nil {
		return nil, errUnknownText
	}
	return said, nil
}

// object says what a JSON text is.
func (d *decoding) object(ctx context.Context, text []byte, depth int) (*decodedJSON, error) {
	var list []json.RawMessage
	if json.Unmarshal(text, &list) == nil && len(list) > 0 && depth < deepest { // the parameters of a request
		return d.parameters(ctx, list, depth)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("the JSON cannot be read: %w", err)
	}
	has := func(name string) bool { _, ok := fields[name]; return ok }
	switch {
	case d.as == kindOperation || has("sender") && has("callData"):
		return d.operation(text, nil)
	case has("userOperation"):
		return d.operation(fields["userOperation"], fields["entryPoint"])
	case d.as == kindReceipt || has("userOpHash") && has("success"):
		return d.receipt(ctx, text)
	case has("code") && has("message"):
		return d.serviceError(ctx, text)
	case has("sesame") && has("leaves"):
		return d.document(text)
	case has("error") && depth < deepest && string(fields["error"]) != "null":
		return d.within(ctx, fields["error"], depth)
	case has("result") && depth < deepest:
		return d.within(ctx, fields["result"], depth)
	case has("params") && depth < deepest:
		return d.object(ctx, fields["params"], depth+1)
	}
	if has("sender") || has("callData") {
		return nil, errors.New("it has some fields of an operation, and lacks sender or callData; copy all of it")
	}
	prepared, err := account.ParsePrepared(text)
	if err != nil {
		return nil, errUnknownText
	}
	return &decodedJSON{Kind: kindPrepared, Summary: prepared.String(), Sentences: prepared.Describe(d.known.Functions()...)}, nil
}

// within says what is in an answer of a service.
func (d *decoding) within(ctx context.Context, text json.RawMessage, depth int) (*decodedJSON, error) {
	var plain string
	if json.Unmarshal(text, &plain) == nil {
		if data, ok := hexData(plain); ok {
			return d.data(ctx, data)
		}
		return d.words(ctx, plain)
	}
	return d.object(ctx, text, depth+1)
}

// parameters says the operation that a request is about.
func (d *decoding) parameters(ctx context.Context, list []json.RawMessage, depth int) (*decodedJSON, error) {
	said, err := d.object(ctx, list[0], depth+1)
	var entryPoint common.Address
	if err == nil && said.Operation != nil && len(list) > 1 && json.Unmarshal(list[1], &entryPoint) == nil {
		return d.operation(list[0], list[1])
	}
	return said, err
}

// serviceError says what a bundler or a paymaster answered instead of a result.
func (d *decoding) serviceError(ctx context.Context, text []byte) (*decodedJSON, error) {
	var answer struct {
		Code    json.Number     `json:"code"`
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("the error cannot be read: %w", err)
	}
	code, _ := answer.Code.Int64()
	said := &decodedJSON{Kind: kindError, Summary: "An error of a service"}
	for _, part := range []string{answer.Message, string(answer.Data)} {
		found, err := d.words(ctx, part)
		if err == nil && said.Error == nil {
			said.Error = found.Error
		}
		if err == nil && said.Revert == nil {
			said.Revert = found.Revert
		}
	}
	if said.Error == nil {
		said.Error = new(errorJSON)
	}
	said.Error.Code, said.Error.Message = int(code), answer.Message
	said.Error.Kind = errorKind(&bundler.Error{Code: int(code), Message: answer.Message})
	return said, nil
}

// errorKind is what a bundler means by its code.
func errorKind(answer *bundler.Error) string {
	for _, kind := range []error{
		bundler.ErrAlreadyKnown, bundler.ErrRateLimited, bundler.ErrRejected, bundler.ErrPaymaster, bundler.ErrOpcode, bundler.ErrTimeRange,
		bundler.ErrBanned, bundler.ErrStake, bundler.ErrAggregator, bundler.ErrSignature, bundler.ErrPaymasterDeposit, bundler.ErrReverted,
		bundler.ErrInvalidParams, bundler.ErrMethodNotFound,
	} {
		if errors.Is(answer, kind) {
			return kind.Error()
		}
	}
	return ""
}

// document says the sessions of a document.
func (d *decoding) document(text []byte) (*decodedJSON, error) {
	document, err := session.ParseDocument(text)
	if err != nil {
		return nil, err
	}
	said := &decodedJSON{Kind: kindDocument, Summary: fmt.Sprintf("A document of %s: %s, %s, root %s",
		document.Ref(), counted(len(document.Leaves), "session"), counted(len(document.Keys), "sealed key"), document.Root)}
	for i := range document.Leaves {
		leaf := &document.Leaves[i]
		said.Sentences = append(said.Sentences, fmt.Sprintf("%s, key %s: %s", leaf.ID, leaf.Key, leaf.Describe(modulesOf(document.ChainID), d.known.Functions()...)))
	}
	return said, nil
}
