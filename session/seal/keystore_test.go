package seal

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
)

// The examples of the Web3 Secret Storage Definition.
const (
	scryptVector = `{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"83dbcc02d8ccb40e466191a123791e0e"},
		"ciphertext":"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c","kdf":"scrypt",
		"kdfparams":{"dklen":32,"n":262144,"p":8,"r":1,"salt":"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},
		"mac":"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"},"id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}`
	pbkdf2Vector = `{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
		"ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2",
		"kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
		"mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},"id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}`
	vectorSecret = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
)

func TestKeystoreVectors(t *testing.T) { requireVector(t, pbkdf2Vector) }

func requireVector(t *testing.T, file string) {
	t.Helper()
	key, err := DecryptKeystore([]byte(file), []byte("testpassword"))
	require.NoError(t, err)
	require.NoError(t, key.Expose(func(secret []byte) error {
		require.Equal(t, vectorSecret, hex.EncodeToString(secret))
		return nil
	}))
}

// gethKeystore was written by geth's keystore package, with parameters for a quick test.
func gethKeystore(t testing.TB) string {
	t.Helper()
	file, err := os.ReadFile("testdata/geth-keystore.json")
	require.NoError(t, err)
	return string(file)
}

func TestKeystoreOfGeth(t *testing.T) {
	key, err := DecryptKeystore([]byte(gethKeystore(t)), []byte("correct horse"))
	require.NoError(t, err)
	require.Equal(t, common.HexToAddress("0x12023fdd05d205b9a8b6c8238597216bc64bfc51"), key.Address())
}

func TestRefusedKeystores(t *testing.T) {
	file := gethKeystore(t)
	replace := func(old, new string) string {
		require.Contains(t, file, old)
		return strings.Replace(file, old, new, 1)
	}
	for name, test := range map[string]struct{ file, passphrase, want string }{
		"wrong passphrase": {file, "battery staple", "open keystore file: sealed data does not open: wrong passphrase, or it was changed"},
		"changed":          {replace("31d3", "01d3"), "correct horse", "open keystore file: sealed data does not open: wrong passphrase, or it was changed"},
		"other address":    {replace("12023fdd05d205b9a8b6c8238597216bc64bfc51", "00023fdd05d205b9a8b6c8238597216bc64bfc51"), "correct horse", `open keystore file: it names "00023fdd05d205b9a8b6c8238597216bc64bfc51", but holds the key of ` + common.HexToAddress("0x12023fdd05d205b9a8b6c8238597216bc64bfc51").Hex()},
		"not JSON":         {"{", "", "read keystore file: unexpected end of JSON input"},
		"version":          {replace(`"version":3`, `"version":1`), "", `read keystore file: version "1" with cipher "aes-128-ctr", want version 3 with aes-128-ctr and its IV`},
		"cipher":           {replace("aes-128-ctr", "aes-128-cbc"), "", `read keystore file: version "3" with cipher "aes-128-cbc", want version 3 with aes-128-ctr and its IV`},
		"IV":               {replace("f5a4", ""), "", `read keystore file: version "3" with cipher "aes-128-ctr", want version 3 with aes-128-ctr and its IV`},
		"derivation":       {replace("scrypt", "md5"), "", `read keystore file: key derivation "md5", want scrypt or pbkdf2`},
		"short key":        {replace(`"dklen":32`, `"dklen":31`), "", "read keystore file: a derived key of 31 bytes, want 32 to 64"},
		"long key":         {replace(`"dklen":32`, `"dklen":2000000000`), "", "read keystore file: a derived key of 2000000000 bytes, want 32 to 64"},
		"scrypt memory":    {replace(`"n":512`, `"n":1048576`), "", "read keystore file: scrypt with n 1048576, r 8, p 1 is nonsense or too much work"},
		"scrypt r":         {replace(`"r":8`, `"r":9223372036854775807`), "", "read keystore file: scrypt with n 512, r 9223372036854775807, p 1 is nonsense or too much work"},
		"scrypt p":         {replace(`"p":1`, `"p":1000000`), "", "read keystore file: scrypt with n 512, r 8, p 1000000 is nonsense or too much work"},
		"scrypt n":         {replace(`"n":512`, `"n":-1`), "", "read keystore file: scrypt with n -1, r 8, p 1 is nonsense or too much work"},
		"scrypt odd n":     {replace(`"n":512`, `"n":511`), "", "open keystore file: scrypt: N must be > 1 and a power of 2"},
		"pbkdf2 rounds":    {strings.Replace(pbkdf2Vector, "262144", "99999999", 1), "", `read keystore file: pbkdf2 with "hmac-sha256" and 99999999 rounds, want hmac-sha256 and up to 1048576`},
		"pbkdf2 hash":      {strings.Replace(pbkdf2Vector, "hmac-sha256", "hmac-md5", 1), "", `read keystore file: pbkdf2 with "hmac-md5" and 262144 rounds, want hmac-sha256 and up to 1048576`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecryptKeystore([]byte(test.file), []byte(test.passphrase))
			require.EqualError(t, err, test.want)
		})
	}
}

func FuzzKeystore(f *testing.F) {
	f.Add([]byte(scryptVector))
	f.Add([]byte(pbkdf2Vector))
	f.Add([]byte(gethKeystore(f)))
	f.Fuzz(func(t *testing.T, file []byte) {
		parsed, err := parseKeystore(file)
		if err != nil {
			return
		}
		p := parsed.Crypto.KDFParams
		if parsed.Crypto.KDF == "scrypt" {
			require.LessOrEqual(t, 128*p.N*p.R, maxScryptMemory)
		}
	})
}
