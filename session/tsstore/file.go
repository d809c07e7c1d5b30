package tsstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session/internal/durable"
	"github.com/go-sesame/sesame/session/policy"
)

// maxFileSize bounds what is read: some 100,000 leaves.
const maxFileSize = 128 << 20

// The two files of an account.
const (
	sessionsKind = "_sessions.json"
	signersKind  = "_signers.json"
)

// fileName returns the name that the SDK gives an account's file.
func fileName(account common.Address, kind string) string {
	return strings.ToLower(account.Hex()) + kind
}

// find returns the path of an account's file, whatever the case of the address in its name; where there is
// none, the path to make it at.
func (s *Store) find(account common.Address, kind string) (string, error) {
	found, err := s.spellings(account, kind)
	switch {
	case err != nil:
		return "", err
	case len(found) == 0:
		return filepath.Join(s.dir, fileName(account, kind)), nil
	case len(found) > 1:
		return "", fmt.Errorf("%w: %s has both %s and %s, which are the same account; keep one", policy.ErrInvalid, s.dir, found[0], found[1])
	}
	return filepath.Join(s.dir, found[0]), nil
}

// spellings returns the names of files that an account has, in order.
func (s *Store) spellings(account common.Address, kind string) (found []string, err error) {
	names, err := s.names()
	want := fileName(account, kind)
	for _, name := range names {
		if strings.EqualFold(name, want) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found, err
}

func (s *Store) names() ([]string, error) {
	dir, err := os.Open(s.dir)
	if err != nil {
		return nil, fmt.Errorf("open store directory: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("read store directory: %w", err)
	}
	return names, nil
}

// readFile returns the path and content of an account's file. No file, and an empty one as the SDK's users
// make them, have no content.
func (s *Store) readFile(account common.Address, kind string) (path string, content []byte, err error) {
	path, err = s.find(account, kind)
	if err != nil {
		return "", nil, err
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil, nil
	}
	if err != nil {
		return "", nil, fmt.Errorf("open store file: %w", err)
	}
	defer file.Close()
	content, err = readAll(file)
	if err != nil {
		return "", nil, inFile(path, err)
	}
	return path, content, nil
}

// readAll reads a file that is no larger than it should be, into memory of about its size.
func readAll(file *os.File) ([]byte, error) {
	tooLarge := &FormatError{Problem: fmt.Sprintf("larger than %d MiB", maxFileSize>>20)}
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("read store file: %w", err)
	case info.Size() > maxFileSize:
		return nil, tooLarge
	}
	content := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	_, err = content.ReadFrom(io.LimitReader(file, maxFileSize+1)) // the file may grow meanwhile
	switch {
	case err != nil:
		return nil, fmt.Errorf("read store file: %w", err)
	case content.Len() > maxFileSize:
		return nil, tooLarge
	}
	return content.Bytes(), nil
}

// writeFile puts content in place of the file at once, and durably. The caller holds the file's lock.
func (s *Store) writeFile(path string, content []byte) error {
	temporary := filepath.Join(s.dir, "."+filepath.Base(path)+".tmp")
	if err := s.writeTemporary(temporary, content); err != nil {
		return errors.Join(fmt.Errorf("write %s, which stays as it was: %w", path, err), removeIfThere(temporary))
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(fmt.Errorf("replace store file: %w", err), removeIfThere(temporary))
	}
	if err := durable.SyncDir(s.dir); err != nil {
		return fmt.Errorf("make %s durable: %w", path, err)
	}
	return nil
}

// writeTemporary begins with a file of its own, so that neither the mode nor a link of one that a crash or
// somebody else left there is taken over.
func (s *Store) writeTemporary(path string, content []byte) error {
	if err := removeIfThere(path); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
