// Package secrecy has no code, but a test that holds for all packages: however a value is printed, logged or
// marshalled that has a key, a passphrase or a service's API key within reach, no secret shows. Whoever adds
// an exported type that can hold one adds it to the table. Stores that need a server are searched by the
// conformance suite of package storetest.
package secrecy
