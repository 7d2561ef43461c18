"""Reading the environment, in one place and with errors that name the variable.

Every setting `NAME` may also be given as `NAME_FILE`, the path of a file that holds the value, as
container secrets are.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def read(name: str) -> str | None:
    """The value of `name`, or the content of the file that `name`_FILE points at, or None."""
    value = os.environ.get(name)
    if value:
        return value
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE names {path}, which cannot be read: {error.strerror}.") from error


def text(name: str, default: str = "") -> str:
    value = read(name)
    return default if value is None else value


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    value = text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is {value!r}. Use {', '.join(choices[:-1])} or {choices[-1]}.")
    return value


def required(name: str, hint: str) -> str:
    value = read(name)
    if value is None:
        raise ImproperlyConfigured(f"{name} is not set. {hint}")
    return value


def flag(name: str, *, default: bool) -> bool:
    value = read(name)
    if value is None:
        return default
    if value.lower() in {"1", "true", "yes", "on"}:
        return True
    if value.lower() in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}. Use true or false.")


def integer(name: str, default: int) -> int:
    value = read(name)
    if value is None:
        return default
    try:
        return int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is {value!r}. Use a whole number.") from error


def number(name: str, default: float) -> float:
    value = read(name)
    if value is None:
        return default
    try:
        return float(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is {value!r}. Use a number.") from error


def words(name: str, default: list[str]) -> list[str]:
    """A comma-separated list."""
    value = read(name)
    if value is None:
        return default
    return [word.strip() for word in value.split(",") if word.strip()]


def url(name: str, hint: str, schemes: tuple[str, ...]) -> SplitResult:
    parts = urlsplit(required(name, hint))
    if parts.scheme not in schemes or not parts.hostname:
        raise ImproperlyConfigured(f"{name} must look like {schemes[0]}://host:port/name.")
    return parts


def database(name: str = "DATABASE_URL") -> dict[str, Any]:
    """Django's settings for the Postgres that `DATABASE_URL` names."""
    parts = url(
        name,
        "Start everything with ./dev up, or give postgresql://user:password@host:5432/name.",
        ("postgresql", "postgres"),
    )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname,
        "PORT": str(parts.port or 5432),
        "OPTIONS": dict(parse_qsl(parts.query)),  # sslmode, sslrootcert and the like
    }
