package account

import (
	"fmt"
	"reflect"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// The names of the options for what is prepared.
const (
	signWithin = "SignWithin"
	stopNow    = "StopNow"
	kept       = "Kept"
)

// How long the signature of a prepared operation is taken.
const (
	defaultSignWithin = time.Hour
	longestSignWithin = 30 * 24 * time.Hour
)

// SignWithin is how long the signature of a prepared operation is taken, an hour by default, up to 30 days.
// At the multichain module it is the window of the operation, too, which the chain itself ends. At the ECDSA
// module it is the library's refusal alone; what ends the operation on chain [Prepared.Describe] tells.
func SignWithin(d time.Duration) Option {
	return func(s *settings) {
		s.require(d >= time.Second && d <= longestSignWithin, "SignWithin takes a second to 30 days")
		s.require(s.signWithin == 0 || s.signWithin == d, "SignWithin with two times")
		s.signWithin = d
		special(signWithin, "what is prepared")(s)
	}
}

// StopNow stops the sessions that a prepared revocation is about before it is signed, and whether or not it
// ever is: they are suspended ([session.Sessions.Suspend]), which is final. Without it they act until the
// revocation is submitted.
func StopNow() Option {
	return special(stopNow, "PrepareRevoke, PrepareRevokeEach and PrepareRevokeAll")
}

// Kept names what the application kept of a prepared operation when it handed it out: its [Prepared.Hash],
// and the account whose owner is signed in. Submit refuses any other. One that was parsed has to be named so:
// a browser may hand back whatever it likes, such as an operation that another account's owner signed.
func Kept(hash common.Hash, account common.Address) Option {
	return func(s *settings) {
		s.require(s.kept == nil, "Kept twice")
		s.kept = &keptPrepared{hash: hash, account: account}
		special(kept, "Submit")(s)
	}
}

// keptPrepared is what an application kept of a [Prepared].
type keptPrepared struct {
	hash    common.Hash
	account common.Address
}

// prepareSettings are [newSettings] of a call that prepares operations, for one signature of the owner's.
func prepareSettings(opts []Option, takes ...string) (*settings, error) {
	s, err := newSettings(opts, append(takes, signWithin)...)
	switch {
	case err != nil:
		return nil, err
	case s.namesSigner():
		return nil, fmt.Errorf("%w: what is prepared is for the owner to sign; an option names another signer", ErrConfig)
	case s.lanes != nil:
		return nil, fmt.Errorf("%w: InLane does not apply here: what is prepared holds no lane until it is signed; give it one with WithLane", ErrConfig)
	}
	if s.signWithin == 0 {
		s.signWithin = defaultSignWithin
	}
	if s.nonce == nil && s.lane == nil {
		s.lane = preparedLane()
	}
	s.unsigned, s.prepared = true, 1
	return s, nil
}

// preparedLane is the lane of what is prepared, unless an option chooses another. What sessions send in lane
// 0 while the owner looks at the wallet does not take its nonce there, and what the owner signed and nobody
// submitted is over once the next prepared operation lands.
func preparedLane() *uint256.Int { return new(uint256.Int).SetBytes([]byte("sesame prepared")) }

// submitSettings are [newSettings] of Submit, where all else was decided when the operation was prepared.
func submitSettings(opts []Option, takes ...string) (*settings, error) {
	s, err := newSettings(opts, append(takes, kept)...)
	if err != nil {
		return nil, err
	}
	rest := *s
	rest.special, rest.key, rest.kept, rest.caps, rest.beforeSend = nil, "", nil, nil, nil
	if !reflect.DeepEqual(rest, settings{}) {
		return nil, fmt.Errorf("%w: Submit takes Kept, Once, BeforeSend and WithCaps; all else was decided when the operation was prepared", ErrConfig)
	}
	return s, nil
}
