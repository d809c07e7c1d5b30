package faultproxy

// Role is what the service behind a proxy is: some kinds of faults make sense for one only.
type Role string

// The roles.
const (
	Bundler   Role = "bundler"
	Paymaster Role = "paymaster"
	Node      Role = "node"
)

// Kind is a kind of fault.
type Kind string

// What networks do.
const (
	// RefusedConnection: the request is answered, and then the port is closed for a moment: connections that
	// are idle are ended, new ones refused.
	RefusedConnection Kind = "refused-connection"
	// Reset: the connection is reset; the service never gets the request.
	Reset Kind = "reset"
	// CutAfterAcceptance: the service gets the request, and the connection is reset before its answer.
	CutAfterAcceptance Kind = "cut-after-acceptance"
	// CutBody: the connection ends in the middle of the service's answer.
	CutBody Kind = "cut-body"
	// Delayed: the answer comes late, by half a second at most.
	Delayed Kind = "delayed"
	// Hanging: the service never gets the request, and nobody answers until the client gives up.
	Hanging Kind = "hanging"
	// HangingAfterAcceptance: the service gets the request, and its answer never comes.
	HangingAfterAcceptance Kind = "hanging-after-acceptance"
	// Duplicated: the service gets the request twice, one after the other; the second answer comes.
	Duplicated Kind = "duplicated"
	// Reordered: the request is held back until a later one was answered, for a quarter of a second at most.
	// The answers of a batch come in reverse.
	Reordered Kind = "reordered"
)

// What gateways do.
const (
	// CutJSON: the service's answer is cut in the middle, and comes as if it was whole.
	CutJSON Kind = "cut-json"
	// Endless: the service gets the request, and an answer begins that never ends.
	Endless Kind = "endless"
	// Gzip: the answer comes compressed, properly.
	Gzip Kind = "gzip"
	// GzipBomb: the service gets the request; what comes is small and unpacks to [BombSize] of valid JSON.
	GzipBomb Kind = "gzip-bomb"
	// HTML200: the service gets the request, and a page comes instead of its answer, under 200.
	HTML200 Kind = "html-200"
	// HTML502: the service never gets the request; a page comes under 502.
	HTML502 Kind = "html-502"
	// HTML504: the service gets the request; a page comes under 504.
	HTML504 Kind = "html-504"
	// Redirect: the service never gets the request; the client is sent to another listener, with the path of
	// the URL and so the key. [Proxy.FollowedRedirects] counts who goes there.
	Redirect Kind = "redirect"
	// Status429: the service never gets the request; too many requests, try again in a second.
	Status429 Kind = "status-429"
	// Status429Date: the same, with the moment as an HTTP date.
	Status429Date Kind = "status-429-date"
	// Status401, Status403, Status404: the service never gets the request; a gateway refuses it in passing.
	Status401 Kind = "status-401"
	Status403 Kind = "status-403"
	Status404 Kind = "status-404"
	// Status500: the service never gets the request; a JSON-RPC error comes under 500.
	Status500 Kind = "status-500-json"
	// Status500AfterAcceptance: the same, and the service gets the request.
	Status500AfterAcceptance Kind = "status-500-json-after-acceptance"
)

// What services do to any answer.
const (
	// WrongID: the answer has another ID than the request.
	WrongID Kind = "wrong-id"
	// NullID: the answer has null as its ID.
	NullID Kind = "null-id"
	// FixedID: the answer has the ID 1, whatever the request's.
	FixedID Kind = "fixed-id"
	// WrongChain: eth_chainId is answered with another chain.
	WrongChain Kind = "wrong-chain"
	// NullForAWhile: what is asked for by a hash is null, this time and the next two.
	NullForAWhile Kind = "null-for-a-while"
	// VendorCodes: the service never gets the request, which is refused in a vendor's words that are no
	// verdict on what was asked: hash not found, method not found, limit exceeded, unable to process.
	VendorCodes Kind = "vendor-codes"
)

// What bundlers do.
const (
	// WrongHash: an operation is accepted, and its hash told as another.
	WrongHash Kind = "wrong-hash"
	// RefusalThenAccept: an operation is accepted, and told as refused, under several codes and words.
	RefusalThenAccept Kind = "refusal-then-accept"
	// AcceptButDrop: an operation is told as accepted, with its hash, and the service never gets it.
	AcceptButDrop Kind = "accept-but-drop"
	// Refused: an operation never gets to the service and is refused in a vendor's words.
	Refused Kind = "refused"
	// Underpriced: an operation never gets to the service, and is told as a replacement that pays too little.
	Underpriced Kind = "underpriced"
	// AlreadyKnown: an operation is accepted, and told as one that is known already.
	AlreadyKnown Kind = "already-known"
	// AlreadyKnownLie: an operation never gets to the service, and is told as one that is known already.
	AlreadyKnownLie Kind = "already-known-lie"
	// RevertedLie: a receipt says of an operation that succeeded that it failed, and the other way round.
	RevertedLie Kind = "reverted-lie"
	// ReceiptOfAnother: the receipt is that of another operation.
	ReceiptOfAnother Kind = "receipt-of-another"
	// ForgedReceipt: an operation without a receipt gets one, which names it and is made up.
	ForgedReceipt Kind = "forged-receipt"
)

// What nodes do.
const (
	// HeaderNotFound: what is read at a block fails with "header not found".
	HeaderNotFound Kind = "header-not-found"
	// Lagging: the answer is that of a node which is some blocks behind.
	Lagging Kind = "lagging"
)

// What paymasters do.
const (
	// NotSponsored: the answer has no paymaster in it.
	NotSponsored Kind = "not-sponsored"
	// SpoiltSponsorship: a bit of the paymaster's signature is another.
	SpoiltSponsorship Kind = "spoilt-sponsorship"
)

// Kinds returns the kinds that make sense for a role, always in the same order.
func Kinds(role Role) []Kind {
	var kinds []Kind
	for _, f := range faultsOf(role) {
		kinds = append(kinds, f.kind)
	}
	return kinds
}

// Default returns a mix of all kinds that make sense for a role. Between a fifth and three tenths of the
// requests meet one.
func Default(role Role) map[Kind]int {
	mix := make(map[Kind]int)
	for _, f := range faultsOf(role) {
		mix[f.kind] = f.weight
	}
	return mix
}
