"""A device that keeps passkeys, as browsers talk to it: what `navigator.credentials` would answer."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_encode

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


class Device:
    """One passkey for one site. `verifies` says whether it asks for a finger or a PIN."""

    def __init__(self, origin: str = "https://testserver", *, verifies: bool = True) -> None:
        self.origin = origin
        self.verifies = verifies
        self.id = secrets.token_bytes(16)
        self.user = b""
        self._key = ec.generate_private_key(ec.SECP256R1())

    def create(self, options: dict[str, Any], *, resident: bool = True) -> str:
        asked = options["publicKey"]
        self.user = asked["user"]["id"].encode() if isinstance(asked["user"]["id"], str) else asked["user"]["id"]
        public = ES256.from_cryptography_key(self._key.public_key())  # type: ignore[no-untyped-call]
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor.encode(public)
        data = self._data(asked["rp"]["id"], ATTESTED) + attested
        return self._answer(
            {
                "clientDataJSON": websafe_encode(self._client("webauthn.create", asked["challenge"])),
                "attestationObject": websafe_encode(cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})),
                "transports": ["internal"],
            },
            {"credProps": {"rk": resident}},
        )

    def get(self, options: dict[str, Any]) -> str:
        asked = options["publicKey"]
        client = self._client("webauthn.get", asked["challenge"])
        data = self._data(asked["rpId"])
        signature = self._key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {
                "clientDataJSON": websafe_encode(client),
                "authenticatorData": websafe_encode(data),
                "signature": websafe_encode(signature),
                "userHandle": self.user.decode(),
            },
            {},
        )

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _data(self, site: str, more: int = 0) -> bytes:
        flags = PRESENT | more | (VERIFIED if self.verifies else 0)
        return hashlib.sha256(site.encode()).digest() + bytes([flags]) + bytes(4)

    def _answer(self, response: dict[str, Any], extensions: dict[str, Any]) -> str:
        name = websafe_encode(self.id)
        shared = {"type": "public-key", "id": name, "rawId": name, "authenticatorAttachment": "platform"}
        return json.dumps({**shared, "response": response, "clientExtensionResults": extensions})
