"""The tree of RFC 6962, section 2.1: one hash over many leaves, which no other list of leaves has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """Grows by a leaf at a time and keeps only the roots of its full subtrees: a dozen hashes for a million leaves."""

    def __init__(self) -> None:
        self.leaves = 0
        self._full: list[bytes] = []  # from the largest subtree to the smallest

    def add(self, data: bytes) -> None:
        self.leaves += 1
        self._full.append(leaf_hash(data))
        size = self.leaves
        while size % 2 == 0:
            right = self._full.pop()
            self._full.append(node_hash(self._full.pop(), right))
            size //= 2

    def root(self) -> str:
        """In hexadecimal. That of no leaves is the hash of nothing."""
        if not self._full:
            return hashlib.sha256().hexdigest()
        *larger, found = self._full
        for left in reversed(larger):
            found = node_hash(left, found)
        return found.hex()


def root(leaves: Iterable[bytes]) -> str:
    tree = Tree()
    for data in leaves:
        tree.add(data)
    return tree.root()
