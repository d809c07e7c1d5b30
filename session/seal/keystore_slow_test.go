//go:build !race

package seal

import "testing"

// The derivation of this one takes twenty seconds under the race detector.
func TestKeystoreScryptVector(t *testing.T) { requireVector(t, scryptVector) }
