"""``GET /v1/statistics``: the document, and whose reviews it covers."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from starlette.requests import Request

from reviewbot.server.access import Access
from reviewbot.server.statistics import StatisticsApi, statistics_document
from reviewbot.server.telemetry.instrumentation import Telemetry
from reviewbot.store import keys
from reviewbot.store.database import open_database
from reviewbot.store.keys import Limits
from reviewbot.store.statistics import EndedReview, Statistics, Totals
from tests.server.in_process import service
from tests.server.nodes import DEMO, Node, post, until_state
from tests.server.test_openapi import validator

if TYPE_CHECKING:
    from pathlib import Path

    from reviewbot.core.events.events import Outcome

TODAY = 20_500


def totals(
    day: int = TODAY,
    subject_start: str = "",
    outcome: Outcome | None = "findings",
    *,
    usd: float = 0.5,
) -> Totals:
    return Totals(day, subject_start, outcome, 2, 1, 1, 1, usd, 0)


def document(*every: Totals, days: int = 7, **rest: Any) -> dict[str, Any]:
    values = {"slowest": (), "failed": (), "truncated": False, **rest}
    found = statistics_document(
        Statistics(tuple(every), **values), days=days, today=TODAY, kept_days=30
    )
    assert not [*validator("/components/schemas/Statistics").iter_errors(found)]
    return found


def test_every_day_of_the_period_is_there_the_oldest_first() -> None:
    found = document(totals(), totals(TODAY - 6))
    days = found["by_day"]
    assert (days[0]["day"], days[-1]["day"]) == (found["since"], found["until"])
    assert [day["reviews"] for day in days] == [2, 0, 0, 0, 0, 0, 2]
    assert found["cost_usd"] == 1.0
    assert found["findings"] == {"error": 2, "warning": 2, "note": 2}


def test_repositories_come_from_subjects_and_everything_else_is_local() -> None:
    found = document(
        totals(subject_start="github/octo/hello#", usd=3),
        totals(subject_start="octo/hello#", usd=1),
        totals(subject_start="a/b/c#", usd=2),
        totals(usd=1),
    )
    named = {entry["repository"]: entry["cost_usd"] for entry in found["by_repository"]}
    assert named == {"octo/hello": 4, None: 3}
    assert found["other_repositories"] is None


def test_repositories_after_the_twentieth_are_summed() -> None:
    every = [totals(subject_start=f"octo/r{number}#", usd=number) for number in range(23)]
    found = document(*every)
    assert [entry["repository"] for entry in found["by_repository"][:2]] == ["octo/r22", "octo/r21"]
    assert len(found["by_repository"]) == 20
    others = found["other_repositories"]
    assert (others["repositories"], others["reviews"], others["cost_usd"]) == (3, 6, 3)


def test_open_reviews_are_counted_apart_from_outcomes() -> None:
    found = document(totals(outcome=None), totals(outcome="shallow"))
    assert (found["open"], found["outcomes"]["shallow"], found["reviews"]) == (2, 2, 4)


def test_a_lone_surrogate_in_a_title_does_not_break_the_document() -> None:
    review = EndedReview(
        id="0" * 32,
        title="a\udcff",
        subject=None,
        outcome="incomplete",
        created_at=0,
        started_at=None,
        finished_at=1500,
        first_finding_s=None,
        reasons=("one", "two", "three", "four"),
    )
    found = document(slowest=(review,), failed=(review,))
    assert found["slowest"][0]["title"] == "a\N{REPLACEMENT CHARACTER}"
    assert found["slowest"][0]["seconds"] == 1.5
    assert found["failed"][0]["reasons"] == ["one", "two", "three"]


# --- The call


async def test_reviews_are_counted_for_their_own_key_alone(server: Node) -> None:
    database = open_database(f"sqlite:///{server.folder / 'reviewbot.db'}")
    with database.engine.begin() as connection:
        _, secret = keys.add(connection, "another", Limits())
    database.engine.dispose()
    review_id = await post(server, DEMO, subject="acme/shop#12", title="Secret plan")
    await until_state(server, review_id, "finished")
    async with server.client() as client:
        mine = (await client.get("/v1/statistics", params={"days": "7"})).json()
        other = await client.get("/v1/statistics", headers={"Authorization": f"Bearer {secret}"})
    assert not [*validator("/components/schemas/Statistics").iter_errors(mine)]
    assert (mine["reviews"], mine["outcomes"]["findings"]) == (1, 1)
    assert mine["findings"]["error"] == 3
    assert [entry["repository"] for entry in mine["by_repository"]] == ["acme/shop"]
    assert [entry["id"] for entry in mine["slowest"]] == [review_id]
    assert other.json()["reviews"] == 0
    assert "Secret plan" not in other.text
    assert review_id not in other.text


async def test_statistics_need_a_key_where_calls_do(server: Node) -> None:
    async with Node(server.folder, url=server.url).client() as client:
        assert (await client.get("/v1/statistics")).status_code == 401
        assert (await client.get("/v1/models")).status_code == 401
        assert (await client.post("/v1/estimates", content=DEMO)).status_code == 401


async def test_requests_at_once_for_the_same_period_share_a_query(tmp_path: Path) -> None:
    async with service(tmp_path, Telemetry()) as one:
        queries: list[str] = []

        @sa.event.listens_for(one.database.engine, "before_cursor_execute")
        def listen(*heard: Any) -> None:
            if "rtrim" in heard[2]:
                queries.append(heard[2])

        api = StatisticsApi(one, Access(one.database, need_key=False))

        def asked(days: int) -> Request:
            query = f"days={days}".encode()
            scope = {"type": "http", "method": "GET", "query_string": query, "headers": []}
            return Request({**scope, "path": "/v1/statistics"})

        answers = await asyncio.gather(*(api.show(asked(days)) for days in (7, 7, 30, 7)))
        assert [json.loads(bytes(answer.body))["days"] for answer in answers] == [7, 7, 30, 7]
        assert len(queries) == 2
        await api.show(asked(7))
        assert len(queries) == 3


@pytest.mark.parametrize("days", ["0", "8", "-7", "90.0", "x", ""])
async def test_other_periods_are_refused(server: Node, days: str) -> None:
    async with server.client() as client:
        answer = await client.get("/v1/statistics", params={"days": days})
    assert answer.status_code == 400
    assert answer.json()["detail"] == "days must be 7, 30 or 90"


async def test_the_page_of_statistics_is_html_with_the_policy_of_the_page(server: Node) -> None:
    async with Node(server.folder, url=server.url).client() as client:
        page = await client.get("/reviews")
        home = await client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert policy == home.headers["content-security-policy"]
