package policy

import (
	"sync"

	"github.com/go-sesame/sesame/abi"
)

// privilege is a function that should not be in a session, or not without a rule on whom it favours.
type privilege struct {
	function *abi.Function
	does     string
	// to is the argument that an Equal rule has to fix; empty where no rule makes it harmless.
	to       string
	severity Severity
}

// privileges are the functions that [Lint] knows, by selector.
var privileges = sync.OnceValue(func() map[[abi.SelectorSize]byte]privilege {
	table := make(map[[abi.SelectorSize]byte]privilege)
	add := func(severity Severity, to, does string, signatures ...string) {
		for _, signature := range signatures {
			f := abi.MustParseFunction(signature)
			table[f.Selector()] = privilege{function: f, does: does, to: to, severity: severity}
		}
	}
	add(SeverityDanger, "", "changes who may act for the account",
		"enableModule(address module)", "setupAndEnableModule(address module, bytes setupData)",
		"disableModule(address previous, address module)", "initForSmartAccount(address owner)",
		"setMerkleRoot(bytes32 root)")
	add(SeverityDanger, "", "replaces the contract's code",
		"updateImplementation(address implementation)", "setFallbackHandler(address handler)",
		"upgradeTo(address implementation)", "upgradeToAndCall(address implementation, bytes data)")
	add(SeverityDanger, "", "changes who owns the contract",
		"transferOwnership(address owner)", "renounceOwnership()", "grantRole(bytes32 role, address account)")
	add(SeverityDanger, "", "makes calls that no rule can look into",
		"execute(address to, uint256 value, bytes data)", "execute_ncC(address to, uint256 value, bytes data)",
		"executeBatch(address[] to, uint256[] value, bytes[] data)", "executeBatch_y6U(address[] to, uint256[] value, bytes[] data)",
		"multicall(bytes[] data)")
	add(SeverityDanger, "spender", "lets the spender take tokens at any later time",
		"approve(address spender, uint256 amount)", "increaseAllowance(address spender, uint256 amount)",
		"increaseApproval(address spender, uint256 amount)",
		"approve(address token, address spender, uint160 amount, uint48 expiration)", // Permit2
		"permit(address owner, address spender, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)",
		"permit(address owner, address spender, uint256 nonce, uint256 expiry, bool allowed, uint8 v, bytes32 r, bytes32 s)") // Dai
	add(SeverityDanger, "operator", "lets the operator take all tokens at any later time",
		"setApprovalForAll(address operator, bool approved)")
	add(SeverityWarning, "to", "moves tokens",
		"transfer(address to, uint256 amount)", "transferFrom(address from, address to, uint256 amount)",
		"safeTransferFrom(address from, address to, uint256 id)", "safeTransferFrom(address from, address to, uint256 id, bytes data)",
		"safeTransferFrom(address from, address to, uint256 id, uint256 amount, bytes data)",
		"safeBatchTransferFrom(address from, address to, uint256[] ids, uint256[] amounts, bytes data)")
	return table
})
