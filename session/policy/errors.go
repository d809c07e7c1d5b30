package policy

import "errors"

// ErrInvalid is input that can never work; nothing was changed and nothing was signed. It is the same value
// in every package above this one.
var ErrInvalid = errors.New("invalid input")
