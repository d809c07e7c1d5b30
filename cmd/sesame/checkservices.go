package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"
)

const checkServicesAbout = `Asks a node, a bundler and a paymaster what they are fit for: the chain and the EntryPoint that they serve, the
contracts that are there, the methods that they have, the fees that they propose. Nothing is sent and nothing is
sponsored; the operation that they are asked about is of an account that does not exist, so that a refusal of it
is a good answer.

  sesame check-services -node @node.url -bundler @bundler.url -paymaster @paymaster.url

Any of the three may be left out. Exit code 3 says that one does not fit, or that they do not fit together.
`

// oneCheck bounds what is asked of a service at once.
const oneCheck = 15 * time.Second

// checking is which services are checked.
type checking struct {
	node, bundler, paymaster string
	chain                    uint64
}

func checkServicesCommand() command {
	return command{
		name: "check-services", summary: "ask a node, a bundler and a paymaster what they are fit for", about: checkServicesAbout,
		define: func(f *flags) action {
			s := new(checking)
			f.StringVar(&s.node, "node", "", nodeUsage)
			f.StringVar(&s.bundler, "bundler", "", bundlerUsage)
			f.StringVar(&s.paymaster, "paymaster", "", paymasterUsage)
			f.Uint64Var(&s.chain, "chain", 0, "`ID` of the chain that they have to serve")
			return s.run
		},
	}
}

// serviceJSON is what was found out of one service.
type serviceJSON struct {
	Service string      `json:"service"`
	Host    string      `json:"host"`
	ChainID uint64      `json:"chainID,omitempty"`
	Checks  []checkJSON `json:"checks"`
	FitFor  []string    `json:"fitFor"`
}

// checkJSON is one question. Result is ok, missing for what it can do without, or failed.
type checkJSON struct {
	Name   string `json:"name"`
	Result string `json:"result"`
	Detail string `json:"detail"`
}

// The results of a check.
const (
	checkOK      = "ok"
	checkMissing = "missing"
	checkFailed  = "failed"
)

func (s *serviceJSON) add(name, result, format string, args ...any) {
	s.Checks = append(s.Checks, checkJSON{name, result, fmt.Sprintf(format, args...)})
}

// ask makes one check, whose error is that of a service that does not fit.
func (s *serviceJSON) ask(ctx context.Context, name string, question func(ctx context.Context) (string, error)) bool {
	ctx, cancel := context.WithTimeout(ctx, oneCheck)
	defer cancel()
	detail, err := question(ctx)
	if err != nil {
		s.add(name, checkFailed, "%v", keyless(err))
		return false
	}
	s.add(name, checkOK, "%s", detail)
	return true
}

func (s *serviceJSON) fits(what string) { s.FitFor = append(s.FitFor, what) }

func newService(kind, host string) *serviceJSON {
	return &serviceJSON{Service: kind, Host: host, Checks: []checkJSON{}, FitFor: []string{}}
}

func (s *checking) run(ctx context.Context, c *call) error {
	nodeURL, err := c.service(s.node, "SESAME_NODE")
	if err != nil {
		return err
	}
	bundlerURL, err := c.service(s.bundler, "SESAME_BUNDLER")
	if err != nil {
		return err
	}
	paymasterURL, err := c.service(s.paymaster, "SESAME_PAYMASTER")
	if err != nil {
		return err
	}
	if nodeURL == "" && bundlerURL == "" && paymasterURL == "" {
		return usagef("which services? Name -node, -bundler or -paymaster")
	}
	c.note.line("Asking %s …", strings.Join(present(nodeURL, bundlerURL, paymasterURL), ", "))
	said := make([]*serviceJSON, 2)
	var asked sync.WaitGroup
	if nodeURL != "" {
		asked.Go(func() { said[0] = checkNode(ctx, c, nodeURL) })
	}
	if bundlerURL != "" {
		asked.Go(func() { said[1] = checkBundler(ctx, bundlerURL, s.chain) })
	}
	asked.Wait()
	chain, actions := s.agree(said)
	if paymasterURL != "" { // which does not say which chain it serves: it is told
		said = append(said, checkPaymaster(ctx, paymasterURL, chain))
	}
	return showServices(c, said, actions)
}

func present(node, bundler, paymaster string) (names []string) {
	for _, s := range []struct{ name, url string }{{"the node", node}, {"the bundler", bundler}, {"the paymaster", paymaster}} {
		if s.url != "" {
			names = append(names, s.name)
		}
	}
	return names
}

// agree returns the chain that the services are for, and what is wrong where they are for several.
func (s *checking) agree(said []*serviceJSON) (chain uint64, wrong todos) {
	chain, wrong = s.chain, todos{}
	for _, one := range said {
		switch {
		case one == nil || one.ChainID == 0:
		case chain == 0:
			chain = one.ChainID
		case one.ChainID != chain:
			wrong.add("use another one", "the %s %s serves chain %d, not %d", one.Service, one.Host, one.ChainID, chain)
		}
	}
	return chain, wrong
}

func showServices(c *call, said []*serviceJSON, actions todos) error {
	found := []*serviceJSON{}
	for _, one := range said {
		if one == nil {
			continue
		}
		found = append(found, one)
		for _, check := range one.Checks {
			if check.Result == checkFailed {
				actions.add("see to it, or use another one", "%s of the %s: %s", check.Name, one.Service, check.Detail)
			}
		}
	}
	var err error
	if c.json {
		err = c.out.value(map[string]any{"services": found, "actions": actions})
	} else {
		for i, one := range found {
			if i > 0 {
				c.out.write("\n")
			}
			one.print(c.out)
		}
		actions.print(c.out)
	}
	if err != nil {
		return err
	}
	return needsAction(len(actions))
}

func (s *serviceJSON) print(p *printer) {
	p.write(p.paint(bold, p.clean(s.Service+" "+s.Host)) + "\n")
	t := new(table)
	for _, check := range s.Checks {
		result := cell{check.Result, good}
		switch check.Result {
		case checkMissing:
			result.style = plain
		case checkFailed:
			result.style = alarm
		}
		t.row(check.Name, result, check.Detail)
	}
	fit := cell{"nothing", alarm}
	if len(s.FitFor) > 0 {
		fit = cell{join(s.FitFor), plain}
	}
	t.row("fit for", "", fit)
	p.table(2, t)
}

// hostOf is a URL's host, which is all that is shown of it.
func hostOf(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		return u.Host
	}
	return "…"
}
