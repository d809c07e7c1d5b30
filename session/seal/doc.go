// Package seal keeps session keys secret: at rest sealed with authenticated encryption, in memory in one type
// that prints nothing and can be wiped.
//
// What seals is an [AEAD], with the method set of Tink's, so that a Tink keyset, a cloud KMS behind Tink, or
// one of this package fits as it is:
//
//   - [NewPassphrase] derives the sealing key from a passphrase with Argon2id.
//   - [NewKeyAEAD] takes 32 bytes from wherever secrets come from.
//   - [Envelope] seals each value with a data key of its own and has only that sealed by another AEAD, so
//     that a remote one sees no session key.
//   - [Any] opens what any of several AEADs sealed and seals with the first: for the time of a rotation.
//
// A sealed session key is bound to its row: [AssociatedData] names the chain, the account and the key's
// address, and a ciphertext copied to another row does not open there.
//
// [DecryptKeystore] reads the key files of geth and other wallets; session.ImportKeystore takes one into a
// keyring.
package seal
