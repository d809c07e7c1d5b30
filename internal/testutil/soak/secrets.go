package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// secrets are what no output may show, in the spellings that are searched for, by the first bytes of each.
type secrets struct {
	mu    sync.Mutex
	count int
	by    map[uint64][]spelling
}

type spelling struct {
	text []byte
	of   string
}

const shortestSpelling = 8

// addKey adds 32 bytes.
func (s *secrets) addKey(name string, key []byte) {
	spelt := hex.EncodeToString(key)
	s.add(name,
		string(key), spelt, strings.ToUpper(spelt),
		base64.RawStdEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(key),
		new(big.Int).SetBytes(key).String(),
		strings.Trim(fmt.Sprint(key), "[]"))
}

func (s *secrets) add(name string, spellings ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = make(map[uint64][]spelling)
	}
	s.count++
	for _, text := range spellings {
		if len(text) < shortestSpelling {
			panic("a secret that is too short to be found: " + name)
		}
		first := binary.NativeEndian.Uint64([]byte(text))
		s.by[first] = append(s.by[first], spelling{[]byte(text), name})
	}
}

func (s *secrets) number() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// search looks for them in all files of a directory, and returns how many bytes it went through.
func (s *secrets) search(dir string) (searched int, problems []problem, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		searched += len(text)
		for _, name := range s.in(text) {
			problems = append(problems, problem{what: "leaked", text: fmt.Sprintf("%s is in %s", name, filepath.Base(path))})
		}
		return err
	})
	return searched, problems, err
}

// in names the secrets that a text shows.
func (s *secrets) in(text []byte) (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := make(map[string]bool)
	for ; len(text) >= shortestSpelling; text = text[1:] {
		for _, one := range s.by[binary.NativeEndian.Uint64(text)] {
			if bytes.HasPrefix(text, one.text) && !seen[one.of] {
				seen[one.of] = true
				names = append(names, one.of)
			}
		}
	}
	return names
}
