// SPDX-License-Identifier: MIT
pragma solidity 0.8.17;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";

/// A collection that anyone may mint from.
contract DemoNFT is ERC721 {
    /// How many tokens there are; also the next token's ID.
    uint256 public totalSupply;

    constructor() ERC721("Sesame Demo", "DEMO") {}

    function safeMint(address to) external {
        _safeMint(to, totalSupply++);
    }
}
