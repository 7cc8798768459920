"""The outbox posts each result once and ends each check, whatever GitHub answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from reviewbot.github.app.outbox import Outbox
from reviewbot.store import nodes
from reviewbot.store.tables import DELIVERIES, NODES, PUBLICATIONS
from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.fake_github import FakeGitHub, Fault, faults
from tests.github.action_runs import find_marked, hanging
from tests.server.nodes import until
from tests.support.app_reviews import lost_and_late, settle
from tests.support.github_stories import BASE, ONE, TWO, app, bug, conclusions, summary_of, titles

if TYPE_CHECKING:
    from tests.fake_anthropic import Recorded as Asked
    from tests.fake_github import Recorded
    from tests.github.app_runs import AppServer


async def states(server: AppServer, table: sa.Table) -> list[str]:
    return await server.service.database.read(
        lambda connection: list(connection.scalars(sa.select(table.c.state)))
    )


async def until_waiting(server: AppServer) -> None:
    """Until a publication waits for its next try."""
    while "waiting" not in await states(server, PUBLICATIONS):  # noqa: ASYNC110 - nothing here could set an event
        await asyncio.sleep(0.01)


async def hold_back(server: AppServer, seconds: int) -> None:
    """Have what waits to be published wait for longer."""
    later = {"next_try_at": PUBLICATIONS.c.next_try_at + seconds * 1000}
    await server.service.database.write(
        lambda connection: connection.execute(sa.update(PUBLICATIONS).values(later))
    )


# --- Publications


@pytest.mark.slow
async def test_a_review_that_is_slow_to_post_and_the_one_that_supersedes_it_post_nothing_twice(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    """The first has looked at the head and reads a long list of comments when a push comes."""
    late = faults.slow("GET", "/issues/1/comments$", 1.5)

    def then_slow(request: Asked) -> Answer:
        if not github.faults:
            github.fail(late)
        return find_marked(request)

    model.respond = then_slow
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.deliver()
    await until(lambda: bool(late.hit))
    pull.push(TWO)
    await settle(server)
    found = sorted(titles(pull))
    summaries = [one for one in pull.comments if "kind=summary" in one.body]
    newest = f"head={pull.head_sha}" in summaries[0].body
    assert found == ["**error: Division by zero**", "**warning: None is returned**"]
    assert (len(summaries), newest) == (1, True)


@pytest.mark.parametrize("seconds", [0, 30])
async def test_an_older_review_that_is_published_late_does_not_take_the_place_of_a_newer_one(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer, seconds: int
) -> None:
    """Of the same head: the first one's comments cannot be read at first; it is asked again."""
    pull = github.pull(base=BASE, head=BASE | ONE)

    def unable(_request: Asked) -> Answer:
        github.fail(faults.error("GET", "/pulls/1/comments", 404, times=1))
        model.respond = find_marked
        return Answer(outcome="could_not_review")

    model.respond = unable
    await server.deliver()
    await until_waiting(server)
    await hold_back(server, seconds)
    pull.comment("/review full", by="octo")
    await settle(server)
    assert "1 error" in summary_of(pull).split("\n")[0]
    assert "outcome=findings" in summary_of(pull)


