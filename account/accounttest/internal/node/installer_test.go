package node

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
)

func TestConstructorsThatFail(t *testing.T) {
	in, err := NewInstaller()
	require.NoError(t, err)
	require.ErrorContains(t, in.Install(common.Address{1}, []byte{0x60, 0, 0x60, 0, 0xfd}), "constructor: execution reverted")
	require.EqualError(t, in.Install(common.Address{2}, []byte{0x00}), "constructor returned no code")
	require.ErrorContains(t, in.Install(common.Address{3}, []byte{0x62, 0x01, 0, 0, 0x60, 0, 0xf3}), "more than the 24576 that EIP-170 allows")
}
