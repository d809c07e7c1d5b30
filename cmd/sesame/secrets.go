package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
)

const (
	// telling is how long a part of a URL is that may be a key. The library cuts keys out of all that it
	// says; this is a second look, at what the command line itself was given.
	telling = 12
	// maxSecret bounds the file of a secret, in bytes.
	maxSecret = 64 << 10
)

// secrets are what is never printed.
type secrets struct{ parts []string }

// add hides the parts of a URL or a connection string that may be secret: passwords whatever their length,
// and what is long in a path or a query.
func (s *secrets) add(text string) {
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		if password, ok := u.User.Password(); ok {
			s.hide(password, 4)
		}
		s.hide(u.User.Username(), telling)
		for _, part := range strings.FieldsFunc(u.Path+"/"+u.RawQuery+"/"+u.Fragment, func(r rune) bool { return strings.ContainsRune("/&=;", r) }) {
			s.hide(part, telling)
		}
		return
	}
	s.hide(text, telling)
	for _, pair := range strings.Fields(text) { // key=value pairs of libpq
		if name, value, ok := strings.Cut(pair, "="); ok && name == "password" {
			s.hide(strings.Trim(value, "'"), 4)
		}
	}
}

func (s *secrets) hide(text string, least int) {
	for _, form := range []string{text, url.PathEscape(text), url.QueryEscape(text)} {
		if len(form) >= least && !slices.Contains(s.parts, form) {
			s.parts = append(s.parts, form)
		}
	}
	slices.SortFunc(s.parts, func(a, b string) int { return len(b) - len(a) })
}

// cut is text without the secrets.
func (s *secrets) cut(text string) string {
	for _, part := range s.parts {
		text = strings.ReplaceAll(text, part, "…")
	}
	return text
}

// given is the value of a flag or, where it is not set, of the environment. "@FILE" reads it from a file.
func (p *program) given(value, variable string) (string, error) {
	from := "the flag"
	if value == "" {
		value, from = p.env(variable), variable
	}
	if path, isFile := strings.CutPrefix(value, "@"); isFile {
		text, err := readSecret(path)
		if err != nil {
			return "", fmt.Errorf("the file that %s names: %w", from, err)
		}
		value = string(text)
	}
	return value, nil
}

// readSecret reads the file of a secret, without the end of its last line.
func readSecret(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxSecret:
		clear(text)
		return nil, fmt.Errorf("the file is longer than %d bytes", maxSecret)
	}
	text = []byte(strings.TrimRight(string(text), "\r\n"))
	if len(text) == 0 {
		return nil, errors.New("the file is empty")
	}
	return text, nil
}
