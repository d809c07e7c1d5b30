// Package e2e runs Sesame's main stories against a node and a bundler that are not ours: Anvil and Pimlico's
// Alto, from npm. It is for what no stand-in of ours can show: what such services really say when a bundle is
// lost, a block replaced, a bundler killed.
//
//	make e2e
//
// installs them into the user's cache directory, once, and runs the stories, which are behind the build tag
// e2e: they take processes, ports and a minute or two, and have no place among the tests of a plain
// `go test ./...`.
//
// [Start] starts a [World]: Anvil with our contracts at their well-known addresses, Alto on it, and a
// verifying paymaster; [World.StartSecond] starts another Alto. All of them listen on 127.0.0.1 only, which a
// world checks when it ends, and end with the test, also when the tests are killed. What they log is in a
// directory that the tests name when they fail.
package e2e
