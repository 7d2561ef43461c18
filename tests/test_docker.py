"""The image and the compose file agree with each other, with the settings and with the documentation.

No container engine is needed: what can be read is read, and what is a shell script is run.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from config.serve import GRACE_SECONDS
from gateway import management_api

ROOT = Path(settings.BASE_DIR)
DOCKER = ROOT / "docker"
APPS = ("config", "accounts", "billing", "gateway")
ROLES = {"gateway", "web", "worker", "beat", "migrate"}
ENTRYPOINT = (DOCKER / "entrypoint").read_text(encoding="utf-8")
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
SETTINGS = (ROOT / "config" / "settings.py").read_text(encoding="utf-8")

Service = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yml").read_text(encoding="utf-8"))
    return content


def ours(compose: dict[str, Any]) -> dict[str, Service]:
    return {name: service for name, service in compose["services"].items() if "build" in service}


def words() -> set[str]:
    """What the entrypoint may be told to be or to do."""
    return set(re.findall(r"^([a-z-]+)\)", ENTRYPOINT, re.MULTILINE))


def known_settings() -> set[str]:
    return set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', SETTINGS)) | {"DATABASE_URL"}


# -- compose ----------------------------------------------------------------------------------------


def test_every_role_is_a_service_that_the_entrypoint_knows(compose: dict[str, Any]) -> None:
    commands = {name: service["command"] for name, service in ours(compose).items()}
    assert commands == {role: [role] for role in ROLES}
    assert words() >= ROLES


def test_every_health_check_of_ours_is_one_that_the_entrypoint_knows(compose: dict[str, Any]) -> None:
    stated = [service.get("healthcheck", {}) for service in ours(compose).values()]
    of_the_image = DOCKERFILE.split("HEALTHCHECK")[1].split(" CMD ")[1].splitlines()[0]
    checks = [check["test"] for check in stated if "test" in check] + [["CMD", *yaml.safe_load(of_the_image)]]
    assert len(checks) == 3
    for command in checks:
        assert command[:2] == ["CMD", "/app/docker/entrypoint"]
        assert command[2] in words()


def test_every_variable_is_a_setting(compose: dict[str, Any]) -> None:
    for service in ours(compose).values():
        names = {name.removesuffix("_FILE") for name in service["environment"]}
        assert names <= known_settings()


def test_no_secret_stands_in_the_file_and_every_needed_one_is_a_file(compose: dict[str, Any]) -> None:
    needed = set(re.findall(r'env\.required\(\s*"([A-Z_]+)"', SETTINGS)) | {"DATABASE_URL"}
    for service in ours(compose).values():
        environment = service["environment"]
        for name in needed:
            assert name not in environment
            path = environment[f"{name}_FILE"]
            assert path.removeprefix("/run/secrets/") in service["secrets"]


def test_every_secret_that_is_used_is_declared_and_every_declared_one_is_used(compose: dict[str, Any]) -> None:
    used = {secret for service in compose["services"].values() for secret in service.get("secrets", [])}
    assert used == set(compose["secrets"])


def test_services_wait_for_what_they_need(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in services, f"{name} waits for {other}"
            if how["condition"] == "service_healthy":
                assert "build" in services[other] or "test" in services[other]["healthcheck"]
            else:
                assert services[other]["restart"] == "no"  # what restarts never completes
    for name in ROLES - {"migrate"}:
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert "migrate" not in services["migrate"]["depends_on"]


def test_networks_and_volumes_are_declared(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service["networks"]) <= set(compose["networks"])
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DOCKER / source).is_file()


def test_the_servers_of_state_are_reached_by_nobody_outside(compose: dict[str, Any]) -> None:
    assert compose["networks"]["state"]["internal"] is True
    for name in ("postgres", "valkey"):
        assert compose["services"][name]["networks"] == ["state"]
    published = {name for name, service in compose["services"].items() if service.get("ports")}
    assert published == {"proxy"}
    assert all(port.startswith("127.0.0.1:") for port in compose["services"]["proxy"]["ports"])


def test_our_containers_can_write_nothing_but_their_scratch_space(compose: dict[str, Any]) -> None:
    for service in ours(compose).values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp"]  # noqa: S108 - a container's own
        assert "mem_limit" in service


def test_a_server_may_finish_what_it_is_doing_before_it_is_killed(compose: dict[str, Any]) -> None:
    for name in ("gateway", "web"):
        assert int(compose["services"][name]["stop_grace_period"].removesuffix("s")) > GRACE_SECONDS


def test_the_proxies_that_are_believed_are_those_of_the_network(compose: dict[str, Any]) -> None:
    (subnet,) = compose["networks"]["edge"]["ipam"]["config"]
    assert compose["services"]["web"]["environment"]["TRUSTED_PROXIES"] == subnet["subnet"]


# -- image ------------------------------------------------------------------------------------------


def test_the_image_gets_everything_that_runs_and_nothing_is_kept_out_by_mistake() -> None:
    let_in = re.findall(r"^!(\S+)$", (DOCKER / "Dockerfile.dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )?(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    assert sources == set(let_in)
    assert sources >= {*APPS, "manage.py", "templates", "static", "docs", "uv.lock", "pyproject.toml"}
    assert all((ROOT / source).exists() for source in sources)


def test_the_image_is_built_from_the_lock_without_development_packages() -> None:
    assert "uv sync --frozen --no-dev" in DOCKERFILE
    assert re.search(r"pip install .*uv==[\d.]+$", DOCKERFILE, re.MULTILINE)


def test_the_image_runs_as_nobody_in_particular_and_owns_none_of_its_code() -> None:
    last = DOCKERFILE.split("\nFROM ")[-1]
    (user,) = re.findall(r"^USER (\S+)$", last, re.MULTILINE)
    assert user == "2389:2389"
    assert "--chown" not in last


def test_the_image_holds_no_secret() -> None:
    stated = re.findall(r"^(?:ARG|ENV) (.+)$", DOCKERFILE, re.MULTILINE)
    assert not [line for line in stated if re.search("SECRET|PEPPER|CREDENTIAL|PASSWORD|TOKEN|_URL", line)]
    assert set(re.findall(r"(?:SECRET_KEY|KEY_PEPPER|CREDENTIAL_KEYS)=(\S+)", DOCKERFILE)) == {"build"}


def test_static_files_are_collected_with_the_settings_that_the_build_gives(tmp_path: Path) -> None:
    (step,) = re.findall(r"^RUN (SECRET_KEY=.*?) \\\n &&", DOCKERFILE, re.MULTILINE | re.DOTALL)
    command = step.replace("\\\n", " ").replace(".venv/bin/python", sys.executable) + " --dry-run"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "css/site.css" in done.stdout


def _third_party_imports() -> Iterator[tuple[str, str]]:
    """Every package that the code of the image imports from outside, and where."""
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            if path.is_relative_to(ROOT / "config" / "stack"):
                continue  # ./dev, which has packages of its own
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module]
                for name in {name.split(".")[0] for name in names} - {*APPS, *sys.stdlib_module_names}:
                    yield name, path.relative_to(ROOT).as_posix()


def _locked_for_the_image() -> set[str]:
    """The packages that the image's `uv sync` installs: ours, those of the extras that it names, and what they need."""
    wanted = set(re.findall(r"--extra ([a-z-]+)", DOCKERFILE))
    packages = {p["name"]: p for p in tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]}
    found: set[str] = set()
    waiting = ["gateway-2389"]
    while waiting:
        package = packages[waiting.pop()]
        if package["name"] not in found:
            found.add(package["name"])
            extras = package.get("optional-dependencies", {})
            groups = [extras[name] for name in extras if len(found) > 1 or name in wanted]
            waiting += [d["name"] for group in (package.get("dependencies", []), *groups) for d in group]
    return found


