package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
)

func TestHelp(t *testing.T) {
	w := newWorld(t)
	w.golden("help", w.ok(exitOK, "help"))
	w.golden("help-exit-codes", w.ok(exitOK, "help", "exit-codes"))
	w.golden("help-stores", w.ok(exitOK, "help", "stores"))
	for _, cmd := range commands() {
		about := w.ok(exitOK, "help", cmd.name)
		require.Contains(t, about, "sesame "+cmd.name)
		require.Contains(t, about, "-json")
		require.Equal(t, about, w.ok(exitOK, cmd.name, "-h"), "both ways")
		for line := range strings.Lines(cmd.about) {
			require.LessOrEqual(t, len([]rune(line)), 115, line)
		}
	}
	require.Contains(t, w.ok(exitOK, "version"), "sesame ")
	code, out, note := w.run()
	require.Equal(t, exitUsage, code)
	require.Empty(t, out)
	require.Contains(t, note, "sesame COMMAND")
	require.Contains(t, w.fails(exitUsage, "inspekt"), `there is no command "inspekt"`)
	require.Contains(t, w.fails(exitUsage, "susp"), "is it suspend?")
	require.Contains(t, w.fails(exitUsage, "help", "nothing"), "there is no help on")
}

// Environment variables hold URLs with keys: help must not show them as defaults, nor anything else.
func TestSecretsAreNotPrinted(t *testing.T) {
	const secret = "sk-4f1c9a7be2d04c6e8a"
	for _, cmd := range commands() {
		if cmd.name == "devnet" {
			continue
		}
		w := newWorld(t)
		for _, name := range []string{"SESAME_NODE", "SESAME_BUNDLER", "SESAME_PAYMASTER"} {
			w.env[name] = "http://127.0.0.1:1/v2/" + secret
		}
		w.env["SESAME_STORE"] = "postgres://user:" + secret + "@127.0.0.1:1/db?connect_timeout=1"
		const someone = "0x000000000000000000000000000000000000dEaD"
		for _, args := range [][]string{
			{"-h"}, {"-json"}, {}, {"-account", someone, "-chain", "1", "-yes"}, {"http://host.example/" + secret},
			{"-node=http://host.example/" + secret, "-chain", "x"}, {"-chain", "http://host.example/" + secret}, {"-" + "http://host.example/" + secret},
			{"-account", "https://" + secret + "@host.example/"}, {"-store", "http://host.example/" + secret},
			{"-everything", "-why", "x", "-who", "y", "-yes"}, {"-seal", "https://host.example/" + secret}, {"-seal", secret}, {"-seal", "key:" + secret},
			{"-store", "password=" + secret}, {"-store", "host=127.0.0.1 port=1 connect_timeout=1 password=" + secret},
		} {
			p, out, note := w.program()
			p.dial = networkDialer{}
			p.run(t.Context(), append([]string{cmd.name}, args...))
			require.NotContains(t, out.String()+note.String(), secret, "%s %s", cmd.name, args)
		}
	}
}

func TestValuesFromFiles(t *testing.T) {
	w := newWorld(t)
	w.story()
	path := w.file("store.name", w.store+"\n")
	require.Contains(t, w.ok(exitAction, "inspect", "-store", "@"+path), "3 accounts")
	w.env["SESAME_STORE"] = "@" + path
	require.Contains(t, w.ok(exitAction, "inspect"), "3 accounts")
	w.env["SESAME_STORE"] = "@" + path + "x"
	require.Contains(t, w.fails(exitFailed, "inspect"), "the file that SESAME_STORE names")
	require.Contains(t, w.fails(exitFailed, "inspect", "-store", "@"+w.file("empty", "\n")), "is empty")
	require.Contains(t, w.fails(exitFailed, "inspect", "-store", w.store, "-seal", "key:"+w.file("short", "0102")), "neither 32 bytes nor 64 hex digits")
	require.Contains(t, w.fails(exitFailed, "inspect", "-store", w.store, "-seal", w.file("passphrase", "wrong")), "is -seal the secret")
	w.ok(exitAction, "inspect", "-store", w.store, "-seal", "key:"+w.file("hex", "0x"+strings.Repeat("6b", 32)+"\n"))
}

