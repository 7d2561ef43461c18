"""What a data-plane process is bound by when it asks Postgres."""

from __future__ import annotations

import psycopg
import pytest

from gateway.runtime import _connection_settings


@pytest.mark.django_db
def test_no_statement_lock_or_transaction_of_the_data_plane_lasts_long() -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    with psycopg.connect(**_connection_settings()) as connection:
        found = [connection.execute(f"SHOW {name}").fetchone() for name in names]
    assert found == [("5s",), ("2s",), ("10s",)]
