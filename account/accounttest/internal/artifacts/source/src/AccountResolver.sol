// SPDX-License-Identifier: MIT
pragma solidity 0.8.17;

interface IFactoryV1 {
    function getAddressForCounterFactualAccount(
        address owner,
        uint256 index
    ) external view returns (address);
}

interface IFactoryV2 {
    function getAddressForCounterFactualAccount(
        address module,
        bytes calldata setupData,
        uint256 index
    ) external view returns (address);
}

interface IResolvable {
    function getImplementation() external view returns (address);

    function VERSION() external view returns (string memory);
}

/// Finds the deployed accounts of an owner.
contract AccountResolver {
    struct Result {
        address accountAddress;
        address factoryAddress;
        address currentImplementation;
        string currentVersion;
        string factoryVersion;
        uint256 deploymentIndex;
    }

    address public immutable FACTORY_V1;
    address public immutable FACTORY_V2;

    constructor(address factoryV1, address factoryV2, address /* ecdsaModule */) {
        FACTORY_V1 = factoryV1;
        FACTORY_V2 = factoryV2;
    }

    /**
     * Returns the accounts with indexes below maxIndex, those of version 2 with this module. As with the
     * deployed resolver, room for two of each is reckoned in a uint8: 128 and more revert.
     */
    function resolveAddressesFlexibleForV2(
        address owner,
        uint8 maxIndex,
        address module,
        bytes memory setupData
    ) external view returns (Result[] memory found) {
        found = new Result[](maxIndex * 2);
        uint256 count;
        for (uint256 i; i < maxIndex; ++i) {
            address first = IFactoryV1(FACTORY_V1).getAddressForCounterFactualAccount(owner, i);
            if (first.code.length > 0) found[count++] = _describe(first, FACTORY_V1, "v1", i);
            address second = IFactoryV2(FACTORY_V2).getAddressForCounterFactualAccount(module, setupData, i);
            if (second.code.length > 0) found[count++] = _describe(second, FACTORY_V2, "v2", i);
        }
        assembly {
            mstore(found, count)
        }
    }

    function _describe(
        address account,
        address factory,
        string memory version,
        uint256 index
    ) private view returns (Result memory) {
        address implementation = IResolvable(account).getImplementation();
        return Result(account, factory, implementation, IResolvable(account).VERSION(), version, index);
    }
}
