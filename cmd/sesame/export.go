package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/tsstore"
)

const exportAbout = `Writes the sessions of an account as a document, for sesame import elsewhere: to standard output, or to the file
of -o. Without -keys there is no key in it. With -keys the keys of the sessions in force are in it, sealed by the
secret of -seal-for, which whoever imports it needs. -ts writes sessions and keys into files of the TypeScript
SDK instead, where keys lie in clear.

  sesame export -store $DB -account 0x… -o sessions.json
  sesame export -store $DB -account 0x… -seal secret -keys -seal-for transit -o sessions.json
  sesame export -store ts:./sdk -chain 137 -account 0x… -o sessions.json
  sesame export -store $DB -account 0x… -seal secret -ts ./sdk

From the TypeScript SDK's files what cannot be taken over without guessing is refused, with what it is;
-repeat-leaves and -root-of-leaves take over what can be all the same.
`

// exporting is what export was asked for.
type exporting struct {
	*storeFlags
	salvage salvageFlags
	keys    bool
	sealFor string
	to      string
	ts      string
	node    string
}

// salvageFlags say how much of spoilt files of the TypeScript SDK is taken over.
type salvageFlags struct{ repeatLeaves, rootOfLeaves bool }

func (s *salvageFlags) define(f *flags) {
	f.BoolVar(&s.repeatLeaves, "repeat-leaves", false, "of the TypeScript SDK's files: take a tree over that has leaves twice, as its revokeSessions builds it")
	f.BoolVar(&s.rootOfLeaves, "root-of-leaves", false, "of the TypeScript SDK's files: take all leaves over though their root is not on chain; the owner has to set it")
}

func (s *salvageFlags) options() (opts []tsstore.ExportOption) {
	if s.repeatLeaves {
		opts = append(opts, tsstore.RepeatLeaves())
	}
	if s.rootOfLeaves {
		opts = append(opts, tsstore.RootOfLeaves())
	}
	return opts
}

func exportCommand() command {
	return command{
		name: "export", summary: "write an account's sessions as a document, or as the TypeScript SDK's files", about: exportAbout,
		define: func(f *flags) action {
			e := &exporting{storeFlags: f.store().of(f).keys(f)}
			e.salvage.define(f)
			f.asks()
			f.BoolVar(&e.keys, "keys", false, "write the session keys, too, sealed by -seal-for")
			f.StringVar(&e.sealFor, "seal-for", "", "`file` of the secret that seals the keys in the document, as -seal has it")
			f.StringVar(&e.to, "o", "", "`file` to write the document to, which must not be there")
			f.StringVar(&e.ts, "ts", "", "`directory` of the TypeScript SDK's files to write to instead of a document")
			f.StringVar(&e.node, "node", "", nodeUsage)
			return e.run
		},
	}
}

func (e *exporting) check() error {
	switch {
	case e.ts != "" && (e.to != "" || e.keys || e.sealFor != ""):
		return usagef("-ts writes files of the TypeScript SDK, with keys; -o, -keys and -seal-for are for a document")
	case e.keys != (e.sealFor != ""):
		return usagef("-keys and -seal-for belong together: keys leave a store sealed")
	}
	return nil
}

func (e *exporting) run(ctx context.Context, c *call) error {
	if err := e.check(); err != nil {
		return err
	}
	o, err := e.open(ctx, c, toRead)
	if err != nil {
		return err
	}
	defer o.close()
	ref, err := e.ref(ctx, o)
	if err != nil {
		return err
	}
	if e.ts != "" {
		return e.toFiles(ctx, c, o, ref)
	}
	document, err := e.document(ctx, c, o, ref)
	if err != nil {
		return err
	}
	if e.to == "" {
		return c.out.value(document)
	}
	if err := writeNew(e.to, document); err != nil {
		return err
	}
	if c.json {
		return c.out.value(map[string]any{"file": e.to, "chainID": ref.ChainID, "account": ref.Account, "root": document.Root, "sessions": len(document.Leaves), "keys": len(document.Keys)})
	}
	c.out.line("%s: %s of %s, %s", e.to, counted(len(document.Leaves), "session"), ref, counted(len(document.Keys), "sealed key"))
	return nil
}

