"""Serves the ASGI application: `python -m config.serve --port 8000 --workers 2`.

Workers that die are replaced. SIGTERM lets open requests finish, for as long as GRACE_SECONDS.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from uvicorn import Config
from uvicorn.supervisors import Multiprocess

GRACE_SECONDS = 30  # for open streams, when it is asked to stop
KEEP_ALIVE_SECONDS = 75  # between two requests: longer than clients and proxies keep theirs, so that none races with it
WORKER_SECONDS = 30  # that a worker may be stuck


def main() -> int:
    options = _options(sys.argv[1:])
    config = Config(
        "config.asgi:application",
        host=options.host,
        port=options.port,
        workers=options.workers,
        http="config.protocol:Connection",
        ws="none",
        loop="uvloop",
        lifespan="on",
        backlog=2048,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=options.grace,
        timeout_worker_healthcheck=WORKER_SECONDS,
        access_log=False,
        log_config=None,  # Django's
        proxy_headers=False,  # who may speak for a caller is TRUSTED_PROXIES' business
        server_header=False,
    )
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # of this process: workers have Django's
    listening = config.bind_socket()
    Multiprocess(config, sockets=[listening]).run()
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m config.serve", description="Serve the gateway.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--grace", type=int, default=GRACE_SECONDS, help="seconds that open requests get at the end")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
