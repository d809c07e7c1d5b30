package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/tsstore"
)

const importAbout = `Takes the sessions of an account into a store: from a document of sesame export, or with -ts from files of the
TypeScript SDK, with their keys. The store must not have other sessions of the account. They are pending until
the chain was seen to have their root; with -node that is looked at at once.

  sesame import -store $DB sessions.json
  sesame import -store $DB -seal secret -sealed-by transit sessions.json
  sesame import -store $DB -seal secret -ts ./sdk -chain 137 -account 0x…
  sesame import -store $DB -node @node.url -adopt sessions.json

-adopt is for a store that has the account, while another backend set a root that it does not know: it believes
the document, if the chain shows its root. What the document leaves out stays outside the tree, and a change
that waits for an operation is given up, if that cannot land any more.
`

// maxDocument bounds what is read of a document, as the library does.
const maxDocument = 64 << 20

// importing is what import was asked for.
type importing struct {
	*storeFlags
	salvage  salvageFlags
	sealedBy string
	ts       string
	node     string
	adopt    bool

	document *session.Document // nil with -ts
	from     *opened           // the files of -ts
}

func importCommand() command {
	return command{
		name: "import", args: "[FILE | -]", summary: "take an account's sessions from a document, or from the TypeScript SDK's files", about: importAbout,
		define: func(f *flags) action {
			i := &importing{storeFlags: f.store().of(f).keys(f)}
			i.salvage.define(f)
			f.asks()
			f.StringVar(&i.sealedBy, "sealed-by", "", "`file` of the secret that seals the keys in the document, as -seal has it")
			f.StringVar(&i.ts, "ts", "", "`directory` of the TypeScript SDK's files to take the sessions from")
			f.StringVar(&i.node, "node", "", nodeUsage)
			f.BoolVar(&i.adopt, "adopt", false, "believe the document for an account that the store has, if the chain shows its root")
			return i.run
		},
	}
}

func (i *importing) check(c *call) error {
	switch {
	case i.ts != "" && len(c.args) > 0:
		return usagef("-ts and a document: which of both?")
	case i.ts == "" && len(c.args) != 1:
		return usagef("which document? Give one file, - for standard input, or -ts")
	case i.ts != "" && (i.adopt || i.sealedBy != ""):
		return usagef("-adopt and -sealed-by are for a document, not for -ts")
	case c.yes || i.ts != "" || c.args[0] != "-":
		return nil
	}
	return usagef("the document comes by standard input, where nobody can confirm: -yes does it without asking")
}

func (i *importing) run(ctx context.Context, c *call) error {
	if err := i.check(c); err != nil {
		return err
	}
	name, err := i.name(c)
	if err != nil {
		return err
	}
	ref, err := i.source(ctx, c)
	if err != nil {
		return err
	}
	net, err := c.connect(ctx, i.node, "", ref.ChainID)
	if err != nil {
		return err
	}
	if net != nil {
		defer net.close()
	} else if i.adopt {
		return usagef("missing -node, and SESAME_NODE is not set: the chain has to show the root that is adopted")
	}
	if err := i.announce(c, ref, name); err != nil {
		return err
	}
	// Before the store is opened, which makes one where there is none.
	if err := c.confirm(ctx); err != nil {
		return err
	}
	o, err := i.open(ctx, c, i.mode())
	if err != nil {
		return err
	}
	defer o.close()
	sess, err := i.take(ctx, c, o, ref, net)
	if err != nil {
		return err
	}
	if net != nil && !i.adopt {
		if err := sess.On(net.client).Reconcile(ctx); err != nil {
			return fmt.Errorf("the sessions are stored, and not active: %w", err)
		}
		if err := sess.Refresh(ctx); err != nil {
			return err
		}
	}
	return reportTaken(c, o.what, sess)
}

// source reads the document, or opens the files, and returns whose sessions they are.
func (i *importing) source(ctx context.Context, c *call) (session.Ref, error) {
	if i.ts == "" {
		var err error
		if i.document, err = readDocument(c.args[0], c.stdin); err != nil {
			return session.Ref{}, err
		}
		return i.same(i.document.Ref())
	}
	var err error
	if i.from, err = openTS(i.ts, i.chain, "-ts"); err != nil {
		return session.Ref{}, err
	}
	return i.ref(ctx, i.from)
}

// announce says what is about to be done to the store of that name.
func (i *importing) announce(c *call, ref session.Ref, name string) error {
	to, inClear := called(name), strings.HasPrefix(name, "ts:")
	switch {
	case i.ts != "" && inClear:
		return usagef("-ts: from files of the TypeScript SDK into such is a copy of them")
	case i.ts != "":
		c.note.line("This stores the sessions of %s in the %s, and their keys sealed. The files stay as they are, with their keys in clear: remove them once nothing uses them.", ref, to)
	case i.adopt:
		c.note.line("This has the %s take root %s for that of %s, if the chain shows it. Sessions that are not in the document stay outside the tree and sign nothing. A change that waits is given up, if it cannot land any more.",
			to, i.document.Root, ref)
	default:
		c.note.line("This stores %s of %s in the %s, %s.", counted(len(i.document.Leaves), "session"), ref, to, i.withKeys())
		if inClear && i.sealedBy != "" {
			c.note.line("The keys lie there in clear.")
		}
	}
	return nil
}

// withKeys says which keys come with the document.
func (i *importing) withKeys() string {
	keys := counted(len(i.document.Keys), "sealed key")
	switch {
	case len(i.document.Keys) == 0:
		return "without keys"
	case i.sealedBy == "":
		return "without the " + keys + " in it, which -sealed-by would open"
	}
	return "with " + keys
}

// mode makes a store for a first import; what is adopted is adopted by one that is there.
func (i *importing) mode() storeMode {
	if i.adopt {
		return toChange
	}
	return toMake
}

// same is the document's account and chain, which -account and -chain agree with as far as they are set.
func (i *importing) same(ref session.Ref) (session.Ref, error) {
	given := ref
	if i.chain != 0 {
		given.ChainID = i.chain
	}
	if *i.account != (session.Ref{}).Account {
		given.Account = *i.account
	}
	if given != ref {
		return ref, usagef("the document is of %s, not of %s", ref, given)
	}
	i.chain = ref.ChainID // for files of the TypeScript SDK that are imported into
	return ref, nil
}

// take takes the sessions over.
func (i *importing) take(ctx context.Context, c *call, o *opened, ref session.Ref, net *network) (*session.Sessions, error) {
	switch {
	case i.ts != "":
		opts := i.salvage.options()
		if net != nil {
			opts = append(opts, tsstore.WithChain(net.client))
		}
		sess, report, err := tsstore.Transfer(ctx, i.from.ts, ref, o.store, nil, opts...)
		noteFindings(c, report)
		return sess, err
	case i.adopt:
		sess, err := session.Open(ctx, o.store, ref)
		if err != nil {
			return nil, err
		}
		if err := sess.On(net.client).Adopt(ctx, i.document); err != nil {
			return nil, err
		}
		return sess, sess.Refresh(ctx)
	case i.sealedBy == "":
		return session.Import(ctx, o.store, i.document)
	}
	aead, err := c.sealer(i.sealedBy, "")
	if err != nil {
		return nil, err
	}
	return session.Import(ctx, o.store, i.document, session.WithSealedKeys(aead))
}

// readDocument reads a document from a file, or from standard input.
func readDocument(path string, stdin io.Reader) (*session.Document, error) {
	from := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	return session.ParseDocument(text)
}
