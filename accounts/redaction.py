"""Taking secrets out of text that people or log files will see."""

import re

SECRETS = re.compile(
    r"sk-[A-Za-z0-9_-]{8,}|AIza[A-Za-z0-9_-]{10,}|(?<=Bearer )[^\s'\",]+|(?<=[?&]key=)[^&\s'\"]+", re.IGNORECASE
)


def redact(text: str) -> str:
    """`text` with everything that looks like a key or a bearer token replaced."""
    return SECRETS.sub("[redacted]", text)
