"""Lists are read whole or not at all; an unchanged list costs no request."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.settings import SecretText
from reviewbot.github.api import comments as comments_api
from reviewbot.github.api import pulls as pulls_api
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.client import transport as wire
from reviewbot.github.client.errors import IncompleteListError
from reviewbot.github.client.etags import Etags
from reviewbot.github.client.exchange import RAW, Patience, read
from reviewbot.github.client.exchange import Answer as Got
from tests.fake_github.wire import Answer
from tests.github.scripted import comment, pull, scripted

if TYPE_CHECKING:
    from tests.fake_github.wire import Recorded


class Listing:
    """A list of comments in pages of 100 with ETags made of what is on the page, as GitHub's."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.base = ""

    def __call__(self, request: Recorded) -> Answer:
        page, size = int(request.query.get("page", "1")), int(request.query["per_page"])
        numbers = range((page - 1) * size + 1, min(page * size, self.total) + 1)
        etag = f'W/"{numbers}"'
        headers = {"etag": etag}
        if page * size < self.total:
            headers["link"] = (
                f"<{self.base}/repositories/1/issues/1/comments?per_page={size}&page={page + 1}>;"
                f' rel="next", <https://api.github.com/x?page=99>; rel="last"'
            )
        if request.headers.get("if-none-match") == etag:
            return Answer(None, 304, headers)
        return Answer([comment(number) for number in numbers], headers=headers)


@pytest.mark.parametrize("total", [0, 1, 99, 100, 101, 200, 250])
async def test_a_list_comes_with_all_its_pages(total: int) -> None:
    async with scripted(Listing(total)) as (server, gateway):
        found = await gateway.holder().comments.all("o/r", 1)
        assert [one.id for one in found] == list(range(1, total + 1))
        assert {request.query["per_page"] for request in server.requests} == {"100"}


async def test_a_list_that_has_not_changed_is_not_sent_again() -> None:
    async with scripted(Listing(250)) as (server, gateway):
        api = gateway.holder()
        first = await api.comments.all("o/r", 1)
        assert await api.comments.all("o/r", 1) == first
        assert [request.status for request in server.requests] == [200] * 3 + [304] * 3


async def test_an_entry_after_an_unchanged_full_page_is_found() -> None:
    listing = Listing(100)
    async with scripted(listing) as (_, gateway):
        api = gateway.holder()
        assert len(await api.comments.all("o/r", 1)) == 100
        listing.total = 101
        assert len(await api.comments.all("o/r", 1)) == 101


async def test_a_list_above_its_bound_is_an_error_and_never_a_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(comments_api, "MOST", 150)
    async with scripted(Listing(150)) as (_, gateway):
        assert len(await gateway.holder().comments.all("o/r", 1)) == 150
    async with scripted(Listing(301)) as (_, gateway):
        with pytest.raises(IncompleteListError, match="more than 150"):
            await gateway.holder().comments.all("o/r", 1)


async def test_pages_in_a_circle_end() -> None:
    def script(request: Recorded) -> Answer:
        return Answer([comment(1)], headers={"link": f'<{request.path}?page=1>; rel="next"'})

    async with scripted(script) as (server, gateway):
        with pytest.raises(IncompleteListError):
            await gateway.holder().comments.all("o/r", 1)
        assert len(server.requests) < 5


async def test_the_next_page_is_asked_of_our_server_whatever_its_link_says() -> None:
    listing = Listing(101)
    listing.base = "https://elsewhere.example"
    async with scripted(listing) as (server, gateway):
        assert len(await gateway.holder().comments.all("o/r", 1)) == 101
        assert server.calls[1] == "GET /repositories/1/issues/1/comments"


async def test_a_pull_request_that_has_changed_comes_anew() -> None:
    titles = ["first", "first", "second"]

    def script(request: Recorded) -> Answer:
        etag = f'"{titles[0]}"'
        body: Any = pull(1, title=titles.pop(0))
        if request.headers.get("if-none-match") == etag:
            return Answer(None, 304, {"etag": etag})
        return Answer(body, headers={"etag": etag})

    async with scripted(script) as (server, gateway):
        got = [(await gateway.holder().pulls.get("o/r", 1)).title for _ in range(3)]
        assert got == ["first", "first", "second"]
        assert [request.status for request in server.requests] == [200, 304, 200]


async def test_responses_are_not_shared_between_accounts() -> None:
    async with scripted(lambda _: Answer(pull(1), headers={"etag": '"x"'}), app=True) as (
        server,
        gateway,
    ):

        def script(request: Recorded) -> Answer:
            if request.path.startswith("/app"):
                return Answer({"token": "ghs_x", "expires_at": "2099-01-01T00:00:00Z"}, 201)
            return Answer(pull(1), headers={"etag": '"x"'})

        server.script = script
        await gateway.installation(7).pulls.get("o/r", 1)
        await gateway.installation(8).pulls.get("o/r", 1)
        asked = [one for one in server.requests if one.method == "GET"]
        assert len(asked) == 2
        assert not any("if-none-match" in one.headers for one in asked)


