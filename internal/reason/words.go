package reason

import (
	"regexp"
	"slices"
	"strings"

	"github.com/go-sesame/sesame/internal/jsonrpc"
)

// Services give one code to many things, and one thing many codes: their words say which it is.
var (
	methodMissing = regexp.MustCompile(`(?i)\bmethods? (handler )?((is |was |are )?not (yet )?(found|supported|available|allowed|whitelisted|implemented|enabled)|does not exist|doesn't exist)\b|` +
		`\b(unsupported|unknown|unrecognized|unimplemented|no such) (json-?)?(rpc )?method\b|` +
		`\bmethod \S+ (does not exist|doesn't exist|(is |was )?not (found|supported|available|allowed|whitelisted|implemented|enabled))|` +
		`\b(does not|doesn't) (support|have|offer) (the |this )?method\b|` +
		`\binvalid discriminator value at "method"|` + // Alto
		`\buntagged enum EthRpcCall\b`) // Anvil
	// bareMissing is enough under a code for missing methods.
	bareMissing = regexp.MustCompile(`(?i)^\W*(this is )?(not (yet )?(implemented|supported|available)|unsupported|unimplemented)\W*$|\bmethod\b`)

	unknownHash = regexp.MustCompile(`(?i)^\W*(nothing|not) found\W*$|` +
		`\b(user ?op(eration)?s?( ?hash)?|hash|receipt|transaction)\b.*\b(not (be )?found|unknown|not known|does not exist|doesn't exist)\b|` +
		`\b(unknown|no|no such|missing/invalid|(could not|couldn't|cannot|can't|unable to|failed to) (find|locate)) (the |an? |any |such )?(user ?op|transaction|hash|receipt)`)

	// tooLow is what bundlers say of a fee or a gas limit below what they take: "precheck failed:
	// preVerificationGas is 1 but must be at least 2", "replacement transaction underpriced". The operation
	// was looked at, and not taken.
	tooLow = regexp.MustCompile(`(?i)\bprecheck failed\b|\bmust be (at least|greater than|higher than|above)\b|\btoo low\b|` +
		`\bunderpriced\b|\b(below|less than|lower than) (the )?(required|minimum|min|base ?fee|block base fee)\b`)

	// fees is what services say of an operation whose fees are too low.
	fees = regexp.MustCompile(`(?i)max_?(priority_?)?fee|\b(priority|base) ?fee|\bgas ?price|\bfees? (is |are |was |were )?too low|underpriced`)

	// replacement is what bundlers, and the nodes behind them, say of an operation whose fees are not enough
	// above those of the one that it would replace.
	replacement = regexp.MustCompile(`(?i)\breplac\w*\b.{0,80}\b(underpriced|too low|higher|increase\w*|at least|10 ?%)|` +
		`\b(bump|increase|raise)\b.{0,40}\b(gas ?price|fees?|maxFeePerGas)\b.{0,40}\b(replace|10 ?%|minimum)|` +
		`\b(same|existing|pending) nonce\b.{0,60}\b(higher|lower) (gas ?price|fees?)\b`)

	// failing is what services say of themselves while they fail, for longer than a moment.
	failing = regexp.MustCompile(`(?i)\binternal (server )?error\b|\bunable to process\b|\b(is|still) syncing\b`)

	noAccess = regexp.MustCompile(`(?i)\bunauthori[sz]ed\b|\bauthenticat(e|ed|ion)\b|` +
		`\b(invalid|missing|wrong|unknown|no|bad) (api|access|project|dapp)[ -]?(key|id|token)\b|\bapi[ -]?key (is )?(not|invalid|missing|required)\b`)
)

// hashMethods ask about one operation by its hash.
var hashMethods = []string{
	"eth_getUserOperationReceipt", "eth_getUserOperationByHash", "biconomy_getUserOperationStatus", "pimlico_getUserOperationStatus",
}

// standardMethod are the methods without which a service is no bundler.
var standardMethod = map[string]bool{
	"eth_sendUserOperation": true, "eth_estimateUserOperationGas": true, "eth_supportedEntryPoints": true,
	"eth_getUserOperationReceipt": true, "eth_getUserOperationByHash": true,
}

// MethodMissing reports whether the service says in words that it does not have the method. A code alone does
// not: Stackup's bundler has one code for all errors, and Biconomy's the same for an unknown hash.
func (a Answer) MethodMissing() bool {
	if a.decided() || a.passing() {
		return false
	}
	if methodMissing.MatchString(a.Message) {
		return true
	}
	byCode := a.Code == jsonrpc.CodeMethodNotFound || a.Code == jsonrpc.CodeMethodNotSupported
	return byCode && !a.UnknownHash() && (bareMissing.MatchString(a.Message) || strings.Contains(a.Message, a.Method) || strings.HasPrefix(a.Message, jsonrpc.NoMessage))
}

// MayLackMethod reports whether the service's code says that it does not have the method, and its words
// nothing else.
func (a Answer) MayLackMethod() bool {
	byCode := a.Code == jsonrpc.CodeMethodNotFound || a.Code == jsonrpc.CodeMethodNotSupported
	return a.MethodMissing() || byCode && !a.decided() && !a.passing() && !a.UnknownHash() && !a.tooLow()
}

// UnknownHash reports whether the service, asked about an operation, says that it does not know it.
func (a Answer) UnknownHash() bool {
	if !slices.Contains(hashMethods, a.Method) || a.decided() || a.passing() || methodMissing.MatchString(a.Message) {
		return false
	}
	if bareMissing.MatchString(a.Message) || strings.Contains(a.Message, a.Method) {
		return false
	}
	return a.Code == jsonrpc.CodeMethodNotSupported || unknownHash.MatchString(a.Message)
}

// decided reports whether the answer is the verdict of a validation or an execution.
func (a Answer) decided() bool { return a.AA != nil || a.Revert != nil || jsonrpc.Decided(a.Code) }

// passing reports whether the service says of itself, or of the node behind it, that it fails for now.
func (a Answer) passing() bool {
	return jsonrpc.Passing(a.Code, a.Message) || !jsonrpc.Decided(a.Code) && failing.MatchString(a.Message)
}

// replacement reports whether the operation was refused because it does not pay enough more than the one with
// its nonce.
func (a Answer) replacement() bool { return replacement.MatchString(a.Message) }

// tooLow reports whether the operation was refused for a fee or a limit below what the bundler takes.
func (a Answer) tooLow() bool {
	switch a.Code {
	case jsonrpc.CodeTipTooLow, jsonrpc.CodeFeeTooLow, jsonrpc.CodePreVerificationTooLow:
		return true
	}
	return tooLow.MatchString(a.Message)
}

// FeesTooLow reports whether the operation was refused for its fees, perhaps.
func (a Answer) FeesTooLow() bool {
	switch a.Code {
	case jsonrpc.CodeTipTooLow, jsonrpc.CodeFeeTooLow:
		return true
	}
	return a.AA == nil && fees.MatchString(a.Message)
}
