// Package testutil is what only Sesame's own tests need: the shared test vectors, free ports, and patience
// with a busy machine. Beside it are a private PostgreSQL, small disks, and a module that uses the library as
// a stranger would. What users' tests need is in the open: packages accounttest, bundlertest and
// paymastertest.
package testutil
