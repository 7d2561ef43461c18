"""Other gateways, each as its own documentation says it is started, with as little switched on as they allow.

LiteLLM checks one master key and Portkey none; neither has a database here. That is less than ours does, and so in
their favour.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import ClassVar

from benchmarks import environments
from benchmarks.plans import Ask
from benchmarks.shapes import ALL, Shape
from benchmarks.systems import Absent, System
from config.stack.processes import Service

QUIET = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "LITELLM_LOG": "ERROR",
}
VERSION = re.compile(r"\d+(?:\.\d+)+")


class Peer(System):
    """Somebody else's gateway. It sees nothing of our environment."""

    version: ClassVar[str] = ""

    def _foreign(self, command: list[str], *, ready: str, settings: Mapping[str, str] | None = None) -> Service:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", **(settings or {})}
        return Service(
            name=self.name,
            command=command,
            env=environment,
            log=self.log,
            ready=lambda _: self.answers(ready),
            patience=120,
            cwd=self.folder,
        )


class LiteLLM(Peer):
    """Its proxy: Python, one worker."""

    name = "LiteLLM"
    accounts = "one master key"
    KEY: ClassVar[str] = "sk-bench"

    def service(self) -> Service:
        python = environments.python_of("litellm")
        config = self.folder / f"litellm-{self.port}.json"  # JSON is YAML too
        config.write_text(json.dumps(self._config()), encoding="utf-8")
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--num_workers", "1"]
        command = [str(python.with_name("litellm")), "--config", str(config), *where]
        return self._foreign(command, ready="/health/liveliness", settings=QUIET)

    def _config(self) -> dict[str, object]:
        origin = f"http://127.0.0.1:{self.provider_port}"
        models = [
            {
                "model_name": shape.name,
                "litellm_params": {
                    "model": f"{shape.dialect}/bench",
                    "api_base": f"{origin}{shape.base_path}" + ("/messages" if shape.dialect == "anthropic" else ""),
                    "api_key": "not-a-secret",
                },
            }
            for shape in {shape.name: shape for shape in ALL}.values()
        ]
        settings = {"telemetry": False, "num_retries": 0, "request_timeout": 600}
        return {"model_list": models, "litellm_settings": settings, "general_settings": {"master_key": self.KEY}}

    def asks(self, shape: Shape) -> tuple[Ask, ...]:
        headers = {"authorization": f"Bearer {self.KEY}"}
        return (Ask("/v1/chat/completions", shape.body, headers, stream=shape.stream),)


class Portkey(Peer):
    """Its open gateway: Node, one process."""

    name = "Portkey"

    def service(self) -> Service:
        node, packages = environments.node_packages("portkey")
        program = packages / "@portkey-ai" / "gateway" / "build" / "start-server.js"
        command = [node, str(program), f"--port={self.port}", "--headless"]
        trusted = f"127.0.0.1,127.0.0.1:{self.provider_port}"  # it would not call loopback otherwise
        return self._foreign(command, ready="/", settings={"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": trusted})

    def asks(self, shape: Shape) -> tuple[Ask, ...]:
        headers = {
            "authorization": "Bearer not-a-secret",
            "x-portkey-provider": shape.dialect,
            "x-portkey-custom-host": f"http://127.0.0.1:{self.provider_port}{shape.base_path}",
        }
        return (Ask("/v1/chat/completions", shape.body, headers, stream=shape.stream),)


class Nginx(Peer):
    """A bare reverse proxy: what passing bytes on costs when nothing is looked at."""

    name = "nginx"

    def service(self) -> Service:
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
        if program is None:
            raise Absent("nginx is not installed")
        config = self.folder / f"nginx-{self.port}.conf"
        config.write_text(self._config(), encoding="utf-8")
        command = [program, "-p", str(self.folder), "-e", str(self.log), "-c", str(config)]
        return self._foreign(command, ready="/stats")

    def _config(self) -> str:
        body = f"{self.folder}/nginx-{self.port}"
        return f"""
daemon off; worker_processes 1; pid {body}.pid; error_log {self.log} error;
events {{ worker_connections 8192; }}
http {{
  access_log off; client_max_body_size 64m; client_body_buffer_size 32m; client_body_temp_path {body}-body;
  proxy_temp_path {body}-proxy; fastcgi_temp_path {body}-f; uwsgi_temp_path {body}-u; scgi_temp_path {body}-s;
  keepalive_requests 1000000000;
  upstream provider {{ server 127.0.0.1:{self.provider_port}; keepalive 2048; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{self.port} backlog=4096;
    location / {{
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_read_timeout 600s;
    }}
  }}
}}
"""


PEERS: tuple[type[Peer], ...] = (LiteLLM, Portkey, Nginx)


def versions() -> dict[str, str]:
    """What is compared with, from the files that pin it and from the program itself."""
    text = (environments.REQUIREMENTS / "litellm.txt").read_text(encoding="utf-8")
    package = json.loads((environments.REQUIREMENTS / "portkey" / "package.json").read_text(encoding="utf-8"))
    found = {"LiteLLM": text.partition("==")[2].strip(), "Portkey": package["dependencies"]["@portkey-ai/gateway"]}
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program:
        said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stderr
        found["nginx"] = said[match.start() : match.end()] if (match := VERSION.search(said)) else "?"
    return found
