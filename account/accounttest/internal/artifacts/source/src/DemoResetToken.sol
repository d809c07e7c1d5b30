// SPDX-License-Identifier: MIT
pragma solidity 0.8.17;

import {DemoToken} from "./DemoToken.sol";

/// A token that, like USDT, changes an allowance only from or to zero.
contract DemoResetToken is DemoToken {
    constructor(string memory symbol, uint8 decimals_) DemoToken(symbol, decimals_) {}

    function approve(address spender, uint256 amount) public override returns (bool) {
        require(
            amount == 0 || allowance(msg.sender, spender) == 0,
            "DemoResetToken: reset the allowance to zero first"
        );
        return super.approve(spender, amount);
    }
}
