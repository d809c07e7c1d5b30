package tsstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sesame/sesame/session/policy"
)

// FormatError says what is wrong with a file, and where. It matches [policy.ErrInvalid]. It never quotes a
// file of signers.
type FormatError struct {
	// Path is the file.
	Path string
	// Entry is the place in it, such as "leafNodes[2].sessionKeyData"; empty for the whole file.
	Entry string
	// Problem is what is wrong there.
	Problem string
}

// Error returns path, entry and problem.
func (e *FormatError) Error() string {
	if e.Entry == "" {
		return e.Path + ": " + e.Problem
	}
	return e.Path + ": " + e.Entry + ": " + e.Problem
}

// Is makes a FormatError match [policy.ErrInvalid].
func (e *FormatError) Is(target error) bool { return target == policy.ErrInvalid }

// in returns the problem of a part as one of the whole.
func (e *FormatError) in(whole string) *FormatError {
	return &FormatError{Path: e.Path, Entry: strings.TrimSuffix(whole+e.Entry, "."), Problem: e.Problem}
}

// inFile says which file an error is about.
func inFile(path string, err error) error {
	if bad, ok := errors.AsType[*FormatError](err); ok {
		return &FormatError{Path: path, Entry: bad.Entry, Problem: bad.Problem}
	}
	return fmt.Errorf("%s: %w", path, err)
}

// parseObject reads a JSON object. Its errors quote nothing.
func parseObject(content []byte, into *object) *FormatError {
	err := json.Unmarshal(content, into)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return &FormatError{Problem: fmt.Sprintf("broken JSON at byte %d; if the TypeScript SDK was just writing it, try again", syntax.Offset)}
	}
	if err != nil || *into == nil {
		return &FormatError{Problem: "want a JSON object"}
	}
	return nil
}
