package seal_test

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session/seal"
)

// A session key is sealed for one row of a table, and opens in no other. Stores do this by themselves.
func Example() {
	aead, err := seal.NewKeyAEAD(make([]byte, 32)) // 32 random bytes, from where secrets come from
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := seal.NewKey()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer key.Wipe()
	alice, bob := common.HexToAddress("0xa1"), common.HexToAddress("0xb0")
	sealed, err := key.Seal(aead, seal.AssociatedData(80002, alice, key.Address()))
	if err != nil {
		fmt.Println(err)
		return
	}
	opened, err := seal.OpenKey(aead, sealed, seal.AssociatedData(80002, alice, key.Address()), key.Address())
	fmt.Println("of alice's account:", opened.Address() == key.Address(), err)
	_, err = seal.OpenKey(aead, sealed, seal.AssociatedData(80002, bob, key.Address()), key.Address())
	fmt.Println("of bob's account:", errors.Is(err, seal.ErrOpen))
	// Output:
	// of alice's account: true <nil>
	// of bob's account: true
}

// With a KMS, which is asked over the network: it sees the keys that seal, and no session key.
func ExampleEnvelope() {
	kms, err := seal.NewKeyAEAD(make([]byte, 32)) // an AEAD of Tink's for a cloud KMS in a program
	if err != nil {
		fmt.Println(err)
		return
	}
	sealer := seal.Envelope{KEK: kms} // the Sealer of a store's Config
	sealed, err := sealer.Encrypt([]byte("secret"), []byte("row 1"))
	if err != nil {
		fmt.Println(err)
		return
	}
	opened, err := sealer.Decrypt(sealed, []byte("row 1"))
	fmt.Println(string(opened), err)
	// Output: secret <nil>
}

// While a rotation is under way, some rows are sealed by the one and some by the other.
func ExampleAny() {
	before, err := seal.NewKeyAEAD(make([]byte, 32))
	if err != nil {
		fmt.Println(err)
		return
	}
	after, err := seal.NewKeyAEAD(append(make([]byte, 31), 1))
	if err != nil {
		fmt.Println(err)
		return
	}
	sealed, err := before.Encrypt([]byte("secret"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	both := seal.Any{after, before}
	opened, err := both.Decrypt(sealed, nil)
	fmt.Println(string(opened), err)
	sealed, err = both.Encrypt(opened, nil) // by the first
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = after.Decrypt(sealed, nil)
	fmt.Println(err)
	// Output:
	// secret <nil>
	// <nil>
}