@pytest.mark.unposted("the code was there for a moment")
async def test_a_review_is_posted_although_another_head_came_and_went_before(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    first = pull.head_sha

    def later(request: Asked) -> Answer:
        github.fail(faults.error("GET", "/pulls/1/comments", 404, times=1))
        model.respond = and_back
        return find_marked(request)

    def and_back(request: Asked) -> Answer:
        model.respond = find_marked
        pull.head_repo.move(pull.head_ref, first, by="octocat")  # type: ignore[union-attr]
        return find_marked(request)

    model.respond = later
    await server.deliver()
    await until_waiting(server)
    await hold_back(server, 20)
    pull.push(TWO)
    await settle(server)
    assert titles(pull) == ["**error: Division by zero**"]
    assert f"head={first}" in summary_of(pull)
    at_head = [run for run in pull.repo.check_runs.values() if run.head_sha == first]
    assert [run.conclusion for run in at_head] == ["failure"]


async def test_a_check_that_was_begun_late_for_a_review_that_is_over_is_not_the_last_word(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    asked = hanging(model, then=find_marked)
    github.fail(faults.error("GET", "/check-runs$", 422, times=1))
    pull = github.pull(base=BASE, head=BASE | app((10, "line_10 = 11")))
    await server.deliver()
    await asked.wait()
    pull.comment("/review", by="octo")
    await settle(server)
    latest = max(pull.repo.check_runs.values(), key=lambda run: run.id)
    assert latest.conclusion == "success", "branch protection goes by the newest run"


async def test_a_check_run_is_made_although_github_does_not_know_the_commit_at_first(
    github: FakeGitHub, server: AppServer
) -> None:
    github.fail(faults.error("GET", "/check-runs$", 404, times=1))
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    assert conclusions(pull) == ["failure"]


async def test_comments_are_posted_although_github_does_not_know_the_pull_request_at_first(
    github: FakeGitHub, server: AppServer
) -> None:
    github.fail(faults.error("POST", "/reviews$", 404, times=1))
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    assert titles(pull) == ["**error: Division by zero**"]


@pytest.mark.unposted("GitHub does not take it")
async def test_a_check_that_could_not_be_ended_is_ended_later(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)

    def break_github(request: Asked) -> Answer:
        github.fail(
            faults.error("GET", "/issues/1/comments", 404, times=None),
            faults.error("PATCH", "/check-runs/", 404, times=1),
        )
        return find_marked(request)

    model.respond = break_github
    await settle(server)
    assert conclusions(pull) == ["failure"]


async def test_a_comment_that_cannot_be_marked_as_fixed_does_not_fail_the_check(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    refusal = {"data": None, "errors": [{"type": "UNPROCESSABLE", "message": "Could not do it"}]}
    github.fail(Fault("POST", "/graphql", 200, refusal, contains=b"inimizeComment(", times=None))
    pull.push(app((10, "line_10 = 1")))
    await settle(server)
    assert conclusions(pull)[-1] == "success"


async def test_two_nodes_of_which_one_is_slow_post_nothing_twice(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    """The first has not said for ten seconds that it is alive, and goes on all the same."""
    late = faults.slow("GET", "/issues/1/comments$", 1.0)

    def then_slow(request: Asked) -> Answer:
        github.fail(late)
        return find_marked(request)

    model.respond = then_slow
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.deliver()
    await until(lambda: bool(late.hit))

    def other_alone(connection: sa.Connection) -> None:
        connection.execute(sa.delete(NODES))
        nodes.heartbeat(connection, "other")

    await server.service.database.write(other_alone)
    service, bot = server.service, server.bot
    other = Outbox(service.database, service.hub, bot._github, bot.identity, node="other")
    working = asyncio.create_task(other.work())
    try:
        await settle(server)
        await asyncio.sleep(1.5)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    found, summaries = titles(pull), [one for one in pull.comments if "kind=summary" in one.body]
    assert found == ["**error: Division by zero**"]
    assert len(summaries) == 1


@pytest.mark.slow
@pytest.mark.real_time
async def test_a_node_does_not_publish_a_review_twice_at_once(
    github: FakeGitHub, server: AppServer
) -> None:
    """Another one took it over, and is gone; this one has not noticed that it lost it."""
    late = faults.slow("POST", "/check-runs$", 1.0)
    github.fail(late)
    github.pull(base=BASE, head=BASE | ONE)
    await server.deliver()
    await until(lambda: bool(late.hit))
    publisher = server.bot._publisher
    [before] = publisher._poller.working.values()
    await server.service.database.write(
        lambda connection: connection.execute(sa.update(PUBLICATIONS).values(node="gone"))
    )
    publisher.wake()
    await asyncio.sleep(0.3)
    tries = await server.service.database.read(
        lambda connection: connection.scalar(sa.select(PUBLICATIONS.c.tries))
    )
    at_work = [before, *publisher._poller.working.values()]
    await settle(server)
    assert (tries, len(set(at_work))) == (1, 1)


# --- Deliveries


async def test_a_pull_request_whose_comments_cannot_be_read_has_a_check_that_says_so(
    github: FakeGitHub, server: AppServer
) -> None:
    """Such as one whose author has filled it with comments: a check must not be missing."""
    github.fail(faults.error("GET", "/issues/1/comments", 404, times=None))
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    assert "failed" in await states(server, DELIVERIES)
    assert conclusions(pull) == ["failure"]


async def test_an_incomplete_review_is_neutral_where_the_repository_says_so(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    model.respond = lambda _request: Answer(outcome="could_not_review")
    base = BASE | {".reviewbot.yml": "summary: false\nif_incomplete: neutral\n"}
    repo = github.world.repositories["octo/hello"]
    repo.commit("lax", base)
    pull = repo.open_pull(base | ONE, whole=True, base="lax")
    await settle(server)
    assert conclusions(pull) == ["neutral"]


@pytest.mark.slow
@pytest.mark.parametrize("bad", [(3, 11, 19, 27), (1, 7, 13, 21, 29)])
async def test_comments_that_github_refuses_lose_none_of_the_good_ones(
    github: FakeGitHub, server: AppServer, bad: tuple[int, ...]
) -> None:
    refusal = {"message": "Unprocessable Entity", "errors": ["Line could not be resolved"]}
    lines = list(range(1, 60, 2))
    for place in bad:
        github.fail(
            Fault(
                "POST",
                "/reviews$",
                422,
                refusal,
                contains=f"warning: Bug {lines[place]}**".encode(),
                times=None,
            )
        )
    head = app(*(bug(number) for number in lines))
    pull = github.pull(base=BASE, head=BASE | head)
    await settle(server)
    assert len(titles(pull)) == 10 - sum(place < 10 for place in bad)


async def test_a_stale_list_after_a_lost_response_causes_no_duplicate(
    github: FakeGitHub, server: AppServer
) -> None:
    lost = faults.error_after("POST", "/reviews$")

    class Lagging(Fault):
        def takes(self, request: Recorded) -> bool:
            return bool(lost.hit) and super().takes(request)

    github.fail(lost, Lagging("GET", "/reviews$", 200, b"[]", {"content-type": "application/json"}))
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    found = titles(pull)
    pull.threads.clear()  # else the fixture tells of it
    assert found == ["**error: Division by zero**"]


@pytest.mark.parametrize(("looks", "runs"), [(1, 1), (2, 1), (3, 2)])
async def test_a_check_run_whose_creation_had_no_response_is_completed(
    github: FakeGitHub, server: AppServer, looks: int, runs: int
) -> None:
    nothing = b'{"total_count":0,"check_runs":[]}'
    github.fail(*lost_and_late("/check-runs$", nothing, times=looks))
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    assert conclusions(pull) == ["failure"] * runs


async def test_links_that_a_repository_turned_off_are_not_written(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    base = BASE | {".reviewbot.yml": "summary: false\nlink_hosts: []\n"}
    text = ONE["app.py"].splitlines()[9]
    model.respond = lambda _: Answer(
        findings=[
            finding(
                path="app.py",
                quote=text,
                line=10,
                end_line=10,
                message="See [this](https://github.com/evil/repo).",
            )
        ]
    )
    pull = github.pull(base=base, head=base | ONE)
    await settle(server)
    assert "](https://github.com/evil/repo)" not in pull.review_comments[0].body


async def test_every_setting_that_the_app_accepts_takes_effect(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    config = (
        "summary: false\ninstructions: Look twice.\npath_instructions:\n- paths: ['*.py']\n"
        "  instructions: Look thrice.\nexclude: ['docs/**']\nrules: {bug: warning}\n"
        "confidence: 0.3\nmax_notes: 3\nfail_on: warning\nlink_hosts: [example.com]\n"
    )
    base = BASE | {".reviewbot.yml": config}
    pull = github.pull(base=base, head=base | ONE)
    await settle(server)
    assert titles(pull) == ["**warning: Division by zero**"]
    assert conclusions(pull) == ["failure"]
    assert "Look thrice." in model.requests[0].text or "Look thrice." in str(model.requests[0].body)
