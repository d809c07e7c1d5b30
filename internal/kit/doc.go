// Package kit is what the public test kits agree on, so that a scripted service and one on a real chain
// cannot disagree: the test chain's ID and the addresses that scripted answers name, keys by name, and what
// the services read and answer.
package kit
