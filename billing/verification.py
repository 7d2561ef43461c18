"""Checks a statement from its file and the public keys alone. No database, no settings, nothing of the gateway's."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from billing import canonical, merkle

FORMAT = "2389.statement.1"


class UnsoundError(Exception):
    """The first thing that is wrong with a statement."""


def verify(statement: Mapping[str, Any], key_set: Mapping[str, Any]) -> list[str]:
    """What was checked, a sentence each. Raises `UnsoundError`."""
    try:
        return list(_checks(statement, key_set))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnsoundError(f"This is not a statement: {type(error).__name__}, {error}.") from error


def _checks(statement: Mapping[str, Any], key_set: Mapping[str, Any]) -> Iterator[str]:
    document = statement["document"]
    _need(document["format"] == FORMAT, f"The format is {document['format']!r}, and this checks {FORMAT!r}.")
    yield _signature(statement, key_set)
    entries = iter(document["entries"])
    before, balance = {"hash": document["previous_hash"]}, int(document["opening_nano"])
    for block in document["blocks"]:
        _linked(document, block, before)
        balance = _sealed(block, list(islice(entries, block["entries"])), balance)
        before = block
    _need(next(entries, None) is None, "There are entries that are in no block.")
    yield f"{len(document['blocks'])} blocks hold {len(document['entries'])} entries, each as it was sealed."
    yield "The blocks are a chain: each names the hash of the one before it."
    _need(balance == int(document["closing_nano"]), "The closing balance is not the opening one and the entries.")
    yield f"The entries lead from {document['opening_nano']} to {balance} nano-dollars."
    _need(document["totals"] == totals(document["entries"]), "The totals are not those of the entries.")
    yield "The totals by kind are those of the entries."


def _signature(statement: Mapping[str, Any], key_set: Mapping[str, Any]) -> str:
    key_id = statement["key_id"]
    known = {key["kid"]: key["x"] for key in key_set["keys"] if (key["kty"], key["crv"]) == ("OKP", "Ed25519")}
    _need(
        key_id in known, f"It is signed with key {key_id!r}, which is not among the keys: {', '.join(known) or 'none'}."
    )
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(known[key_id] + "=="))
    try:
        public.verify(base64.b64decode(statement["signature"]), canonical.encode(statement["document"]))
    except InvalidSignature:
        raise UnsoundError(f"The signature is not that of key {key_id!r} over this document.") from None
    return f"The signature is that of key {key_id!r}."


def _linked(document: Mapping[str, Any], block: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    name = f"Block {block['number']}"
    _need(block["organization"] == document["organization"]["id"], f"{name} is another organisation's.")
    _need(block["starts_at"].startswith(document["month"]), f"{name} is of another month.")
    follows = block["number"] == before.get("number", block["number"] - 1) + 1
    _need(follows and block["previous_hash"] == before["hash"], f"{name} does not follow the block before it.")
    header = {key: value for key, value in block.items() if key != "hash"}
    _need(canonical.digest(header) == block["hash"], f"{name} does not have the hash that it says.")


def _sealed(block: Mapping[str, Any], entries: list[Mapping[str, Any]], balance: int) -> int:
    """The balance after the block, whose entries are these."""
    name = f"Block {block['number']}"
    _need(len(entries) == block["entries"], f"{name} has {block['entries']} entries, of which some are missing.")
    root = merkle.root(canonical.encode(entry) for entry in entries)
    _need(root == block["root"], f"{name} does not hold these entries: {entries[0]['id']} to {entries[-1]['id']}.")
    ids = [entry["id"] for entry in entries]
    _need(ids == sorted(set(ids)), f"{name} has entries out of order.")
    _need((ids[0], ids[-1]) == (block["first_id"], block["last_id"]), f"{name} names other entries.")
    balance += sum(change(entry) for entry in entries)
    _need(balance == int(block["closing_nano"]), f"{name} closes with {block['closing_nano']}, not with {balance}.")
    return balance


def change(entry: Mapping[str, Any]) -> int:
    """What an entry did to the balance. Amounts are text: digits and nothing else."""
    _need(re.fullmatch("[0-9]+", entry["amount_nano"]) is not None, f"Entry {entry['id']} has no amount.")
    amount = int(entry["amount_nano"])
    return amount if entry["credit"] == "wallet" else -amount


def totals(entries: list[dict[str, Any]]) -> dict[str, str]:
    """What each kind of entry did to the balance."""
    found: dict[str, int] = {}
    for entry in entries:
        found[entry["kind"]] = found.get(entry["kind"], 0) + change(entry)
    return {kind: str(total) for kind, total in sorted(found.items())}


def _need(holds: bool, complaint: str) -> None:
    if not holds:
        raise UnsoundError(complaint)
