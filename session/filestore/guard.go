package filestore

import (
	"os"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// guard runs what has bbolt read the data. bbolt panics over pages that are not as it wrote them, and a file
// that was cut under it is a fault where its memory ends: both are errors here. Nothing of a caller's runs
// inside.
func guard(path string, use func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damaged("%s: %v", path, p)
		}
	}()
	return use()
}

// database is a bbolt database with its file, which can be closed when bbolt itself cannot do it any more.
type database struct {
	*bbolt.DB
	path string
	file *os.File
	// broken says that bbolt panicked amid a change, and may hold locks of its own for good.
	broken bool
	// commit is the number of the last change made here, 0 for none.
	commit int
}

func (d *database) View(read func(tx *bbolt.Tx) error) error {
	return guard(d.path, func() error { return d.DB.View(read) })
}

// Update makes a change that comes right after the last one made here: bbolt keeps in memory which pages are
// free, and would write over what another program put there.
func (d *database) Update(change func(tx *bbolt.Tx) error) error {
	d.broken = true
	return guard(d.path, func() error {
		commit := 0
		err := d.DB.Update(func(tx *bbolt.Tx) error {
			commit = tx.ID()
			if d.commit != 0 && commit != d.commit+1 {
				return errOvertaken
			}
			return change(tx)
		})
		d.broken = false
		if err == nil {
			d.commit = commit
		}
		return err
	})
}

func (d *database) Close() error {
	if d.broken {
		return releaseFile(d.file) // what it has in memory stays
	}
	return guard(d.path, d.DB.Close)
}
