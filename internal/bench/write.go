package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// What stands between the marks of a document is written by this program.
const (
	beginMark = "<!-- bench: begin -->\n"
	endMark   = "<!-- bench: end -->\n"
)

var errNoMarks = errors.New("the document has no marks to put the table between: " + strings.TrimSpace(beginMark) + " and " + strings.TrimSpace(endMark))

// insert puts text between the marks of a document.
func insert(document, text string) (string, error) {
	before, rest, begins := strings.Cut(document, beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends {
		return "", errNoMarks
	}
	return before + beginMark + text + endMark + after, nil
}

// write keeps the table in a document, with what it was measured on.
func write(path string, results []result, took time.Duration) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text, err := insert(string(document), surroundings(took)+"\n"+markdown(results))
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// surroundings says when, on what and with what it was measured.
func surroundings(took time.Duration) string {
	node, err := exec.Command("node", "--version").Output()
	if err != nil {
		node = []byte("none")
	}
	return fmt.Sprintf("%s, in %s: %s, %d cores, %s/%s; %s, node %s, go-ethereum %s, bbolt %s, @biconomy/account 4.6.3.\n",
		time.Now().UTC().Format("2 January 2006"), took.Round(time.Second), processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH,
		runtime.Version(), strings.TrimSpace(string(node)), moduleVersion("github.com/ethereum/go-ethereum"), moduleVersion("go.etcd.io/bbolt"))
}

// processor is the model of the processor, where the system tells.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	_, rest, _ := strings.Cut(string(info), "model name")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimLeft(line, "\t :")
}

// moduleVersion is that of a module which this program was built with.
func moduleVersion(path string) string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return "unknown"
}
