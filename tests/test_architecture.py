"""The shape of the code base, held by reading its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
APPS = ("config", "gateway", "billing", "accounts")  # each may import what stands after it, and itself
MAX_LINES = 400
VAGUE = {"utils", "util", "helpers", "helper", "core", "common", "misc"}
OUTBOUND = {"httpx", "aiohttp", "aiohappyeyeballs", "requests", "urllib3"}
BESIDE_THE_APPS = ("tests", "benchmarks")


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that the code names in an import, also inside functions. A relative name cannot leave its app."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _named(node.func) in {"import_module", "__import__"}:
            yield from (
                arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            )


def _named(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def imports_of(path: Path) -> set[str]:
    return set(imported(ast.parse(path.read_bytes())))


def against_the_arrows(app: str, modules: set[str]) -> set[str]:
    forbidden = {*APPS[: APPS.index(app)], *BESIDE_THE_APPS}
    return {module for module in modules if module.split(".")[0] in forbidden}


@pytest.mark.parametrize("app", APPS)
def test_imports_point_one_way(app: str) -> None:
    wrong = {path.relative_to(ROOT).as_posix(): against_the_arrows(app, imports_of(path)) for path in sources(app)}
    assert {path: modules for path, modules in wrong.items() if modules} == {}


@pytest.mark.parametrize(
    "source",
    [
        "from gateway import errors",
        "import gateway.errors as e",
        "def f():\n    from gateway.errors import invalid",
        "if True:\n    import config.settings",
        "from importlib import import_module\nimport_module('gateway.errors')",
        "from tests import factories",
    ],
)
def test_the_arrows_are_found_however_an_import_is_written(source: str) -> None:
    assert against_the_arrows("accounts", set(imported(ast.parse(source))))


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in sources(*APPS, *BESIDE_THE_APPS)
        if "migrations" not in path.parts
    }
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


def test_only_two_modules_open_connections_to_the_outside() -> None:
    wrong = {
        path.relative_to(ROOT).as_posix()
        for path in sources(*APPS)
        if {module.split(".")[0] for module in imports_of(path)} & OUTBOUND
        and path.relative_to(ROOT).parts[:2] != ("config", "stack")
    }
    assert wrong == {"gateway/egress.py", "gateway/guarded.py"}


def test_only_the_settings_read_the_environment() -> None:
    wrong = {path.relative_to(ROOT).as_posix() for path in sources(*APPS) if _touches_the_environment(path)}
    assert {path for path in wrong if not path.startswith("config/stack/")} == {"config/env.py"}


def _touches_the_environment(path: Path) -> bool:
    """Whether it uses os.environ or os.getenv; naming the settings module by `setdefault` is what Django asks for."""
    source = re.sub(r"os\.environ\.setdefault\(.DJANGO_SETTINGS_MODULE., .config\.settings.\)", "", path.read_text())
    names = {_named(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.expr)}
    return bool(names & {"environ", "getenv", "environb", "putenv"}) or bool(
        imports_of(path) & {"os.environ", "os.getenv"}
    )


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [path for path in sources(*APPS) if VAGUE & set(path.relative_to(ROOT).with_suffix("").parts)] == []


def test_no_business_logic_hides_in_signals() -> None:
    assert [path for path in sources(*APPS) if any("signals" in module.split(".") for module in imports_of(path))] == []