def test_everything_that_is_imported_is_in_the_image() -> None:
    distributions = packages_distributions()
    locked = _locked_for_the_image()
    missing = {
        name: place
        for name, place in _third_party_imports()
        if not {re.sub(r"[-_.]+", "-", found).lower() for found in distributions.get(name, [])} & locked
    }
    assert missing == {}


# -- entrypoint and proxy -----------------------------------------------------------------------------


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_the_entrypoint_says_what_it_can_be() -> None:
    done = run(DOCKER / "entrypoint", "nonsense")
    assert done.returncode == 2
    assert all(role in done.stderr for role in ROLES)


def test_the_entrypoint_runs_management_commands() -> None:
    done = run(DOCKER / "entrypoint", "manage", "check")
    assert done.returncode == 0, done.stderr


def test_a_process_that_does_not_answer_is_not_healthy() -> None:
    done = run(DOCKER / "entrypoint", "healthy", PORT="1")
    assert done.returncode == 1
    assert done.stderr == "http://127.0.0.1:1/healthz does not answer 200\n"


def test_the_api_is_proxied_without_buffering_for_as_long_as_an_answer_may_take() -> None:
    configuration = (DOCKER / "proxy.conf").read_text(encoding="utf-8")
    api = configuration.split("location /v1 {")[1].split("}")[0]
    assert "set $gateway gateway:8000;" in api
    assert "proxy_buffering off;" in api
    (seconds,) = re.findall(r"proxy_read_timeout (\d+)s;", api)
    assert int(seconds) > settings.GATEWAY_TOTAL_SECONDS
    assert "set $web web:8000;" in configuration.split("location / {")[1]


def test_the_management_api_is_proxied_to_the_control_plane() -> None:
    configuration = (DOCKER / "proxy.conf").read_text(encoding="utf-8")
    assert "set $web web:8000;" in configuration.split(f"location {management_api.PREFIX} {{")[1].split("}")[0]


def test_the_documented_commands_make_every_secret_and_they_are_accepted(
    tmp_path: Path, compose: dict[str, Any]
) -> None:
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    script = page.split("```sh\ncd docker\n")[1].split("```")[0]
    made = subprocess.run(["/bin/sh", "-eu", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "secrets"
    assert {path.name for path in folder.iterdir()} == set(compose["secrets"])
    assert folder.stat().st_mode & 0o077 == 0
    files = {
        name: path.replace("/run/secrets", str(folder))
        for name, path in compose["services"]["gateway"]["environment"].items()
        if name.endswith("_FILE")
    }
    unset = {name.removesuffix("_FILE") for name in files}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        [sys.executable, "-c", ACCEPTED], cwd=ROOT, env={**environment, **files},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


ACCEPTED = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
from django.conf import settings
from accounts import keys
from gateway import credentials
assert keys.peppers()[0][0] == 1
assert credentials.decrypt("x", credentials.encrypt("x", "secret")) == "secret"
from billing import signing
assert signing.is_configured()
assert settings.DATABASES["default"]["HOST"] == "postgres"
assert len(settings.SECRET_KEY) >= 50
"""
