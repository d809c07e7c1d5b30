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

// ParseContract reads one signature a line, or from line to line while a parenthesis is open. Here the words
// "function", "event" and "error" are needed; empty lines and comments are passed over.
func ParseContract(text string) (*Contract, error) {
	blank, open := blankComments(text)
	if open >= 0 {
		return nil, fmt.Errorf("line %d: a comment without its end", 1+strings.Count(text[:open], "\n"))
	}
	c := new(Contract)
	lines := slices.Collect(strings.Lines(blank))
	for from := 0; from < len(lines); {
		to, depth := from, 0
		for ; to < len(lines) && (to == from || depth > 0); to++ {
			depth += strings.Count(lines[to], "(") - strings.Count(lines[to], ")")
		}
		if err := c.add(strings.TrimSpace(strings.Join(lines[from:to], ""))); err != nil {
			return nil, fmt.Errorf("line %d: %w", from+1, err)
		}
		from = to
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
	if line == "" {
		return nil
	}
	switch strings.Fields(line)[0] {
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
