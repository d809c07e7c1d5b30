package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/userop"
)

// kind is what an event tells.
type kind string

const (
	// Of a process.
	started kind = "started"
	spent   kind = "spent" // its share of jobs is begun
	idle    kind = "idle"  // it begins no job any more, and goes on with none
	ended   kind = "ended"
	noted   kind = "noted" // an error that is no verdict on anything

	// Of a job. Every one ends as landed, reverted or given up.
	began    kind = "began"
	signed   kind = "signed"   // the operation that may be sent for it from now on
	handed   kind = "handed"   // to the bundler, each time
	waiting  kind = "waiting"  // an attempt that came to nothing, and told nothing of the operation
	doubtful kind = "doubtful" // at the deadline it was open whether the operation is accepted
	refused  kind = "refused"  // told that the operation, if there was one, surely was not accepted
	landed   kind = "landed"
	reverted kind = "reverted"
	gaveUp   kind = "gave up"
	replaced kind = "replaced" // what was stuck, by the operation that was signed last
	// cancelled is what was stuck: the operation took its place.
	cancelled kind = "cancelled"
	reported  kind = "reported" // by Run: a hash and no text where it succeeded, the error in the text otherwise

	// Of a session.
	granting  kind = "granting"
	granted   kind = "granted"
	signing   kind = "signing" // with the session key, at the moment the keyring is asked
	suspended kind = "suspended"
	revoked   kind = "revoked"

	// Of a user, at the end: whether nothing waits for the chain, and store and chain agree.
	settled   kind = "settled"
	unsettled kind = "unsettled"
)

// event is a line of a ledger.
type event struct {
	At   time.Time `json:"at"`
	Kind kind      `json:"kind"`
	// Slot is the place that a process and its successors take, Life which of them it is.
	Slot int `json:"slot"`
	Life int `json:"life"`

	Job uint64 `json:"job,omitempty"`
	// Doomed says of a job that its call is to run out of gas.
	Doomed bool `json:"doomed,omitempty"`
	// Included says of a report that an operation is on chain.
	Included bool           `json:"included,omitempty"`
	User     common.Address `json:"user,omitzero"`
	// Hash is the userOpHash.
	Hash      common.Hash       `json:"hash,omitzero"`
	Operation *userop.Operation `json:"operation,omitempty"`
	Key       common.Address    `json:"key,omitzero"` // of the session
	Text      string            `json:"text,omitempty"`
	Vitals    *vitals           `json:"vitals,omitempty"`
}

// vitals are what a process tells of itself at its end.
type vitals struct {
	GoroutinesAtStart, GoroutinesAtEnd, MaxGoroutines int
	PeakMemory                                        uint64 // resident, in bytes
}

func (e *event) String() string {
	text := fmt.Sprintf("%s slot %d life %d: %s", e.At.Format("15:04:05.000"), e.Slot, e.Life, e.Kind)
	if e.Hash != (common.Hash{}) {
		text += " operation " + e.Hash.Hex()
	}
	if e.Key != (common.Address{}) {
		text += " key " + e.Key.Hex()
	}
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}

// ledger is a file of events that a process adds to.
type ledger struct {
	slot, life int
	mu         sync.Mutex
	file       *os.File
}

// openLedger opens a ledger and returns what the processes before this one wrote. A line that the last one
// did not live to finish is cut off: what it would have told was not done.
func openLedger(path string, slot, life int) (*ledger, []event, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	events, whole, err := parseEvents(text)
	if err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if err := file.Truncate(int64(whole)); err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return &ledger{slot: slot, life: life, file: file}, events, nil
}

// write adds an event. What it tells of must not be done if it fails.
func (l *ledger) write(e event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.Slot, e.Life = l.slot, l.life
	line, err := json.Marshal(&e)
	if err != nil {
		return err
	}
	_, err = l.file.Write(append(line, '\n')) // in one piece; a kill loses nothing that was written
	return err
}

func (l *ledger) close() error { return l.file.Close() }

// parseEvents reads the whole lines of a ledger, and returns how many bytes they are.
func parseEvents(text []byte) (events []event, whole int, err error) {
	for {
		end := bytes.IndexByte(text[whole:], '\n')
		if end < 0 {
			return events, whole, nil
		}
		var e event
		if err := json.Unmarshal(text[whole:whole+end], &e); err != nil {
			return nil, 0, fmt.Errorf("ledger: %w", err)
		}
		events = append(events, e)
		whole += end + 1
	}
}

// follower reads a ledger while it grows.
type follower struct {
	path string
	at   int64
	all  []event
}

// read returns the events that came since.
func (f *follower) read() ([]event, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(f.at, io.SeekStart); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	events, whole, err := parseEvents(text)
	f.at += int64(whole)
	f.all = append(f.all, events...)
	return events, err
}