// document makes the document of an account.
func (e *exporting) document(ctx context.Context, c *call, o *opened, ref session.Ref) (*session.Document, error) {
	var aead seal.AEAD
	if e.keys {
		var err error
		if aead, err = c.sealer(e.sealFor, ""); err != nil {
			return nil, err
		}
	}
	if o.ts != nil {
		return e.fromFiles(ctx, c, o, ref, aead)
	}
	sess, err := session.Open(ctx, o.store, ref)
	if err != nil {
		return nil, err
	}
	if aead == nil {
		return sess.Export()
	}
	return sess.ExportWithKeys(ctx, aead)
}

func (e *exporting) fromFiles(ctx context.Context, c *call, o *opened, ref session.Ref, aead seal.AEAD) (*session.Document, error) {
	opts := e.salvage.options()
	net, err := c.connect(ctx, e.node, "", ref.ChainID)
	if err != nil {
		return nil, err
	}
	if net != nil {
		defer net.close()
		opts = append(opts, tsstore.WithChain(net.client))
	}
	if aead != nil {
		opts = append(opts, tsstore.WithKeys(aead))
	}
	document, report, err := o.ts.Export(ctx, ref, opts...)
	noteFindings(c, report)
	return document, err
}

// noteFindings says what was found in files of the TypeScript SDK, those apart that are the error.
func noteFindings(c *call, report *tsstore.Report) {
	if report == nil {
		return
	}
	for _, f := range report.Findings {
		if !f.Fatal {
			c.note.line("%s", f)
		}
	}
}

// toFiles writes the sessions and their keys into files of the TypeScript SDK.
func (e *exporting) toFiles(ctx context.Context, c *call, o *opened, ref session.Ref) error {
	if o.ts != nil {
		return usagef("-ts: the sessions are in files of the TypeScript SDK already")
	}
	sess, err := session.Open(ctx, o.store, ref)
	if err != nil {
		return err
	}
	c.note.line("This writes the sessions of %s into %s, and their keys in clear: whoever reads the files can sign with them.", ref, e.ts)
	if err := c.confirm(ctx); err != nil {
		return err
	}
	to, err := tsstore.OpenPlaintext(e.ts, ref.ChainID)
	if err != nil {
		return err
	}
	written, err := tsstore.TransferBack(ctx, sess, to)
	if err != nil {
		return err
	}
	return reportTaken(c, "files of the TypeScript SDK in "+e.ts, written)
}

// takenJSON is what was taken over into a store.
type takenJSON struct {
	Store    string         `json:"store"`
	ChainID  uint64         `json:"chainID"`
	Account  common.Address `json:"account"`
	Root     common.Hash    `json:"root"`
	Sessions int            `json:"sessions"`
	Pending  int            `json:"pending"`
}

// reportTaken says what a store has of an account after sessions were taken over into it.
func reportTaken(c *call, what string, sess *session.Sessions) error {
	said := takenJSON{Store: what, ChainID: sess.Ref().ChainID, Account: sess.Ref().Account, Root: sess.Root(), Sessions: sess.Len()}
	for _, leaf := range sess.Leaves() {
		if leaf.Status == session.StatusPending {
			said.Pending++
		}
	}
	if c.json {
		return c.out.value(said)
	}
	c.out.line("%s: %s of %s, root %s", said.Store, counted(said.Sessions, "session"), sess.Ref(), said.Root)
	if said.Pending > 0 {
		c.note.line("%s pending until the chain was seen to have the root: sesame reconcile -account looks, and so does a program's first send.", counted(said.Pending, "session"))
	}
	return nil
}

// writeNew writes a document to a file that is not there yet, readable by its owner alone, or not at all.
func writeNew(path string, document *session.Document) (err error) {
	var text documentText
	if err := newPrinter(&text, func(string) string { return "" }, new(secrets)).value(document); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("-o: %s is there already, and is left as it is", path)
	}
	if err != nil {
		return fmt.Errorf("-o: %w", err)
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", filepath.Base(path), err), os.Remove(path))
	}
	return nil
}

// documentText is a document in memory.
type documentText []byte

// Write implements [io.Writer].
func (t *documentText) Write(text []byte) (int, error) {
	*t = append(*t, text...)
	return len(text), nil
}
