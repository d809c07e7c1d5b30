// Package artifacts knows the compiled contracts of the test chain: what they are compiled from, where that
// is kept and how it is read. The command that compiles them and the chain that runs them both ask it, so
// that they cannot disagree.
package artifacts
