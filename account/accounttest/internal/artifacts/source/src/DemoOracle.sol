// SPDX-License-Identifier: MIT
pragma solidity 0.8.17;

/// An oracle that says what anybody told it: what one ether costs in a token.
contract DemoOracle {
    mapping(address => uint256) private rates;

    /// Sets how many of the token's smallest units one ether costs; zero for a token it does not know.
    function setRate(address token, uint256 perEther) external {
        rates[token] = perEther;
    }

    /// The function that the token paymaster asks for a rate. A token without one makes it revert.
    function getTokenValueOfOneNativeToken(address token) external view returns (uint256 perEther) {
        perEther = rates[token];
        require(perEther != 0, "DemoOracle: no rate");
    }
}
