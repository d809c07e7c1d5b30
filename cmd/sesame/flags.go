package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// longest is what a command may take unless -timeout says otherwise.
const longest = time.Minute

// flags are those of one command: its own beside -json and -timeout, which all have, and -yes.
type flags struct {
	*flag.FlagSet
	json, yes bool
	timeout   time.Duration
}

func newFlags(name string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError)}
	f.SetOutput(io.Discard)
	f.BoolVar(&f.json, "json", false, "write the result as JSON, whose field names are stable")
	f.lasts(longest)
	return f
}

// lasts defines -timeout with what it is by default, 0 for no end.
func (f *flags) lasts(by time.Duration) {
	if f.Lookup("timeout") == nil {
		f.DurationVar(&f.timeout, "timeout", by, "`time` that it may take at most; 0 is any")
		return
	}
	flagged := f.Lookup("timeout")
	f.timeout, flagged.DefValue = by, by.String()
}

// asks defines -yes, for a command that asks before it does something.
func (f *flags) asks() { f.BoolVar(&f.yes, "yes", false, "do it without asking") }

// address defines a flag for an address, zero unless it is set.
func (f *flags) address(name, usage string) *common.Address {
	var address common.Address
	f.Func(name, usage, func(text string) (err error) {
		address, err = parseAddress(text)
		return err
	})
	return &address
}

func parseAddress(text string) (common.Address, error) {
	var checked common.MixedcaseAddress
	if !common.IsHexAddress(text) {
		return common.Address{}, errors.New("it is no address of 40 hex digits")
	}
	if err := checked.UnmarshalJSON([]byte(`"` + text + `"`)); err != nil {
		return common.Address{}, err
	}
	digits := strings.TrimPrefix(strings.TrimPrefix(text, "0x"), "0X")
	if digits != strings.ToLower(digits) && digits != strings.ToUpper(digits) && !checked.ValidChecksum() {
		return common.Address{}, errors.New("its checksum is wrong; a digit or a letter case was changed")
	}
	return checked.Address(), nil
}

// parse sets the flags and returns the arguments between and after them; what comes after -- is no flag.
func (f *flags) parse(args []string) (rest []string, err error) {
	for len(args) > 0 {
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, &usageError{unquoted(args, err)}
		}
		left := f.Args()
		if used := args[:len(args)-len(left)]; len(used) > 0 && used[len(used)-1] == "--" {
			return append(rest, left...), nil
		}
		if len(left) == 0 {
			break
		}
		rest, args = append(rest, left[0]), left[1:]
	}
	return rest, nil
}

// unquoted is what package flag says of arguments without those that may be a URL with a key in it.
func unquoted(args []string, err error) string {
	text := err.Error()
	for _, arg := range args {
		for _, part := range []string{arg, afterEqual(arg)} {
			if short := shown(part); part != "" && short != fmt.Sprintf("%q", part) {
				text = strings.ReplaceAll(strings.ReplaceAll(text, fmt.Sprintf("%q", part), short), part, strings.Trim(short, `"`))
			}
		}
	}
	return text
}

func afterEqual(arg string) string {
	_, value, _ := strings.Cut(arg, "=")
	return value
}

// shown is an argument as it may be printed: quoted, of a URL its scheme and host alone, and not too long.
func shown(arg string) string {
	if strings.Contains(arg, "://") {
		if u, err := url.Parse(arg); err == nil && u.Host != "" {
			return fmt.Sprintf("%q", u.Scheme+"://"+u.Host+"/…")
		}
		return `"…"`
	}
	if runes := []rune(arg); len(runes) > 64 {
		arg = string(runes[:63]) + "…"
	}
	return fmt.Sprintf("%q", arg)
}
