package pgstore

import (
	"encoding/json"
	"fmt"

	"github.com/go-sesame/sesame/session"
)

// landedRecord is a [session.LandedRoot] as it is stored. IDs are bytes: Go's strings may hold what JSON
// cannot.
type landedRecord struct {
	session.LandedRoot
	Order     [][]byte     `json:"order,omitempty"`
	Activated [][]byte     `json:"activated,omitempty"`
	Change    changeRecord `json:"change"`
}

type changeRecord struct {
	session.PendingRoot
	Add    [][]byte `json:"add,omitempty"`
	Remove [][]byte `json:"remove,omitempty"`
}

// encodeLanded returns nil for nil.
func encodeLanded(l *session.LandedRoot) (*string, error) {
	if l == nil {
		return nil, nil
	}
	text, err := json.Marshal(&landedRecord{
		LandedRoot: *l, Order: bytesOf(l.Order), Activated: bytesOf(l.Activated),
		Change: changeRecord{PendingRoot: l.Change, Add: bytesOf(l.Change.Add), Remove: bytesOf(l.Change.Remove)},
	})
	if err != nil {
		return nil, fmt.Errorf("write the change that landed: %w", err)
	}
	return new(string(text)), nil
}

// decodeLanded is the reverse.
func decodeLanded(text *string) (*session.LandedRoot, error) {
	if text == nil {
		return nil, nil
	}
	var r landedRecord
	if err := json.Unmarshal([]byte(*text), &r); err != nil {
		return nil, damaged("the change that landed: %v", err)
	}
	l := r.LandedRoot
	l.Order, l.Activated, l.Change = stringsOf(r.Order), stringsOf(r.Activated), r.Change.PendingRoot
	l.Change.Add, l.Change.Remove = stringsOf(r.Change.Add), stringsOf(r.Change.Remove)
	return &l, nil
}
