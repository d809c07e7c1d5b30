package account_test

import (
	"context"
	"fmt"
	"os"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/account"
)

// exampleKey is the private key of the owner in examples.
var exampleKey, _ = crypto.HexToECDSA("ef22044ae2495b02c3c9a4cdf4904a91d35cf2759b2fa0dcac69c246ebe9ee9c")

func ExampleClient_OwnedAccount() {
	client := exampleClient()
	owner := account.KeyOwner(exampleKey)

	fmt.Println("first: ", client.OwnedAccount(owner).Address())
	fmt.Println("second:", client.OwnedAccount(owner, account.Index(1)).Address())
	fmt.Println("multichain:", client.OwnedAccount(owner, account.Multichain()).Address())
	// Output:
	// first:  0x76524F7e891C11F3d76957524e69Facc27cB5Af0
	// second: 0xF82c6BC4468624d1Ad8D0c2F4A73921CfC06cF06
	// multichain: 0x2559531FE9b369097E449cDB52863b556935288F
}

func ExampleKeystoreOwner() {
	dir, err := os.MkdirTemp("", "keystore")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	store := keystore.NewKeyStore(dir, keystore.LightScryptN, keystore.LightScryptP)
	stored, err := store.ImportECDSA(exampleKey, "passphrase")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := store.Unlock(stored, "passphrase"); err != nil {
		fmt.Println(err)
		return
	}
	owned := exampleClient().OwnedAccount(account.KeystoreOwner(store, stored))
	fmt.Println(owned.Address())
	// Output:
	// 0x76524F7e891C11F3d76957524e69Facc27cB5Af0
}

// signingService is an owner whose key is elsewhere: in a KMS, a hardware wallet, a browser.
type signingService struct {
	address common.Address
	// personalSign asks the service; the user may take a while to agree, so it minds the context.
	personalSign func(ctx context.Context, message []byte) ([]byte, error)
}

func (s signingService) Address() common.Address { return s.address }

func (s signingService) SignMessage(ctx context.Context, message []byte) ([]byte, error) {
	return s.personalSign(ctx, message)
}

func ExampleOwner() {
	service := signingService{
		address: common.HexToAddress("0xfD7EA93E850d9087c2Cc2a3915CeAfC2A94b5Cb0"),
		personalSign: func(_ context.Context, message []byte) ([]byte, error) {
			fmt.Printf("asked to sign %q\n", message)
			return crypto.Sign(accounts.TextHash(message), exampleKey)
		},
	}
	owned := exampleClient().OwnedAccount(service)
	signature, err := owned.SignMessage(context.Background(), []byte("hello 0"))
	if err != nil {
		fmt.Println(err)
		return
	}
	// The account has no code yet, so its signature tells how to deploy it: ERC-6492.
	fmt.Println(hexutil.Encode(signature[len(signature)-32:]))
	// Output:
	// asked to sign "hello 0"
	// 0x6492649264926492649264926492649264926492649264926492649264926492
}
