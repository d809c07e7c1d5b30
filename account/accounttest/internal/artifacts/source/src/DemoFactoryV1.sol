// SPDX-License-Identifier: MIT
pragma solidity 0.8.17;

/// Stands for the factory of accounts of version 1: it makes none, and anybody may say which it made.
contract DemoFactoryV1 {
    mapping(address => mapping(uint256 => address)) private accounts;

    function setAccount(address owner, uint256 index, address account) external {
        accounts[owner][index] = account;
    }

    function getAddressForCounterFactualAccount(
        address owner,
        uint256 index
    ) external view returns (address) {
        return accounts[owner][index];
    }
}
