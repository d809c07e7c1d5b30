package outbox

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-sesame/sesame/internal/quantity"
)

// MarshalText writes the state in a word.
func (s State) MarshalText() ([]byte, error) {
	if s == 0 || int(s) >= len(stateNames) {
		return nil, invalid("write %s", s)
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads the word of a state.
func (s *State) UnmarshalText(text []byte) error {
	i := slices.Index(stateNames[1:], string(text))
	if i < 0 {
		return invalid("no state is called %+q", text)
	}
	*s = State(i + 1)
	return nil
}

// bareOutcome is an outcome without its methods.
type bareOutcome Outcome

// outcomeJSON is an outcome with its numbers as JSON-RPC has them.
type outcomeJSON struct {
	*bareOutcome
	Cost    quantity.Quantity `json:"cost,omitzero"`
	GasUsed quantity.Quantity `json:"gasUsed,omitzero"`
}

// MarshalJSON writes the outcome without what is zero; numbers of wei and gas are 0x-hex.
func (o Outcome) MarshalJSON() ([]byte, error) {
	return json.Marshal(outcomeJSON{(*bareOutcome)(&o), quantity.Quantity(o.Cost), quantity.Quantity(o.GasUsed)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (o *Outcome) UnmarshalJSON(data []byte) error {
	var read Outcome
	shape := outcomeJSON{bareOutcome: (*bareOutcome)(&read)}
	if err := json.Unmarshal(data, &shape); err != nil {
		return fmt.Errorf("outcome: %w", err)
	}
	read.Cost, read.GasUsed = *shape.Cost.Int(), *shape.GasUsed.Int()
	*o = read
	return nil
}

// UnmarshalJSON reads an entry that is whole: as [Entry.ValidateStored] has it.
func (e *Entry) UnmarshalJSON(data []byte) error {
	type bare Entry // without this method
	var read bare
	if err := json.Unmarshal(data, &read); err != nil {
		return fmt.Errorf("read send: %w", err)
	}
	entry := Entry(read)
	if len(entry.Attempts) > 0 && entry.Attempts[0].Operation != nil {
		entry.Nonce = entry.Attempts[0].Operation.Nonce
	}
	if err := entry.ValidateStored(); err != nil {
		return fmt.Errorf("read send: %w", err)
	}
	*e = entry
	return nil
}
