"""Where a model stands: active, deprecated once its end is announced, retired once its vendor is done with it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError

from gateway.lifecycle import Lifecycle, of
from tests.factories import make_model

TODAY = date(2026, 11, 23)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("vendor_id", "deprecated_on", "shutdown_on", "vendor_gone", "expected"),
    [
        ("m", None, None, False, Lifecycle.ACTIVE),
        ("m", TODAY + DAY, None, False, Lifecycle.ACTIVE),
        ("m", TODAY, None, False, Lifecycle.DEPRECATED),
        ("m", TODAY - DAY, None, False, Lifecycle.DEPRECATED),
        ("m", None, TODAY + DAY, False, Lifecycle.DEPRECATED),
        ("m", TODAY - DAY, TODAY + DAY, False, Lifecycle.DEPRECATED),
        ("m", None, TODAY, False, Lifecycle.RETIRED),
        ("m", None, TODAY - DAY, False, Lifecycle.RETIRED),
        ("m", TODAY + DAY, TODAY - DAY, False, Lifecycle.RETIRED),
        ("m", None, None, True, Lifecycle.RETIRED),
        ("m", None, TODAY + DAY, True, Lifecycle.RETIRED),
        ("", None, None, False, Lifecycle.RETIRED),
        ("", None, TODAY + DAY, False, Lifecycle.RETIRED),
    ],
)
def test_a_model_stands_where_its_dates_and_its_vendor_put_it(
    vendor_id: str, deprecated_on: date | None, shutdown_on: date | None, vendor_gone: bool, expected: Lifecycle
) -> None:
    assert (
        of(
            vendor_id=vendor_id,
            deprecated_on=deprecated_on,
            shutdown_on=shutdown_on,
            vendor_gone=vendor_gone,
            today=TODAY,
        )
        is expected
    )


def test_a_model_ages_from_active_to_retired_and_never_back() -> None:
    stages = [
        of(vendor_id="m", deprecated_on=TODAY, shutdown_on=None, vendor_gone=False, today=TODAY - DAY),
        *(
            of(
                vendor_id="m",
                deprecated_on=TODAY,
                shutdown_on=TODAY + 3 * DAY,
                vendor_gone=False,
                today=TODAY + n * DAY,
            )
            for n in range(6)
        ),
    ]
    order = list(Lifecycle)
    assert [order.index(stage) for stage in stages] == sorted(order.index(stage) for stage in stages)
    assert set(stages) == set(Lifecycle)


@pytest.mark.django_db
def test_the_row_knows_its_own_stage() -> None:
    assert make_model(shutdown_on=TODAY).lifecycle(TODAY) is Lifecycle.RETIRED
    assert make_model(shutdown_on=TODAY).lifecycle(TODAY - DAY) is Lifecycle.DEPRECATED
    assert make_model(vendor_id="").lifecycle(TODAY) is Lifecycle.RETIRED


@pytest.mark.django_db
def test_a_chain_of_successors_may_be_long_but_not_a_circle() -> None:
    last = make_model()
    middle = make_model(successor=last)
    first = make_model(successor=middle)
    first.clean()
    last.successor = first
    with pytest.raises(ValidationError, match="must not form a circle"):
        last.clean()


@pytest.mark.django_db
def test_a_model_cannot_succeed_itself() -> None:
    model = make_model()
    model.successor = model
    with pytest.raises(ValidationError, match="already leads to"):
        model.clean()
