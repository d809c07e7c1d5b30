package abi

import (
	"fmt"
	"slices"
	"strings"
)

// Contract is a contract's interface in human-readable form: its functions, events and errors. It is
// immutable and safe for concurrent use.
type Contract struct {
	functions []*Function
	events    []*Event
	errors    []*ErrorDef
}

// ParseContract reads one signature a line. Here the words "function", "event" and "error" are needed; empty
// lines and those that begin with // are passed over.
func ParseContract(text string) (*Contract, error) {
	c := new(Contract)
	number := 0
	for line := range strings.Lines(text) {
		number++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "//") {
			continue
		}
		if err := c.add(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	return c, nil
}

// MustParseContract is [ParseContract] for texts that are constants of a program: it panics where
// ParseContract returns an error.
func MustParseContract(text string) *Contract {
	c, err := ParseContract(text)
	if err != nil {
		panic(err)
	}
	return c
}

func (c *Contract) add(line string) error {
	form, _, _ := strings.Cut(line, " ")
	switch form {
	case formFunction:
		f, err := ParseFunction(line)
		c.functions = append(c.functions, f)
		return err
	case formEvent:
		e, err := ParseEvent(line)
		c.events = append(c.events, e)
		return err
	case formError:
		e, err := ParseErrorDef(line)
		c.errors = append(c.errors, e)
		return err
	}
	return fmt.Errorf("%s does not begin with function, event or error", quote(line))
}

// Functions returns the functions, in order.
func (c *Contract) Functions() []*Function { return slices.Clone(c.functions) }

// Events returns the events, in order.
func (c *Contract) Events() []*Event { return slices.Clone(c.events) }

// Errors returns the errors, in order; [DecodeRevert] takes them.
func (c *Contract) Errors() []*ErrorDef { return slices.Clone(c.errors) }

// Function finds a function by its name, or, where several share it, by its signature: "transfer" or
// "transfer(address,uint256)".
func (c *Contract) Function(name string) (*Function, error) {
	var found []string
	var f *Function
	for _, candidate := range c.functions {
		if candidate.name == name || candidate.Signature() == name {
			f = candidate
			found = append(found, candidate.Signature())
		}
	}
	switch len(found) {
	case 1:
		return f, nil
	case 0:
		return nil, fmt.Errorf("the contract has no function %s", quote(name))
	}
	return nil, fmt.Errorf("several functions are named %s: say which of %s", quote(name), strings.Join(found, ", "))
}
