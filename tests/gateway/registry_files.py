"""Small registry files, and the command that reads them."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

OPENAI = """
[[provider]]
slug = "openai"
name = "OpenAI"
kind = "openai"
base_url = "https://api.example/v1"
api_key_env = "OPENAI_API_KEY"
"""
SMALL = """
[[model]]
id = "small"
owned_by = "openai"
description = "A small model"
context_window = 1000
shutdown_on = 2027-01-14
capabilities = { vision = true }
prices = { input = "0.15", cached_input = "0.075", output = "0.60", tiers = [{ above = 200, input = "0.30" }] }
routes = [
    { provider = "openai", model = "small-2", options = { drop = ["top_p"] } },
    { provider = "openai", model = "small-1" },
]
"""
PRICES = SMALL[SMALL.index("prices = ") + len("prices = ") : SMALL.index("\nroutes")]
LOCAL = """
[[provider]]
slug = "local"
kind = "openai_compatible"
base_url_env = "LOCAL_MODEL_URL"
needs_credential = false
"""


class Sync:
    """Runs the command on a text."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "models.toml"

    def __call__(self, text: str, *arguments: str) -> str:
        self.file.write_text(text, encoding="utf-8")
        out = StringIO()
        call_command("sync_registry", str(self.file), *arguments, stdout=out)
        return out.getvalue()

    def complaint(self, text: str, *arguments: str) -> str:
        with pytest.raises(CommandError) as caught:
            self(text, *arguments)
        return str(caught.value)
