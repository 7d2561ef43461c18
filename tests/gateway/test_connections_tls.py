"""Providers are who they say they are, or are not asked."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway import egress
from gateway.errors import ApiError
from tests.gateway.listening import OK, Server, ask, says, serving


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For `localhost` alone; its own authority."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def listening(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_tls_is_spoken_with_whom_the_authorities_vouch_for(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(egress, "tls", lambda: ssl.create_default_context(cafile=certificate))
    server = Server(says(OK))
    async with serving(server, listening(certificate)) as (client, url):
        assert [await ask(client, url) for _ in range(2)] == [b"ok", b"ok"]
        assert await ask(client, url, b"x" * 1_000_000) == b"ok"
        with pytest.raises(ApiError) as caught:
            await ask(client, url.replace("localhost", "127.0.0.1"))
        assert (caught.value.status, "Verification" in caught.value.hint) == (502, True)
    assert len(server.bodies) == 3


async def test_tls_is_not_spoken_with_anybody_else(certificate: Path) -> None:
    server = Server(says(OK))
    async with serving(server, listening(certificate)) as (client, url):
        with pytest.raises(ApiError) as caught:
            await ask(client, url)
    assert caught.value.status == 502
    assert server.bodies == []
