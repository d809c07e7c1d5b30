package seal

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPassphraseDerivesOncePerSalt(t *testing.T) {
	first := newPassphrase(t, "correct horse", cheap)
	var sealed [][]byte
	for range 10 {
		c, err := first.Encrypt([]byte("x"), nil)
		require.NoError(t, err)
		sealed = append(sealed, c)
	}
	require.Len(t, first.derived, 1)

	// As after a restart: what is opened first gives the salt for what is sealed later.
	second := newPassphrase(t, "correct horse", cheap)
	for _, c := range sealed {
		_, err := second.Decrypt(c, nil)
		require.NoError(t, err)
	}
	c, err := second.Encrypt([]byte("x"), nil)
	require.NoError(t, err)
	require.Equal(t, sealed[0][:headerSize], c[:headerSize])
	require.Len(t, second.derived, 1)
}

func TestPassphraseCostGrows(t *testing.T) {
	weak := newPassphrase(t, "correct horse", cheap)
	sealed, err := weak.Encrypt([]byte("x"), nil)
	require.NoError(t, err)

	strong := newPassphrase(t, "correct horse", Cost{Time: 2, MemoryKiB: 128, Threads: 2})
	_, err = strong.Decrypt(sealed, nil)
	require.NoError(t, err, "the cost stands in the ciphertext")
	sealed, err = Reseal(sealed, nil, weak, strong)
	require.NoError(t, err)
	d, err := parseHeader(sealed)
	require.NoError(t, err)
	require.Equal(t, strong.cost, d.cost, "what is sealed anew has the new cost")
}

func TestPassphraseKeepsFewKeys(t *testing.T) {
	reader := newPassphrase(t, "correct horse", cheap)
	for range 3 * maxDerived {
		sealed, err := newPassphrase(t, "correct horse", cheap).Encrypt(nil, nil)
		require.NoError(t, err)
		_, err = reader.Decrypt(sealed, nil)
		require.NoError(t, err)
		require.LessOrEqual(t, len(reader.derived), maxDerived)
	}
}

func TestWrongPassphrase(t *testing.T) {
	sealed, err := newPassphrase(t, "correct horse", cheap).Encrypt([]byte("x"), nil)
	require.NoError(t, err)
	_, err = newPassphrase(t, "battery staple", cheap).Decrypt(sealed, nil)
	require.EqualError(t, err, "sealed data does not open: wrong passphrase, or it was changed or moved")
	_, err = NewPassphrase(nil, Cost{})
	require.EqualError(t, err, "seal: the passphrase is empty; see where it is to come from, such as a variable of the environment")
}

// A header that asks for more than is reasonable is refused before anything is derived.
func TestHostileHeaders(t *testing.T) {
	good, err := newPassphrase(t, "correct horse", cheap).Encrypt([]byte("x"), nil)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		cost Cost
		want string
	}{
		"memory":     {Cost{1, 1<<20 + 1, 1}, "argon2id with 1048577 KiB, want 8 for each thread up to 1 GiB"},
		"all memory": {Cost{1, 1<<32 - 1, 1}, "argon2id with 4294967295 KiB, want 8 for each thread up to 1 GiB"},
		"no memory":  {Cost{1, 7, 1}, "argon2id with 7 KiB, want 8 for each thread up to 1 GiB"},
		"time":       {Cost{65, 64, 1}, "argon2id with 65 passes, want 1 to 64"},
		"no time":    {Cost{0, 64, 1}, "argon2id with 0 passes, want 1 to 64"},
		"threads":    {Cost{1, 1 << 20, 33}, "argon2id with 33 threads, want 1 to 32"},
		"no threads": {Cost{1, 64, 0}, "argon2id with 0 threads, want 1 to 32"},
	} {
		t.Run(name, func(t *testing.T) {
			hostile := append([]byte(nil), good...)
			binary.BigEndian.PutUint32(hostile[1:], test.cost.Time)
			binary.BigEndian.PutUint32(hostile[5:], test.cost.MemoryKiB)
			hostile[9] = test.cost.Threads
			_, err := newPassphrase(t, "correct horse", cheap).Decrypt(hostile, nil)
			require.ErrorIs(t, err, ErrOpen)
			require.EqualError(t, err, "sealed data does not open: "+test.want)
			if test.cost.Time != 0 && test.cost.Threads != 0 {
				_, err = NewPassphrase([]byte("x"), test.cost)
				require.EqualError(t, err, test.want)
			}
		})
	}
	_, err = newPassphrase(t, "correct horse", cheap).Decrypt(append([]byte{2}, good[1:]...), nil)
	require.EqualError(t, err, "sealed data does not open: not a ciphertext of this kind")
}

func TestDefaultCost(t *testing.T) {
	p := newPassphrase(t, "correct horse", Cost{})
	require.Equal(t, Cost{Time: 3, MemoryKiB: 65536, Threads: 4}, p.cost)
	sealed, err := p.Encrypt([]byte("x"), nil)
	require.NoError(t, err)
	_, err = p.Decrypt(sealed, nil)
	require.NoError(t, err)
}

func FuzzHeader(f *testing.F) {
	d := derivation{cost: cheap}
	f.Add(d.header())
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, ciphertext []byte) {
		d, err := parseHeader(ciphertext)
		if err != nil {
			require.ErrorIs(t, err, ErrOpen)
			return
		}
		require.NoError(t, d.cost.check())
		require.Equal(t, ciphertext[:headerSize], d.header())
	})
}

func ExamplePassphrase() {
	cost := Cost{Time: 1, MemoryKiB: 64, Threads: 1} // leave it out: this one is for a quick example
	old, err := NewPassphrase([]byte("correct horse"), cost)
	if err != nil {
		panic(err)
	}
	sealed, err := old.Encrypt([]byte("secret"), []byte("row 1"))
	if err != nil {
		panic(err)
	}

	// To change the passphrase, seal everything anew.
	changed, err := NewPassphrase([]byte("battery staple"), cost)
	if err != nil {
		panic(err)
	}
	sealed, err = Reseal(sealed, []byte("row 1"), old, changed)
	if err != nil {
		panic(err)
	}
	opened, err := changed.Decrypt(sealed, []byte("row 1"))
	fmt.Println(string(opened), err)
	_, err = changed.Decrypt(sealed, []byte("row 2"))
	fmt.Println(err)
	// Output:
	// secret <nil>
	// sealed data does not open: wrong passphrase, or it was changed or moved
}

func TestAKeyInHexIsNoKey(t *testing.T) {
	_, err := NewKeyAEAD([]byte("0x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"))
	require.EqualError(t, err, "seal: the key has 66 bytes, want 32; decode one that is kept as hex or base64, and have NewPassphrase take text")
}
