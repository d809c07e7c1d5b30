package main

import (
	"flag"
	"runtime/debug"
	"strings"
)

// topics are what help tells beside the commands.
func topics() map[string]string {
	return map[string]string{"exit-codes": exitCodesHelp, "stores": storesHelp}
}

const exitCodesHelp = `The exit codes of sesame:

  0    it was done, and nothing that was found needs action
  1    it failed, or was not confirmed; standard error says why and what to do
  2    the command line is wrong, or asks for what nobody was there to confirm
  3    it was done, and something that was found needs action: the output says what
  130  it was interrupted

Action is needed where a change of sessions waits for the chain, where a session that was stopped here still
stands on chain, where the roots in store and on chain do not agree, where a session is dangerous to its
account, where nobody works on a send that is open, and where a service does not fit.
`

const storesHelp = `A store of sessions is named by -store, or by the variable SESAME_STORE:

  DIR                   a directory of package filestore. One process writes it, any number read along: what
                        changes it needs the process stopped that has it open
  postgres://…          a PostgreSQL database of package pgstore, or key=value pairs as libpq takes them. Opening
                        it brings the schema to this program's version: use the version that the replicas run
  ts:DIR                the files of @biconomy/account for one chain, which -chain names. Keys lie there in clear
  @FILE                 the first line of a file, which is one of the above: for a URL with a password

The services are named by -node, -bundler and -paymaster, or by SESAME_NODE, SESAME_BUNDLER and
SESAME_PAYMASTER; @FILE reads a URL from a file. No part of them that may be a key is printed.

Session keys lie sealed in a store. What seals them is named by -seal, or SESAME_SEAL:

  FILE                  the file of a passphrase
  key:FILE              the file of a key: 32 bytes, or 64 hex digits

Most commands need no keys and no secret: inspect, suspend, stop, lift, stops and reconcile work without.
`

// help explains a command or a topic, or lists them.
func (p *program) help(args []string) int {
	if len(args) == 0 {
		p.overview(p.out)
		return exitOK
	}
	for _, cmd := range commands() {
		if cmd.name == args[0] {
			p.explain(p.out, cmd)
			return exitOK
		}
	}
	if text, ok := topics()[args[0]]; ok {
		p.out.write(text)
		return exitOK
	}
	p.note.line("sesame: there is no help on %s%s; sesame help lists what there is", shown(args[0]), nearest(args[0]))
	return exitUsage
}

func (p *program) overview(to *printer) {
	to.write("Sesame looks into stores of sessions, and operates them.\n\n  sesame COMMAND [flags]\n\n")
	list := new(table)
	for _, cmd := range commands() {
		list.row(cmd.name, cmd.summary)
	}
	to.table(2, list)
	to.write("\nsesame help COMMAND explains one; sesame help stores and sesame help exit-codes what all share.\n")
}

// explain prints what a command does, and its flags.
func (p *program) explain(to *printer, cmd command) {
	f := newFlags(cmd.name)
	cmd.define(f)
	usage := "sesame " + cmd.name + " [flags]"
	if cmd.args != "" {
		usage += " " + cmd.args
	}
	to.write(usage + "\n\n" + strings.TrimSpace(cmd.about) + "\n\n")
	list := new(table)
	f.VisitAll(func(flagged *flag.Flag) {
		value, text := flag.UnquoteUsage(flagged)
		if flagged.DefValue != "" && flagged.DefValue != "0" && flagged.DefValue != "false" && flagged.DefValue != "0s" {
			text += " (" + flagged.DefValue + ")"
		}
		list.row(strings.TrimSpace("-"+flagged.Name+" "+value), text)
	})
	to.table(2, list)
}

// version prints which version of the module this is.
func (p *program) version(args []string) int {
	if len(args) > 0 {
		p.note.line("sesame version: unexpected argument %s", shown(args[0]))
		return exitUsage
	}
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	p.out.line("sesame %s", version)
	return exitOK
}
