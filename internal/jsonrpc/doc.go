// Package jsonrpc is the one HTTP JSON-RPC transport under the bundler and the paymaster client.
//
// A [Client] tells three outcomes apart: a result; an [*Error], which is what the service itself answered,
// under whatever HTTP status; and a [*TransportError] for everything that kept an answer from arriving or
// made it unusable. [Client.Do] sends once, or, for methods that change nothing, tries again a few times
// where that may help. [Client.DoAll] sends several requests as a batch, where the service takes one.
//
// A service's URL carries its key. The key is kept out of every error, log line and printed value, also where
// the service echoes it: see [Client.String] for what is shown instead.
//
// Requests to a plain http service go over connections of the client's own (wire), all others through
// net/http. What a service usually answers is read quickly; whatever is unusual is read anew, with care.
//
// Answers are bounded in size, requests in time; redirects are not followed, because the body would go to
// another host; request IDs are random, and an answer is taken under whatever ID it comes: one POST has one
// answer.
package jsonrpc
