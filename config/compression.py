"""Pages are sent compressed."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class Compression(GZipMiddleware):
    """All but streams of events, which would wait in the compressor until there is enough of them.

    Nobody can guess what a page keeps secret from how long it is: the token of its forms is masked anew each time, and
    Django adds some bytes by chance. Static files are compressed before, when an image is built.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.headers.get("Content-Type", "").startswith("text/event-stream"):
            return response
        return super().process_response(request, response)