# --- What is kept


def answer(size: int, etag: str = '"x"') -> Got:
    return Got(status=200, headers={"etag": etag}, size=size)


def test_what_is_kept_is_bounded_and_what_was_not_used_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reviewbot.github.client.etags.MAX_ALL", 30_000)
    etags = Etags()
    requests = [read(f"/{number}") for number in range(4)]
    for request in requests[:3]:
        etags.keep("a", request, answer(7_000))
    assert etags.known("a", requests[0])
    etags.keep("a", requests[3], answer(7_000))
    assert [bool(etags.known("a", one)) for one in requests] == [True, False, True, True]
    for _ in range(100):
        etags.keep("a", requests[0], answer(8_000))
    assert etags.known("a", requests[3])


def test_large_answers_and_those_without_an_etag_are_not_kept() -> None:
    etags = Etags()
    etags.keep("a", read("/x"), answer(2 << 20))
    etags.keep("a", read("/y"), Got(status=200, headers={}))
    etags.keep("a", read("/z"), answer(1))
    assert not etags.known("a", read("/x"))
    assert not etags.known("a", read("/y"))
    assert not etags.known("a", read("/z", accept=RAW))
    assert not etags.known("a", read("/z", {"page": 2}))
    assert not etags.known("b", read("/z"))
    etags.forget("a", read("/z"))
    assert not etags.known("a", read("/z"))


# --- Connections


async def test_a_thread_keeps_connections_for_some_accounts_only() -> None:
    loop = asyncio.get_running_loop()
    async with scripted(lambda _: Answer(pull(1))) as (server, _):
        line = wire.Transport(server.url, Patience())
        with ThreadPoolExecutor(1) as thread:
            for number in (*range(wire.CLIENTS + 5), 0):
                await loop.run_in_executor(thread, line.send, f"account {number}", None, read("/x"))
        assert len(line._all) == wire.CLIENTS
        line.close()
        assert line._all == set()


async def test_closing_ends_the_connections() -> None:
    async with scripted(lambda _: Answer(pull(1))) as (server, gateway):
        await gateway.holder().pulls.get("o/r", 1)
        other = Gateway(SecretText("ghs_x"), base_url=server.url)
        await other.close()
        await gateway.close()
        with pytest.raises(RuntimeError):
            await gateway.holder().pulls.get("o/r", 1)


class Newest:
    """Pull requests, the newest first, one for each day of a month, in pages."""

    def __init__(self) -> None:
        self.base = ""

    def __call__(self, request: Recorded) -> Answer:
        page, size = int(request.query.get("page", "1")), int(request.query["per_page"])
        days = range(30, 0, -1)[(page - 1) * size : page * size]
        following = f"<{self.base}/repos/o/r/pulls?per_page={size}&page={page + 1}>;"
        made = [pull(day, created_at=f"2026-11-{day:02}T12:00:00Z", merged_at=None) for day in days]
        headers = {"link": f'{following} rel="next"'} if page * size < 30 else {}
        return Answer(made, headers=headers)


@pytest.mark.parametrize(
    ("most", "since", "numbers", "requests"),
    [
        (3, None, [30, 29, 28], 1),
        (100, None, list(range(30, 0, -1)), 1),
        (7, date(2026, 11, 28), [30, 29, 28], 1),
        (7, date(2026, 12, 1), [], 1),
        (7, date(2026, 1, 1), list(range(30, 23, -1)), 1),
    ],
)
async def test_the_newest_pull_requests_are_listed_and_no_more_pages_are_read(
    most: int, since: date | None, numbers: list[int], requests: int
) -> None:
    async with scripted(newest := Newest()) as (server, gateway):
        newest.base = server.url
        found = await gateway.holder().pulls.newest("o/r", most=most, since=since)
        assert [one.number for one in found] == numbers
        assert len(server.requests) == requests


async def test_the_newest_pull_requests_come_from_several_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pulls_api, "PER_PAGE", 4)
    async with scripted(newest := Newest()) as (server, gateway):
        newest.base = server.url
        found = await gateway.holder().pulls.newest("o/r", most=10)
        assert [one.number for one in found] == list(range(30, 20, -1))
        assert len(server.requests) == 3
        server.requests.clear()
        since = date(2026, 11, 25)
        assert len(await gateway.holder().pulls.newest("o/r", most=30, since=since)) == 6
        assert len(server.requests) == 2
