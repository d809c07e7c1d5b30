// Package filestore keeps sessions and sealed session keys in one directory of one machine: the store to
// begin with, without a server.
//
//	passphrase, err := seal.NewPassphrase(secret, seal.Cost{})
//	store, err := filestore.Open(dir, filestore.Config{Sealer: passphrase})
//	defer store.Close()
//
// # Durability
//
// The data is a B+tree in a single file (bbolt): a change is written beside what is there, synced, and
// becomes current at once or not at all. A process killed at any moment, a full disk or a power cut leave the
// state before or after a change. Adding a leaf writes the pages on its way, not the store. Changes that come
// while one is written are the next commit together, up to 64, with one sync: many users' cost little more
// than one's. What one of them is refused, or cannot be written for, is none of the others'.
//
// # Damage
//
// Opening goes through all of the data, and every record has a checksum that is compared when it is read.
// What is not as it was written, on a disk that failed or by another program, is an error matching
// [session.ErrDamaged], and so are files that are deleted or replaced while the store is open: nothing is
// signed or changed then. A store whose data is gone is not made anew. Checksums find damage, and nobody who
// means it.
//
// # Processes
//
// One process at a time may open a directory with [Open]; a second one gets an error that names the first.
// Any number may read along with [OpenReadOnly], sign with the keys too, and see each change once it is
// committed. A reader that holds sessions, for a signature, keeps changes waiting until it is done, and
// whoever wants to hold some next waits for the change; readers wait for the few milliseconds of a commit.
//
// # Outbox
//
// [Store.Outbox] keeps sends that happen once, beside the sessions. It belongs to the process that has the
// store open for writing, which goes on with what it recorded when it starts again, after a crash too; the
// others can look things up.
//
// # Formats
//
// [Open] brings data of an earlier format to the one of now, in one change and forward only. A program of the
// earlier format that reads along finds no sessions any more to sign with; one of this package refuses data
// of a later format, when it opens it and at its next look. [OpenReadOnly] upgrades nothing.
//
// # Keys
//
// Keys are stored sealed under a data key, each bound to its chain, account and address. The data key is
// sealed by [Config.Sealer], which is asked once for each opening: a passphrase, a Tink keyset or a KMS.
// [Store.Rotate] changes the data key and what seals it, and seals all keys anew, in a single change. In
// memory, keys are opened when they first sign and wiped by [Store.Close].
//
// The directory has mode 0700, the files 0600, and all belong to the user of the process. Others are refused:
// they are not made tight in silence, as whoever could read them may have done so.
package filestore