// Others choose the IDs of sessions, and services the words of their errors.
func TestControlCharactersOfOthers(t *testing.T) {
	var b bytes.Buffer
	p := newPrinter(&b, func(string) string { return "" }, new(secrets))
	const nasty = "a\x1b[31m\r\nb\u202ec\u0085\xffd\U000e0001é"
	p.line("%s", nasty)
	p.title("%s", nasty)
	p.text(2, "%s", nasty)
	list := new(table)
	list.row(nasty, cell{nasty, alarm})
	p.table(2, list)
	require.NoError(t, p.value(map[string]string{nasty: nasty}))
	for _, r := range b.String() {
		require.True(t, r == '\n' || unicode.IsPrint(r), "%q in %q", r, b.String())
	}
	require.Contains(t, b.String(), `a\x1b[31m\r\nb\u202ec\u0085\xffd\U000e0001é`)
	var back map[string]string
	require.NoError(t, json.Unmarshal(b.Bytes()[strings.Index(b.String(), "{"):], &back))
	require.Contains(t, back, strings.ToValidUTF8(nasty, "\ufffd"), "JSON says the same text")
}

// A password may be a word or a number that stands in the result for something else.
func TestSecretsDoNotSpoilJSON(t *testing.T) {
	var b bytes.Buffer
	p := newPrinter(&b, func(string) string { return "" }, new(secrets))
	p.secrets.add("postgres://user:80002@host.example/db")
	p.secrets.add("host=host.example password=account")
	require.NoError(t, p.value(map[string]any{"account": `an account, " of 80002`, "chainID": 80002}))
	require.JSONEq(t, `{"account": "an …, \" of …", "chainID": 80002}`, b.String())
}

func TestTablesFitTheTerminal(t *testing.T) {
	var b bytes.Buffer
	p := &printer{w: &b, width: 60, secrets: new(secrets)}
	list := &table{head: []string{"NAME", "WHAT"}}
	list.row("a", strings.Repeat("word ", 20)+strings.Repeat("x", 70))
	list.row("longer name", "short")
	p.table(2, list)
	p.text(2, "%s", strings.Repeat("word ", 30))
	for line := range strings.Lines(b.String()) {
		require.LessOrEqual(t, len(strings.TrimSuffix(line, "\n")), 60, line)
	}
	require.Contains(t, b.String(), "  longer name  short\n")
	require.NotContains(t, b.String(), "\x1b")

	b.Reset()
	p.colour = true
	p.table(0, list)
	require.Contains(t, b.String(), "\x1b[1mNAME\x1b[0m")
}

func TestNoColourWithoutTerminal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer file.Close()
	for _, w := range []io.Writer{file, new(bytes.Buffer)} {
		require.False(t, newPrinter(w, func(string) string { return "" }, new(secrets)).colour)
	}
}

func TestTimeoutAndInterrupt(t *testing.T) {
	w := newWorld(t)
	w.story()
	why := w.fails(exitFailed, "inspect", "-store", w.store, "-timeout", "1ns")
	require.Contains(t, why, "-timeout gives it longer")
	p, out, note := w.program()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, exitInterrupted, p.run(ctx, []string{"inspect", "-store", w.store}))
	require.Empty(t, out.String())
	require.Contains(t, note.String(), "interrupted")
}

// fullDisk is where nothing can be written.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestOutputThatCannotBeWritten(t *testing.T) {
	w := newWorld(t)
	w.story()
	var note bytes.Buffer
	require.Equal(t, exitFailed, run(t.Context(), []string{"stops", "-store", w.store}, strings.NewReader(""), fullDisk{}, &note, func(string) string { return "" }))
	require.Contains(t, note.String(), "write the result: no space left")
}

func TestArgumentsBetweenFlags(t *testing.T) {
	f := newFlags("x")
	yes := f.Bool("b", false, "")
	rest, err := f.parse([]string{"one", "-b", "two", "--", "-three", "--"})
	require.NoError(t, err)
	require.True(t, *yes)
	require.Equal(t, []string{"one", "two", "-three", "--"}, rest)
}

// The commands of a name are one each, and those that stop, move or seal keys ask.
func TestCommands(t *testing.T) {
	var names []string
	for _, cmd := range commands() {
		require.NotContains(t, names, cmd.name)
		names = append(names, cmd.name)
		f := newFlags(cmd.name)
		cmd.define(f)
		asks := slices.Contains([]string{"stop", "lift", "suspend", "import", "export", "rotate"}, cmd.name)
		require.Equal(t, asks, f.Lookup("yes") != nil, cmd.name)
		require.NotNil(t, f.Lookup("timeout"), cmd.name)
	}
}

// The process ends with the command's exit code. This test's own binary stands in for it; see TestMain.
func TestProcess(t *testing.T) {
	sesame := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
		cmd.Env = append(os.Environ(), asSesame+"=1")
		return cmd
	}
	err := sesame("lift").Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	require.True(t, ok, err)
	require.Equal(t, exitUsage, exit.ExitCode())
	out, err := sesame("help").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "sesame COMMAND")
}

var (
	_ session.FullStore = (*filestore.Store)(nil)
	_ session.Switch    = (*filestore.Store)(nil)
)
