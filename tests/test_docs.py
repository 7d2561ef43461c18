"""The documentation says what is true, about everything there is, and its links lead somewhere."""

from __future__ import annotations

import ast
import html
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils.text import slugify

from accounts import keys
from gateway import documentation
from gateway.providers import providers
from gateway.providers.sandbox import BEHAVIOURS
from gateway.providers.sandbox_prompts import EMBEDDING

ROOT = Path(settings.BASE_DIR)
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*DOCS, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def written(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# -- settings ---------------------------------------------------------------------------------------


def _settings_read() -> Iterator[tuple[str, ast.expr | None]]:
    """Every variable that config/settings.py reads, with its default as written there."""
    for node in ast.walk(ast.parse(written("config/settings.py"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "env":
            yield _setting(node, node.func.attr)


def _setting(node: ast.Call, reader: str) -> tuple[str, ast.expr | None]:
    if reader == "database" and not node.args:
        return "DATABASE_URL", None
    name = ast.literal_eval(node.args[0])
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    positional = node.args[1] if len(node.args) > 1 and reader not in {"required", "url"} else None
    return name, keywords.get("default", positional)


def _rows(page: str) -> dict[str, str]:
    """The defaults that a page's tables give, by name."""
    return dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]+?) \|", page, re.MULTILINE))


def _number(node: ast.expr) -> float:
    """A number, or a product of numbers: `25 * 1024 * 1024`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _number(node.left) * _number(node.right)
    return float(ast.literal_eval(node))


def test_every_setting_is_documented_and_every_documented_setting_is_read() -> None:
    assert set(_rows(written("docs/settings.md"))) == {name for name, _ in _settings_read()}


@pytest.mark.parametrize(("name", "default"), [pytest.param(*setting, id=setting[0]) for setting in _settings_read()])
def test_a_documented_default_is_the_one_that_holds(name: str, default: ast.expr | None) -> None:
    told = _rows(written("docs/settings.md"))[name]
    if isinstance(default, ast.Name):
        assert told == f"`{default.id}`"
    elif isinstance(default, ast.List):
        assert told == (f"`{','.join(ast.literal_eval(default))}`" if default.elts else "empty")
    elif isinstance(default, ast.BinOp):
        assert float(told.strip("`")) == _number(default)
    else:
        value = ast.literal_eval(default) if default else None
        assert told == (f"`{str(value).lower() if isinstance(value, bool) else value}`" if value is not None else told)
        assert (told in {"none", "empty"}) == (value is None)


def test_the_example_file_names_every_setting() -> None:
    example = set(re.findall(r"^#? ?([A-Z][A-Z_]+)=", written(".env.example"), re.MULTILINE))
    assert {name for name, _ in _settings_read()} - example == set()


# -- models, providers, errors, keys ----------------------------------------------------------------


def test_every_sandbox_model_is_documented() -> None:
    documented = re.findall(r"^\| `sandbox/([a-z-]+)`", written("docs/sandbox.md"), re.MULTILINE)
    assert set(documented) == {*BEHAVIOURS, EMBEDDING}


def test_every_kind_of_provider_is_documented() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", written("docs/providers.md"), re.MULTILINE)) == set(providers())


def test_the_variables_of_the_shipped_registry_are_in_the_documentation() -> None:
    registry = tomllib.loads(written("gateway/registry.toml"))
    variables = {provider["api_key_env"] for provider in registry["provider"] if "api_key_env" in provider}
    assert {name for name in variables if name not in written("docs/settings.md")} == set()


def _codes_in_the_code() -> set[str]:
    """Every code an answer may carry, except those that only a vendor or the sandbox makes up."""
    source = written("gateway/errors.py")
    codes = {"invalid_request_error", *re.findall(r'"(upstream_\w+|overloaded)"', source)}
    codes |= set(re.findall(r'code: str = "(\w+)"', source))
    for path in (*(ROOT / "gateway").rglob("*.py"), ROOT / "config" / "protocol.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "code":
                codes |= {word for part in ast.walk(node.value) for word in _words(part)}
    return codes


def _words(node: ast.AST) -> list[str]:
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def test_every_error_code_is_documented_and_every_documented_code_exists() -> None:
    cells = re.findall(r"^\| \d{3} \| ([^|]+) \|", written("docs/errors.md"), re.MULTILINE)
    documented = {code for cell in cells for code in re.findall(r"`(\w+)`", cell)}
    assert documented == _codes_in_the_code()


def test_the_documented_key_has_the_shape_of_a_key() -> None:
    page = written("docs/keys.md")
    examples = keys.PATTERN.findall(page)
    assert examples
    assert all(keys.well_formed(example) for example in examples)
    assert f"\n{keys.PATTERN.pattern}\n" in page


# -- links and pages --------------------------------------------------------------------------------


def _links(path: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", path.read_text(encoding="utf-8")))


def _anchors(path: Path) -> set[str]:
    return {slugify(line.lstrip("#")) for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")}


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in _links(path):
        if link.startswith("https://"):
            continue
        file, _, fragment = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.is_file(), f"{named(path)} links to {link}"
        assert not fragment or fragment in _anchors(target), f"{named(path)} links to {link}"
        assert path not in DOCS or target in DOCS, f"{named(path)} links to {link}, which is no page of the site"


@pytest.mark.parametrize("path", DOCS, ids=named)
def test_every_page_is_served_with_nothing_left_of_its_markup(path: Path, client: Client) -> None:
    slug = path.relative_to(ROOT / "docs").with_suffix("").as_posix()
    page = documentation.find(slug)
    assert page is not None
    response = client.get(page.url)
    content = response.content.decode()
    assert response.status_code == 200
    assert f"<title>{html.escape(page.title)} · 2389 docs</title>" in content
    assert len(re.findall("<h1[ >]", content)) == 1
    prose = re.sub(r"<code>.*?</code>", "", content.split('<article class="prose">')[1], flags=re.DOTALL)
    assert not re.search(r"```|`|\*\*|\]\(|^#|^\|", prose, re.MULTILINE)
    assert ".md" not in re.sub(r"<code>.*?</code>", "", prose)


@pytest.mark.parametrize("path", DOCS, ids=named)
def test_code_stands_between_fences(path: Path) -> None:
    """The pages' renderer does not know code that is only indented: it would run into the text."""
    prose = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert not re.findall(r"\n\n {4,}(?![-*\d]).*", prose)


def test_every_page_is_in_the_contents_or_in_the_index_of_decisions() -> None:
    listed = {page.slug for page in documentation.contents()}
    decisions = {f"decisions/{link.removesuffix('.md')}" for link in _links(ROOT / "docs/decisions/index.md")}
    assert listed | decisions == {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in DOCS}


@pytest.mark.parametrize("path", ["/docs/nothing/", "/docs/../README/", "/docs/..%2F..%2Fmanage/", "/docs/decisions/"])
def test_only_pages_of_the_documentation_are_served(path: str, client: Client) -> None:
    assert client.get(path).status_code == 404
