package tsstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/storekit"
)

// Inspect reads an account's two files, those too that [Store.Load] refuses, and reports what the SDK's
// faults, a crash or an edit spoilt in them. It changes nothing. An account without files is an error
// matching [session.ErrNotFound]; what is wrong with files that are there is a [Finding].
//
// What the SDK did to a reference value cannot always be told from what was meant: a finding about one says
// what it looks like, and [WithFunctions] makes it surer.
func (s *Store) Inspect(ctx context.Context, ref session.Ref, opts ...InspectOption) (*Report, error) {
	var set settings
	for _, opt := range opts {
		opt(&set)
	}
	in, err := s.inspect(ctx, ref, set)
	if err != nil {
		return nil, err
	}
	return in.report, nil
}

// inspection is one run of [Store.Inspect].
type inspection struct {
	settings
	report *Report
	now    time.Time
	path   string   // of the file that is inspected
	file   sessions // the nodes that could be read, in the order of the store
	parsed []parsed // the nodes of the file, in its order
	// leafNodes are the positions of those where the SDK looks, in the file's order.
	leafNodes []int
	repeated  bool // the tree has a leaf more than once
	at        int  // position of the leaf that is inspected, or NoLeaf
}

func newInspection(ref session.Ref, set settings, now time.Time) *inspection {
	set.modules = set.modules.WithDefaults()
	return &inspection{settings: set, report: &Report{Ref: ref}, now: now, at: NoLeaf}
}

func (s *Store) inspect(ctx context.Context, ref session.Ref, set settings) (*inspection, error) {
	if err := s.check(ctx, ref); err != nil {
		return nil, err
	}
	in := newInspection(ref, set, s.now())
	if set.chain != nil {
		root, err := set.chain.SessionRoot(ctx, ref.Account)
		if err != nil {
			return nil, fmt.Errorf("read session root of %s: %w", ref, err)
		}
		in.report.Chain = &root
	}
	hasSessions, err := in.inspectFile(s, sessionsKind, in.inspectSessions)
	if err != nil {
		return nil, err
	}
	hasSigners, err := in.inspectFile(s, signersKind, in.inspectSigners)
	switch {
	case err != nil:
		return nil, err
	case !hasSessions && !hasSigners:
		return nil, fmt.Errorf("no files in %s: %w", s.dir, storekit.NotFoundError(ref))
	}
	return in, nil
}

// inspectFile reads one of the account's files and hands its content on, which is empty if there is no such
// file, and cleared afterwards.
func (in *inspection) inspectFile(s *Store, kind string, inspect func(content []byte)) (there bool, err error) {
	account := in.report.Ref.Account
	names, err := s.spellings(account, kind)
	if err != nil {
		return false, err
	}
	in.path = filepath.Join(s.dir, fileName(account, kind))
	if len(names) > 1 {
		f := finding(FindingTwoFiles, policy.SeverityWarning, fmt.Sprintf("%s and %s are of the same account, and the SDK reads one of them only; keep that one", names[0], names[1]))
		f.Fatal = true
		in.add(f)
		return true, nil
	}
	path, content, err := s.readFile(account, kind)
	if err != nil {
		return false, err
	}
	in.path = path
	if len(content) > 0 {
		err = in.inspectMode(kind)
	}
	inspect(content)
	clear(content)
	return len(content) > 0, err
}

// inspectMode looks for users who can read keys, or write sessions, that are not theirs.
func (in *inspection) inspectMode(kind string) error {
	info, err := os.Stat(in.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || runtime.GOOS == "windows": // where modes say nothing
		return nil
	case err != nil:
		return fmt.Errorf("read mode of store file: %w", err)
	}
	mode := info.Mode().Perm()
	switch {
	case kind == signersKind && mode&0o077 != 0:
		in.add(finding(FindingOpenMode, policy.SeverityDanger,
			fmt.Sprintf("mode %04o lets others on this machine at the session keys; chmod 600, and take the keys for known to them", mode)))
	case mode&0o022 != 0:
		in.add(finding(FindingOpenMode, policy.SeverityWarning,
			fmt.Sprintf("mode %04o lets others on this machine change the sessions; chmod 600", mode)))
	}
	return nil
}

// add appends a finding about the file or, if one is being inspected, the leaf.
func (in *inspection) add(f Finding) {
	f.Path, f.Leaf = in.path, in.at
	if in.at != NoLeaf {
		f.Session = in.file.nodes[in.at].leaf.ID
	}
	in.report.Findings = append(in.report.Findings, f)
}

// addLeaf appends a finding about a field of the leaf that is being inspected; empty for all of it.
func (in *inspection) addLeaf(code policy.FindingCode, severity policy.Severity, field, format string, args ...any) {
	entry := in.file.nodes[in.at].place
	if field != "" {
		entry += "." + field
	}
	f := finding(code, severity, fmt.Sprintf(format, args...))
	f.Entry = entry
	in.add(f)
}

// addRule appends a finding about a rule of the leaf that is being inspected.
func (in *inspection) addRule(code policy.FindingCode, severity policy.Severity, rule int, format string, args ...any) {
	f := finding(code, severity, fmt.Sprintf(format, args...))
	f.Rule = rule
	f.Entry = fmt.Sprintf("%s.%s.rules[%d]", in.file.nodes[in.at].place, dataField, rule)
	in.add(f)
}

// addBad appends a finding about what cannot be read.
func (in *inspection) addBad(code policy.FindingCode, bad *FormatError, wayOut string) {
	f := finding(code, policy.SeverityWarning, bad.Problem+"; "+wayOut)
	f.Fatal, f.Entry = true, bad.Entry
	in.add(f)
}
