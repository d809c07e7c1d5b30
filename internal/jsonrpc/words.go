package jsonrpc

import (
	"net/http"
	"regexp"
)

// Services do not agree on codes: for these two kinds of trouble their words count as well.
var (
	// passing finds what a service says while it, or the node behind it, fails for a moment.
	passing = regexp.MustCompile(`(?i)\b(header|block)( for hash)? not found\b|\bunknown block\b|\bmissing trie node\b|` +
		`\bindexing is in progress\b|\btime(d)?[ -]?out\b|\bdeadline exceeded\b|\bcontext canceled\b|` +
		`\bconnection (was )?(reset|refused|closed|aborted)\b|\bunexpected EOF\b|\bbroken pipe\b|\bsocket hang up\b|` +
		`\bECONN(RESET|REFUSED|ABORTED)\b|\bETIMEDOUT\b|\bEAI_AGAIN\b|\bfetch failed\b|\bbad gateway\b|` +
		`\b(service|temporarily|currently) unavailable\b|\b(try|retry) (it )?again\b|\bplease retry\b|\boverloaded\b`)

	rateLimited = regexp.MustCompile(`(?i)\brate.?limit|\btoo many requests\b|\brequests? (rate )?limit\b|` +
		`\brequests per (second|minute|day)\b|\bcompute units per second\b`)

	// unable is what Biconomy's bundler says under the code that EIP-1474 has for limits.
	unable = regexp.MustCompile(`(?i)\bunable to process\b`)
)

// Passing reports whether an answer with that code tells of a trouble that passes by itself in a moment: a
// node that lags, a connection behind the service that broke. What ERC-7769 has a code for is decided.
func Passing(code int, message string) bool { return !Decided(code) && passing.MatchString(message) }

// RateLimited reports whether an answer with that code, status and message asks for fewer requests.
func RateLimited(code, httpStatus int, message string) bool {
	switch {
	case httpStatus == http.StatusTooManyRequests:
		return true
	case code == CodeLimitExceeded:
		return !unable.MatchString(message)
	}
	return !Decided(code) && rateLimited.MatchString(message)
}

// Decided reports whether the code is one of ERC-7769's: what became of an operation was decided.
func Decided(code int) bool { return code <= CodeRejected && code > CodeInvalidRequest }
