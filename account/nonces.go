package account

import (
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// lastNonces are the next nonces of lanes outside of [Lanes], by what the last operation's end showed.
type lastNonces struct {
	maxAge time.Duration
	known  *recents[nonceLane, lastNonce]
}

// mostNonces is how many lanes, and about how many accounts, what is remembered is for.
const mostNonces = 1 << 16

type nonceLane struct {
	account common.Address
	key     uint256.Int
}

// lastNonce is a lane's next nonce, and when the chain showed that the one before is used.
type lastNonce struct {
	next uint256.Int
	at   time.Time
	// taken says that an operation has it already: who comes next asks the chain.
	taken bool
}

func newLastNonces(maxAge time.Duration) lastNonces {
	return lastNonces{maxAge: maxAge, known: newRecents[nonceLane, lastNonce](mostNonces)}
}

// used notes that the chain has shown the nonce to be used just now.
func (l *lastNonces) used(account common.Address, nonce *uint256.Int) {
	if l.maxAge <= 0 {
		return
	}
	next := lastNonce{at: time.Now()}
	next.next.AddUint64(nonce, 1)
	l.known.update(laneKey(account, new(uint256.Int).Rsh(nonce, 64)), func(known lastNonce, has bool) (lastNonce, bool) {
		if has && !known.next.Lt(&next.next) {
			return known, true // of an operation that was waited for late
		}
		return next, true
	})
}

// giveBack notes that no operation was made with the nonce that was taken. The lane may have come further
// since, and its next nonce be another operation's.
func (l *lastNonces) giveBack(account common.Address, nonce *uint256.Int) {
	l.known.update(laneKey(account, new(uint256.Int).Rsh(nonce, 64)), func(known lastNonce, has bool) (lastNonce, bool) {
		known.taken = known.taken && known.next != *nonce
		return known, has
	})
}

func laneKey(account common.Address, key *uint256.Int) nonceLane {
	lane := nonceLane{account: account}
	if key != nil {
		lane.key = *key
	}
	return lane
}

// take returns the lane's next nonce if it was shown lately, and to one caller only.
func (l *lastNonces) take(account common.Address, key *uint256.Int) (nonce uint256.Int, ok bool) {
	l.known.update(laneKey(account, key), func(known lastNonce, has bool) (lastNonce, bool) {
		if ok = has && !known.taken && time.Since(known.at) < l.maxAge; ok {
			nonce, known.taken = known.next, true
		}
		return known, has
	})
	return nonce, ok
}
