"""The ASGI application: the data plane under /v1, health, and Django for everything else: pages, management API.

Health and the OpenAPI document are answered by every process, whichever plane it serves."""

from __future__ import annotations

import gc
import logging
import os
from typing import Any, cast

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)

from django.core.handlers.asgi import ASGIHandler  # noqa: E402 - needs the apps to be loaded

from config import health  # noqa: E402
from gateway import errors  # noqa: E402
from gateway.bounds import Receive, Scope, Send  # noqa: E402
from gateway.edge import DataPlane  # noqa: E402
from gateway.management_api import PREFIX as MANAGEMENT  # noqa: E402
from gateway.openapi import serving as openapi  # noqa: E402
from gateway.openapi.control_plane import DOCUMENT  # noqa: E402

log = logging.getLogger(__name__)

ELSEWHERE = errors.ApiError(
    404,
    f"This process serves the {settings.GATEWAY_PLANE} plane only: ask another one.",
    type=errors.INVALID,
    code="unknown_url",
).to_dict()


def _spare_the_collector() -> None:
    """What is loaded by now stays, so it need not be gone through again and again; requests leave few cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


class Application:
    """Sends each request to its plane. GATEWAY_PLANE limits a process to one of them."""

    def __init__(self) -> None:
        self.data_plane = DataPlane()
        self.control_plane = ASGIHandler()
        self.serves_data = settings.GATEWAY_PLANE in {"both", "data"}
        self.serves_control = settings.GATEWAY_PLANE in {"both", "control"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        is_data = path == "/v1" or (path.startswith("/v1/") and not path.startswith(MANAGEMENT))
        if path in health.CHECKS:
            await health.answer(path, send)
        elif path == DOCUMENT:
            await openapi.answer(scope, send)
        elif is_data and self.serves_data:
            await self.data_plane(scope, receive, send)
        elif not is_data and self.serves_control:
            await self.control_plane(cast("dict[str, Any]", scope), cast("Any", receive), cast("Any", send))
        else:
            await health.write(send, 404, ELSEWHERE)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                if self.serves_data:
                    await self.data_plane.start()
                _spare_the_collector()
                log.info("worker %s is ready", os.getpid())
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.data_plane.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


application = Application()
