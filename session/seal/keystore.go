package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"
	"golang.org/x/crypto/scrypt"
)

// keystoreFile is version 3 of the Web3 Secret Storage Definition.
type keystoreFile struct {
	Version json.Number
	Address string
	Crypto  struct {
		Cipher       string
		CipherParams struct{ IV hexBytes }
		CipherText   hexBytes
		KDF          string
		KDFParams    kdfParams
		MAC          hexBytes
	}
}

// kdfParams are those of scrypt and of PBKDF2.
type kdfParams struct {
	DKLen   int
	Salt    hexBytes
	N, R, P int
	C       int
	PRF     string
}

// The work that a file may ask for: twice the memory and some times the rounds that geth's own have.
const (
	maxScryptMemory = 512 << 20 // 128 · n · r bytes
	maxScryptRounds = 16 << 20  // n · r · p
	maxPBKDF2Rounds = 1 << 20
)

// DecryptKeystore reads a session key from a key file of geth, or of another wallet that writes version 3 of
// the Web3 Secret Storage. A wrong passphrase is an error matching [ErrOpen].
func DecryptKeystore(file, passphrase []byte) (*Key, error) {
	f, err := parseKeystore(file)
	if err != nil {
		return nil, fmt.Errorf("read keystore file: %w", err)
	}
	key, err := f.decrypt(passphrase)
	if err != nil {
		return nil, fmt.Errorf("open keystore file: %w", err)
	}
	if address := strings.TrimPrefix(f.Address, "0x"); address != "" && !strings.EqualFold(address, key.Address().Hex()[2:]) {
		defer key.Wipe()
		return nil, fmt.Errorf("open keystore file: it names %.42q, but holds the key of %s", f.Address, key.Address())
	}
	return key, nil
}

// parseKeystore reads the file and checks what it asks for.
func parseKeystore(file []byte) (*keystoreFile, error) {
	f := new(keystoreFile)
	if err := json.Unmarshal(file, f); err != nil {
		return nil, err
	}
	if f.Version != "3" || f.Crypto.Cipher != "aes-128-ctr" || len(f.Crypto.CipherParams.IV) != aes.BlockSize {
		return nil, fmt.Errorf("version %.10q with cipher %.20q, want version 3 with aes-128-ctr and its IV", f.Version, f.Crypto.Cipher)
	}
	p := &f.Crypto.KDFParams
	switch {
	case p.DKLen < 32 || p.DKLen > 64:
		return nil, fmt.Errorf("a derived key of %d bytes, want 32 to 64", p.DKLen)
	case f.Crypto.KDF == "scrypt":
		if p.N <= 1 || p.R <= 0 || p.P <= 0 || p.N > maxScryptMemory/128/p.R || p.P > maxScryptRounds/p.N/p.R {
			return nil, fmt.Errorf("scrypt with n %d, r %d, p %d is nonsense or too much work", p.N, p.R, p.P)
		}
	case f.Crypto.KDF == "pbkdf2":
		if p.PRF != "hmac-sha256" || p.C <= 0 || p.C > maxPBKDF2Rounds {
			return nil, fmt.Errorf("pbkdf2 with %.20q and %d rounds, want hmac-sha256 and up to %d", p.PRF, p.C, maxPBKDF2Rounds)
		}
	default:
		return nil, fmt.Errorf("key derivation %.20q, want scrypt or pbkdf2", f.Crypto.KDF)
	}
	return f, nil
}

func (f *keystoreFile) decrypt(passphrase []byte) (*Key, error) {
	derived, err := f.derive(passphrase)
	if err != nil {
		return nil, err
	}
	defer clear(derived)
	if mac := crypto.Keccak256(derived[16:32], f.Crypto.CipherText); subtle.ConstantTimeCompare(mac, f.Crypto.MAC) != 1 {
		return nil, fmt.Errorf("%w: wrong passphrase, or it was changed", ErrOpen)
	}
	block, err := aes.NewCipher(derived[:16])
	if err != nil {
		return nil, err
	}
	secret := make([]byte, len(f.Crypto.CipherText))
	defer clear(secret)
	cipher.NewCTR(block, f.Crypto.CipherParams.IV).XORKeyStream(secret, f.Crypto.CipherText)
	return ParseKey(secret)
}

func (f *keystoreFile) derive(passphrase []byte) ([]byte, error) {
	p := &f.Crypto.KDFParams
	if f.Crypto.KDF == "scrypt" {
		return scrypt.Key(passphrase, p.Salt, p.N, p.R, p.P, p.DKLen)
	}
	return pbkdf2.Key(sha256.New, string(passphrase), p.Salt, p.C, p.DKLen)
}

// hexBytes is hex with or without 0x.
type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(strings.TrimPrefix(string(text), "0x"))
	return err
}
