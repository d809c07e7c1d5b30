package account

import (
	"fmt"
	"io"
)

// What the caller brought, a client of a node, a service's URL, an owner, may have a secret in it, and know
// how to print itself only where it is asked: printers ask nothing in fields that are not exported. So what
// has them within reach says what it is, whoever prints it and how.

// String names the client by its chain.
func (c *Client) String() string { return fmt.Sprintf("account client of chain %d", c.chainID) }

// Format writes [Client.String] whatever the verb.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// String names the account by its address.
func (a *Account) String() string { return "account " + a.address.Hex() }

// Format writes [Account.String] whatever the verb.
func (a *Account) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, a.String()) }

// Format writes what it is whatever the verb.
func (l *Lanes) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "account.Lanes") }

// Format writes the signer's module whatever the verb.
func (s ownerSigner) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "owner's signer for module "+s.module.Hex())
}

// Format writes what it is whatever the verb.
func (s *handoverSigner) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "owner's signer") }
