package abi

import "fmt"

// SyntaxError is a signature that cannot be read.
type SyntaxError struct {
	// Signature is the text as given.
	Signature string
	// Column is where the problem is, in bytes from 1.
	Column int
	// Problem says what is wrong there.
	Problem string
}

// Error returns the problem with its place in the signature.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("parse %s: column %d: %s", quote(e.Signature), e.Column, e.Problem)
}
