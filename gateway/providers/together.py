"""Together, which calls the end of a sequence by its token."""

from __future__ import annotations

from typing import ClassVar

from gateway.providers.openai_compatible import OpenAICompatible
from gateway.translation.openai_repairs import Endings


class Together(OpenAICompatible):
    kind: ClassVar[str] = "together"
    label: ClassVar[str] = "Together"
    default_base_url: ClassVar[str] = "https://api.together.xyz/v1"
    endings: ClassVar[Endings] = Endings(words={"eos": "stop"})
