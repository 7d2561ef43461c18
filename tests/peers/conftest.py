"""This gateway and LiteLLM's proxy, both in front of a server that replays what providers sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from tests import live
from tests.factories import make_credit, make_key
from tests.fakes.replay import Replay
from tests.peers import litellm_proxy, models
from tests.peers.comparison import Comparison, Side

WORKERS = 2


@pytest.fixture(scope="session")
def comparison(
    empty_database: str, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Comparison]:
    folder = tmp_path_factory.mktemp("peers")
    with Replay() as provider:
        configuration = models.litellm_configuration(provider, litellm_proxy.MASTER_KEY)
        with (
            litellm_proxy.starting(configuration, folder) as peer,
            live.database(f"{empty_database}_peers", template=empty_database) as database,
        ):
            with django_db_blocker.unblock(), live.connected_to(database):
                models.seed(provider)
                key, secret = make_key(requests_per_minute=100_000)
                make_credit(key.organization)
            settings: dict[str, Any] = {models.CREDENTIAL: provider.credential, "TRUSTED_PROXIES": ""}
            with live.serving(database=database, log=folder / "gateway.log", workers=WORKERS, **settings) as gateway:
                yield Comparison(Side(gateway.base_url, secret), Side(peer(), litellm_proxy.MASTER_KEY), provider)
