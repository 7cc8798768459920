"""The calls of the API, sent to a real server."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic, Hang
from tests.server.nodes import (
    APART,
    DEMO,
    Node,
    assert_whole,
    file_of,
    findings_for,
    follow,
    get,
    long_diff,
    node,
    parsed,
    post,
    until,
    until_state,
)
from tests.support.api_problems import problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Node]:
    """A server of its own, which needs no key."""
    async with node(tmp_path) as one:
        yield one


async def test_a_posted_diff_is_reviewed_and_can_be_asked_for(server: Node) -> None:
    async with server.client() as client:
        answer = await client.post(
            "/v1/reviews", content=DEMO, headers={"Content-Type": "text/x-diff"}
        )
        assert answer.status_code == 201
        started = answer.json()
        assert answer.headers["location"] == f"/v1/reviews/{started['id']}"
        assert (started["outcome"], started["state"]) == (None, "queued")
        assert answer.headers["x-tokens-used"] == "0"
        found = await until_state(server, started["id"], "finished")
        assert found["outcome"] == "findings"
        assert found["counts"]["error"] == 3
        assert [file["status"] for file in found["coverage"]].count("skipped") == 1
        assert found["summary"]["what"]
        diff = await client.get(f"/v1/reviews/{started['id']}/diff")
        assert diff.content == DEMO
        assert diff.headers["content-type"].startswith("text/x-diff")
        report = await client.get(f"/v1/reviews/{started['id']}/sarif")
        assert report.json()["version"] == "2.1.0"
        text = await client.get(f"/v1/reviews/{started['id']}/markdown")
        assert text.headers["content-type"] == "text/markdown; charset=utf-8"
        assert text.text.startswith("**3 errors and 4 warnings in 4 files.")
        listed = (await client.get("/v1/reviews")).json()
        assert [entry["id"] for entry in listed["reviews"]] == [started["id"]]
        assert listed["next"] is None


async def test_curl_streams_a_review_as_the_readme_says(alone: Node) -> None:
    process = await asyncio.create_subprocess_exec(
        *("curl", "-sN", "-H", "Accept: text/event-stream", "--data-binary", "@-"),
        f"{alone.url}/v1/reviews",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(DEMO)
    assert process.returncode == 0
    records = parsed(out.decode())
    assert_whole(records)
    assert sum(one["type"] == "finding" for one in records) == 7


async def test_a_stream_goes_on_after_any_event_without_a_gap_or_a_double(server: Node) -> None:
    review_id = await post(server)
    everything = await follow(server, review_id)
    assert_whole(everything)
    for after in range(len(everything) + 1):
        assert await follow(server, review_id, after) == everything[after:]


async def test_a_number_beyond_the_last_event_is_taken_for_the_last(server: Node) -> None:
    review_id = await post(server)
    await follow(server, review_id)
    assert await follow(server, review_id, after=9_999) == []


@pytest.mark.parametrize("number", ["-1", "x", "1.5", "9" * 30, "\u0661"])
async def test_what_is_no_event_number_is_refused(server: Node, number: str) -> None:
    review_id = await post(server)
    async with server.client() as client:
        answer = await client.get(f"/v1/reviews/{review_id}/events", params={"after": number})
        problem(answer, 400)


async def test_the_query_has_the_options_of_a_raw_diff(server: Node) -> None:
    review_id = await post(server, title="Totals", subject="acme#1", exclude="shop/,docs/")
    found = await until_state(server, review_id, "finished")
    assert (found["title"], found["subject"]) == ("Totals", "acme#1")
    skipped = [one["path"] for one in found["coverage"] if one["status"] == "skipped"]
    assert "shop/orders.py" in skipped


async def test_json_carries_the_same(server: Node) -> None:
    body = {
        "diff": DEMO.decode(),
        "title": "Totals",
        "options": {"exclude": ["shop/", "web/"], "summary": False},
    }
    async with server.client() as client:
        answer = await client.post("/v1/reviews", json=body)
        assert answer.status_code == 201
        found = await until_state(server, answer.json()["id"], "finished")
    assert found["title"] == "Totals"
    assert found["counts"]["error"] == 0


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (b"hello", "text/plain", "no diff"),
        (b"{", "application/json", "not JSON"),
        (b"[" * 100_000, "application/json", "not JSON"),
        (b"[]", "application/json", "object"),
        (b'{"diff": 3}', "application/json", "object"),
        (b'{"diff": "x", "options": {"modle": "y"}}', "application/json", "options.modle"),
        (b'{"diff": "x", "options": {"confidence": 7}}', "application/json", "confidence"),
        (b'{"diff": "x", "options": []}', "application/json", "options"),
        (b'{"diff": "x", "titel": ""}', "application/json", "titel"),
        (b'{"diff": "x", "title": 3}', "application/json", "title"),
        (DEMO[:700], "text/x-diff", "cut off"),
    ],
)
async def test_what_cannot_be_reviewed_is_refused_with_a_sentence(
    server: Node, body: bytes, kind: str, says: str
) -> None:
    async with server.client() as client:
        answer = await client.post("/v1/reviews", content=body, headers={"Content-Type": kind})
        assert says in problem(answer, 400)["detail"]
        assert (await client.get("/v1/reviews")).json()["reviews"] == []


@pytest.mark.parametrize("body", [b"", b"\n \n"])
async def test_an_empty_diff_is_refused(server: Node, body: bytes) -> None:
    async with server.client() as client:
        answer = await client.post(
            "/v1/reviews", content=body, headers={"Content-Type": "text/x-diff"}
        )
        assert problem(answer, 400)["detail"] == "Nothing to review: the diff is empty"


async def test_a_model_that_cannot_be_asked_is_refused_at_once(server: Node) -> None:
    async with server.client() as client:
        answer = await client.post(
            "/v1/reviews?model=claude-sonnet-5-5",
            content=DEMO,
            headers={"Content-Type": "text/x-diff"},
        )
        assert "needs a key" in problem(answer, 400)["detail"]


async def test_other_media_types_are_refused(server: Node) -> None:
    async with server.client() as client:
        answer = await client.post(
            "/v1/reviews", content=DEMO, headers={"Content-Type": "image/png"}
        )
        problem(answer, 415)
        review_id = await post(server)
        answer = await client.get(
            f"/v1/reviews/{review_id}/events", headers={"Accept": "application/json"}
        )
        problem(answer, 406)


async def test_a_compressed_body_is_read(server: Node) -> None:
    headers = {"Content-Type": "text/x-diff", "Content-Encoding": "gzip"}
    async with server.client() as client:
        answer = await client.post("/v1/reviews", content=gzip.compress(DEMO), headers=headers)
        assert answer.status_code == 201
        assert (await client.get(f"{answer.headers['location']}/diff")).content == DEMO


async def test_an_idempotency_key_makes_one_review_of_many_requests(server: Node) -> None:
    headers = {"Content-Type": "text/x-diff", "Idempotency-Key": "once-1"}
    async with server.client() as client:
        answers = await asyncio.gather(
            *(client.post("/v1/reviews", content=DEMO, headers=headers) for _ in range(8))
        )
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert sum("idempotent-replayed" in answer.headers for answer in answers) == 7
        assert len((await client.get("/v1/reviews")).json()["reviews"]) == 1
        other = await client.post("/v1/reviews", content=DEMO + b"\n", headers=headers)
        assert "Idempotency-Key" in problem(other, 422)["detail"]
        other = await client.post("/v1/reviews?title=x", content=DEMO, headers=headers)
        problem(other, 422)
        bad = {**headers, "Idempotency-Key": "a b"}
        problem(await client.post("/v1/reviews", content=DEMO, headers=bad), 400)


async def test_a_replayed_request_streams_the_review_it_made(server: Node) -> None:
    headers = {
        "Content-Type": "text/x-diff",
        "Idempotency-Key": "once-2",
        "Accept": "text/event-stream",
    }
    async with server.client() as client:
        first = await client.post("/v1/reviews", content=DEMO, headers=headers)
        again = await client.post("/v1/reviews", content=DEMO, headers=headers)
    assert parsed(first.text) == parsed(again.text)


async def test_reviews_are_listed_page_by_page_newest_first(server: Node) -> None:
    made = [await post(server, DEMO + b"\n" * number) for number in range(5)]
    async with server.client() as client:
        seen: list[str] = []
        before: str | None = None
        while True:
            params = {"limit": "2"} | ({"before": before} if before else {})
            page = (await client.get("/v1/reviews", params=params)).json()
            seen += [entry["id"] for entry in page["reviews"]]
            before = page["next"]
            if before is None:
                break
        assert seen == made[::-1]
        for bad in ({"limit": "0"}, {"limit": "x"}, {"before": "x"}):
            problem(await client.get("/v1/reviews", params=bad), 400)


@pytest.mark.slow
async def test_a_review_that_is_not_there_is_404_on_every_call(server: Node) -> None:
    async with server.client() as client:
        for name in ("0" * 32, "x", "%2e%2e", "%00", "0" * 33):
            for call in ("", "/events", "/diff", "/sarif", "/markdown"):
                answer = await client.get(f"/v1/reviews/{name}{call}")
                assert answer.status_code == 404, (name, call)
            assert (await client.post(f"/v1/reviews/{name}/rerun")).status_code == 404
            assert (await client.delete(f"/v1/reviews/{name}")).status_code == 404
        problem(await client.put("/v1/reviews"), 405)


async def test_a_rerun_has_the_diff_the_texts_and_the_options_of_the_review(server: Node) -> None:
    body = {
        "diff": DEMO.decode(),
        "title": "Totals",
        "subject": "acme#1",
        "options": {"exclude": ["shop/"], "rules": {"python/mutate-while-iterating": "off"}},
    }
    async with server.client() as client:
        first = (await client.post("/v1/reviews", json=body)).json()["id"]
        before = await until_state(server, first, "finished")
        headers = {"Idempotency-Key": "again-1"}
        answer = await client.post(f"/v1/reviews/{first}/rerun", headers=headers)
        again = answer.json()["id"]
        assert (answer.status_code, answer.headers["location"]) == (201, f"/v1/reviews/{again}")
        after = await until_state(server, again, "finished")
        assert again != first
        for name in ("outcome", "title", "subject", "counts", "coverage"):
            assert after[name] == before[name]
        assert (await client.get(f"/v1/reviews/{again}/diff")).content == DEMO
        repeated = await client.post(f"/v1/reviews/{first}/rerun", headers=headers)
        assert (repeated.json()["id"], repeated.headers["idempotent-replayed"]) == (again, "true")


async def test_sarif_of_a_review_that_runs_is_refused_until_it_is_finished(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(tmp_path, fake=fake, settings=APART) as one,
    ):
        review_id = await post(one, long_diff(1))
        async with one.client() as client:
            for call in ("sarif", "markdown"):
                answer = await client.get(f"/v1/reviews/{review_id}/{call}")
                assert problem(answer, 409)["state"] in ("queued", "running")


@pytest.mark.slow
async def test_leaving_cancels_only_if_that_was_asked_for(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(
            lambda request: Answer(findings_for(file_of(request)), delta_size=20, pace=0.02)
        ) as fake,
        node(tmp_path, fake=fake, settings=APART) as one,
        one.client() as client,
    ):
        for wish, outcome in (("true", "cancelled"), ("false", "findings")):
            async with client.stream(
                "POST",
                f"/v1/reviews?cancel_on_disconnect={wish}&title={wish}",
                content=long_diff(1),
                headers={"Content-Type": "text/x-diff", "Accept": "text/event-stream"},
            ) as answer:
                review_id = answer.headers["location"].rpartition("/")[2]
                async for piece in answer.aiter_text():
                    if "chunk.started" in piece:
                        break
            found = await until_state(one, review_id, "finished")
            assert found["outcome"] == outcome


@pytest.mark.slow
async def test_a_queued_review_says_its_position_and_can_be_cancelled(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(tmp_path, "--reviews-at-once", "1", fake=fake, settings=APART) as one,
    ):
        first = await post(one, long_diff(1))
        await until(lambda: len(fake.requests) == 1)
        second, third = await post(one, long_diff(1)), await post(one, long_diff(1))
        told = (await follow(one, third, until="review.progress"))[-1]
        assert told["activity"] == "queued: 1 review before it"
        assert (await get(one, third))["queue_position"] == 1
        async with one.client() as client:
            await client.delete(f"/v1/reviews/{second}")
            ended = await follow(one, second)
            assert_whole(ended)
            assert ended[-1]["outcome"] == "cancelled"
            moved = await follow(one, third, after=told["seq"], until="review.progress")
            assert moved[-1]["activity"] == "queued: it is next"
            await client.delete(f"/v1/reviews/{first}")
            await follow(one, third, until="chunk.started")
        async with asyncio.timeout(30):
            await until(lambda: len(fake.requests) == 2)


# --- Keys and budgets


async def test_a_line_break_in_any_text_stays_inside_its_event(server: Node) -> None:
    title = "a\nevent: review.finished\ndata: {}\n\n"
    diff = DEMO.replace(b"shop/orders.py", b"shop/or\xe2\x80\xa8ders.py")
    async with server.client() as client:
        answer = await client.post("/v1/reviews", json={"diff": diff.decode(), "title": title})
        assert answer.status_code == 201, answer.text
        records = await follow(server, answer.json()["id"])
    assert_whole(records)
    assert json.dumps(records)


# --- Pages of other sites


async def test_no_page_that_a_developer_visits_starts_or_reads_a_review(alone: Node) -> None:
    review_id = await post(alone)
    port = alone.url.rpartition(":")[2]
    async with alone.client() as client:
        for headers in (
            {"Host": f"attacker.example:{port}"},  # a name that was bound to 127.0.0.1
            {"Origin": "https://attacker.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
        ):
            for path in (f"/v1/reviews/{review_id}", f"/v1/reviews/{review_id}/events", "/metrics"):
                answer = await client.get(path, headers=headers)
                assert answer.status_code in (403, 421), (path, headers)
                assert "access-control-allow-origin" not in answer.headers
                assert review_id not in answer.text
            # What a form of another site can send without asking first.
            sent = await client.post("/v1/reviews", content=DEMO, headers=headers | PLAIN)
            assert sent.status_code in (403, 421), headers
        listed = (await client.get("/v1/reviews")).json()["reviews"]
        assert [one["id"] for one in listed].count(review_id) == 1


PLAIN = {"Content-Type": "text/plain"}


@pytest.mark.slow
async def test_a_site_that_was_named_may_use_the_api_and_no_other(tmp_path: Path) -> None:
    site = "https://reviews.example.com"
    async with (
        node(tmp_path, "--cors-origin", site, "--allow-host", "reviews.example.com") as one,
        one.client(Origin=site, Host="reviews.example.com") as client,
    ):
        asks = {"Access-Control-Request-Method": "POST"}
        preflight = await client.options("/v1/reviews", headers=asks)
        assert preflight.headers["access-control-allow-origin"] == site
        sent = await client.post("/v1/reviews", content=DEMO, headers=PLAIN)
        assert sent.status_code == 201
        assert sent.headers["access-control-allow-origin"] == site
        other = await client.get("/v1/reviews", headers={"Origin": "https://example.com"})
        assert other.status_code == 403
        assert "access-control-allow-origin" not in other.headers
