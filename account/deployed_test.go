package account_test

import (
	"context"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
)

// codeChain answers what code accounts have, and counts the questions.
type codeChain struct {
	deadChain
	code  []byte
	asked int
}

func (c *codeChain) CodeAt(context.Context, common.Address, *big.Int) ([]byte, error) {
	c.asked++
	return c.code, nil
}

// One wrong answer of a node, or a block that is taken back, does not make an account deployed for ever: its
// owner would send without initCode, and be refused each time.
func TestDeployedIsAskedOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain := &codeChain{code: []byte{0x60}}
		user := clientOf(t, chain).Account(stranger)
		deployed := func(want bool, asked int) {
			t.Helper()
			is, err := user.Deployed(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, is)
			require.Equal(t, asked, chain.asked)
		}
		deployed(true, 1)
		chain.code = nil // the answer was wrong
		deployed(true, 1)
		time.Sleep(time.Minute)
		deployed(false, 2)
		deployed(false, 3)

		chain.code = []byte{0x60}
		deployed(true, 4)
		time.Sleep(time.Minute)
		deployed(true, 5)
		time.Sleep(time.Hour)
		deployed(true, 5)
	})
}
