// SPDX-License-Identifier: MIT
pragma solidity 0.8.17;

/// A call target that succeeds, takes value, burns gas, or fails in each of the ways a call can fail.
contract DemoTarget {
    error DemoError(address caller, uint256 code);

    event Called(address indexed caller, uint256 value, uint256 number);

    /// The last number that was stored.
    uint256 public number;

    mapping(uint256 => uint256) private slots;

    receive() external payable {}

    function store(uint256 number_) external payable {
        number = number_;
        emit Called(msg.sender, msg.value, number_);
    }

    /// Writes as many fresh slots as asked for, about 22,000 gas each.
    function burn(uint256 writes) external {
        for (uint256 i; i < writes; ++i) {
            slots[++number] = 1;
        }
    }

    function failCustom(uint256 code) external view {
        revert DemoError(msg.sender, code);
    }

    function failRequire(string calldata reason) external pure {
        require(false, reason);
    }

    function failPanic(uint256 divisor) external pure returns (uint256) {
        return 1 / divisor;
    }

    function failSilently() external pure {
        // solhint-disable-next-line reason-string
        revert();
    }
}
