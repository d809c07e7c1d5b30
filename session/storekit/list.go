package storekit

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// MaxPage is the most leaves that one [session.Page] holds; DefaultPage is how many it holds unless a
// [session.Query] says otherwise.
const (
	MaxPage     = 1000
	DefaultPage = 100
)

// Start returns the place that the page begins at, the zero Place for the first page, or an error matching
// [policy.ErrInvalid] if q cannot be answered.
func Start(q *session.Query) (Place, error) {
	if _, err := PageSize(q.Limit); err != nil {
		return Place{}, err
	}
	switch {
	case q.Status > session.StatusExpired:
		return Place{}, fmt.Errorf("%w: cannot list sessions of %s", policy.ErrInvalid, q.Status)
	case q.Standing && q.Status != 0 && q.Status != session.StatusRevoked:
		return Place{}, fmt.Errorf("%w: cannot list sessions that are revoked but still stand on chain and %s at once", policy.ErrInvalid, q.Status)
	}
	return parsePlace(q.Cursor)
}

// PageSize returns how many entries a page holds that was asked for with that limit, or an error matching
// [policy.ErrInvalid].
func PageSize(limit int) (int, error) {
	if limit < 0 || limit > MaxPage {
		return 0, fmt.Errorf("%w: page of %d entries, want 1 to %d", policy.ErrInvalid, limit, MaxPage)
	}
	return cmp.Or(limit, DefaultPage), nil
}

// Collect adds the leaf to page if it fits q and reports whether the page is complete; stores call it leaf by
// leaf, in the order of their places.
func Collect(q *session.Query, page *session.Page, at Place, leaf *session.Leaf) (complete bool) {
	if !MatchesRef(q, at.Ref) || !matches(q, leaf) {
		return false
	}
	if len(page.Items) == cmp.Or(q.Limit, DefaultPage) {
		page.Next = at.cursor()
		return true
	}
	page.Items = append(page.Items, session.Listed{Ref: at.Ref, Position: at.Position, Leaf: leaf.Clone()})
	return false
}

// CollectState is [Collect] for all leaves of a ref that are not before from.
func CollectState(q *session.Query, page *session.Page, from Place, ref session.Ref, state *session.State) (complete bool) {
	for i := range state.Leaves {
		at := Place{Ref: ref, Position: i}
		if at.Compare(from) >= 0 && Collect(q, page, at, &state.Leaves[i]) {
			return true
		}
	}
	return false
}

// MatchesRef reports whether q asks for leaves of ref at all.
func MatchesRef(q *session.Query, ref session.Ref) bool {
	return (q.ChainID == 0 || q.ChainID == ref.ChainID) &&
		(q.Account == common.Address{} || q.Account == ref.Account)
}

func matches(q *session.Query, leaf *session.Leaf) bool {
	endless, end := leaf.ValidUntil == 0, time.Unix(int64(leaf.ValidUntil), 0)
	switch {
	case q.Key != common.Address{} && leaf.Key != q.Key:
		return false
	case q.Status != 0 && leaf.StatusAt(moment(q)) != q.Status:
		return false
	case q.Standing && !leaf.Standing():
		return false
	case !q.ExpiresBefore.IsZero() && (endless || !end.Before(q.ExpiresBefore)):
		return false
	case !q.ExpiresAfter.IsZero() && !endless && !end.After(q.ExpiresAfter):
		return false
	}
	return true
}

func moment(q *session.Query) time.Time {
	if q.At.IsZero() {
		return time.Now()
	}
	return q.At
}

// Place is where a leaf stands among all leaves of a store.
type Place struct {
	Ref      session.Ref
	Position int
}

// Compare orders places by chain, account and position, as a [session.Lister] lists them.
func (p Place) Compare(other Place) int {
	return cmp.Or(CompareRefs(p.Ref, other.Ref), cmp.Compare(p.Position, other.Position))
}

// CompareRefs orders refs by chain and account.
func CompareRefs(a, b session.Ref) int {
	return cmp.Or(cmp.Compare(a.ChainID, b.ChainID), bytes.Compare(a.Account[:], b.Account[:]))
}

const placeSize = 8 + common.AddressLength + 8

// cursor writes the place so that a caller is not tempted to read it.
func (p Place) cursor() string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, placeSize), p.Ref.ChainID)
	b = append(b, p.Ref.Account[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Position))
	return base64.RawURLEncoding.EncodeToString(b)
}

func parsePlace(cursor string) (Place, error) {
	if cursor == "" {
		return Place{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) != placeSize || b[len(b)-8] > 0x7f {
		return Place{}, fmt.Errorf("%w: cursor %.80q is not one that a listing returned", policy.ErrInvalid, cursor)
	}
	p := Place{Ref: session.Ref{ChainID: binary.BigEndian.Uint64(b)}, Position: int(binary.BigEndian.Uint64(b[len(b)-8:]))}
	copy(p.Ref.Account[:], b[8:])
	return p, nil
}
