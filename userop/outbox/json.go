package outbox

import (
	"encoding/json"
	"fmt"
	"slices"
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
