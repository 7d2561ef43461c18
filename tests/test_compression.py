"""What is sent compressed, and what must not be."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory

from config.compression import Compression

ASKED = {"HTTP_ACCEPT_ENCODING": "gzip, br"}


@pytest.mark.django_db
def test_a_page_is_compressed_for_those_who_ask_and_its_length_varies(client: Client) -> None:
    plain = client.get("/docs/api/")
    packed = [client.get("/docs/api/", **ASKED) for _ in range(8)]  # type: ignore[arg-type]
    assert "Content-Encoding" not in plain.headers
    assert {one.headers["Content-Encoding"] for one in packed} == {"gzip"}
    assert gzip.decompress(packed[0].content) == plain.content
    assert len(packed[0].content) < len(plain.content) / 4
    assert len({len(one.content) for one in packed}) > 1  # whoever measures it learns nothing of what is in it
    assert "Accept-Encoding" in plain.headers["Vary"]


def test_a_stream_of_events_is_not_held_up() -> None:
    def events() -> Iterator[bytes]:
        yield b"data: " + b"x" * 1000 + b"\n\n"

    request = RequestFactory().get("/", **ASKED)  # type: ignore[arg-type]
    stream = StreamingHttpResponse(events(), content_type="text/event-stream")
    compression = Compression(lambda _: HttpResponse())
    assert "Content-Encoding" not in compression.process_response(request, stream).headers
    exported = StreamingHttpResponse(events(), content_type="text/csv")
    assert compression.process_response(request, exported).headers["Content-Encoding"] == "gzip"
