"""The App under late, stale and repeated answers, and heads that do not sit still."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from reviewbot.github.app.outbox import Outbox
from reviewbot.store import nodes
from reviewbot.store.tables import DELIVERIES, NODES, PUBLICATIONS
from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.fake_github import FakeGitHub, Fault, faults
from tests.fake_github.shapes_pulls import full_pull_request
from tests.github.action_runs import find_marked, hanging
from tests.github.app_runs import app_server
from tests.server.nodes import until
from tests.support.github_stories import (
    BASE,
    ONE,
    TWO,
    app,
    bug,
    conclusions,
    replies,
    summary_of,
    titles,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import Recorded as Asked
    from tests.fake_github import PullRequest, Recorded
    from tests.github.app_runs import AppServer

pytestmark = pytest.mark.edge


@dataclass
class Stale(Fault):
    """A JSON answer of a while ago, from a copy of GitHub's that lags behind."""

    was: Any = None
    taken: list[str] = field(default_factory=list)

    def takes(self, request: Recorded) -> bool:
        if "diff" in request.headers.get("accept", ""):
            return False
        return super().takes(request)


def stale(path: str, was: Any, *, times: int | None = 1) -> Fault:
    return Stale("GET", path, 200, was, times=times)


async def settle(server: AppServer, seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        await server.settle()


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


async def test_what_cannot_be_marked_as_fixed_does_not_fail_the_check(
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
        nodes.beat(connection, "other")

    await server.service.database.write(other_alone)
    service, bot = server.service, server.bot
    other = Outbox(service.database, service.hub, bot._github, bot.us, node="other")
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


# --- Heads that come and go


async def test_a_head_that_comes_back_after_another_was_reviewed_is_what_the_summary_is_about(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    first = pull.head_sha
    await settle(server)
    pull.push(app((10, "line_10 = 1")))
    await settle(server)
    assert "1 resolved" in summary_of(pull)
    pull.head_repo.move(pull.head_ref, first, by="octocat")  # type: ignore[union-attr]
    await settle(server)
    assert "1 error" in summary_of(pull).split("\n")[0]
    assert f"head={first}" in summary_of(pull)


async def test_a_review_that_was_not_posted_since_the_head_was_another_is_posted_once_it_is_back(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    first = pull.head_sha

    def push_meanwhile(request: Asked) -> Answer:
        if pull.head_sha == first:
            pull.push(app((10, "line_10 = 1")))
            waiting.extend(github.postman.waiting)
            github.postman.waiting.clear()
        return find_marked(request)

    waiting: list[Any] = []
    model.respond = push_meanwhile
    await settle(server)
    assert titles(pull) == []
    github.postman.waiting += waiting
    pull.head_repo.move(pull.head_ref, first, by="octocat")  # type: ignore[union-attr]
    await settle(server)
    assert titles(pull) == ["**error: Division by zero**"]


async def test_a_push_is_reviewed_although_github_tells_of_the_old_head_at_first(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    before = [
        one for one in github.requests if one.key.endswith("/pulls/1") and one.answer[:1] == b"{"
    ][-1].json
    pull.push(TWO)
    github.fail(stale("/pulls/1$", before, times=3))
    await settle(server)
    assert len(titles(pull)) == 2, "the delivery named the new head"


async def test_a_head_that_github_does_not_tell_of_yet_is_not_taken_for_a_newer_one(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    before = [
        one for one in github.requests if one.key.endswith("/pulls/1") and one.answer[:1] == b"{"
    ][-1].json

    def lag(request: Asked) -> Answer:
        github.fail(stale("/pulls/1$", before, times=1))
        return find_marked(request)

    model.respond = lag
    pull.push(TWO)
    await settle(server)
    assert len(titles(pull)) == 2


async def test_a_closing_that_is_told_late_does_not_stop_the_review_of_what_was_reopened(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    """GitHub keeps no order, and what was not taken at first is delivered again hours later."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    pull.close()
    [closed] = [
        one
        for one in github.postman.waiting
        if one.event == "pull_request" and one.payload["action"] == "closed"
    ]
    github.postman.waiting.remove(closed)
    asked = hanging(model, then=find_marked)
    pull.reopen()
    await server.deliver()
    await asked.wait()
    model.respond = find_marked
    await server.take(closed)
    for _ in range(20):
        await asyncio.sleep(0.05)
    stopped = await server.service.database.read(
        lambda connection: list(
            connection.scalars(sa.text("SELECT stop FROM rb_reviews WHERE stop IS NOT NULL"))
        )
    )
    pull.close()  # so that the test comes to an end
    await settle(server)
    assert "cancelled" not in stopped


def behind(github: FakeGitHub, pull: PullRequest, *, times: int = 1) -> None:
    """GitHub's next answers on the pull request are the one before what happens now."""
    github.fail(stale("/pulls/1$", full_pull_request(pull), times=times))
    github.clock.ahead += 2


@pytest.mark.parametrize("way", ["reopened", "ready_for_review"])
async def test_what_is_wanted_again_is_reviewed_though_github_answers_what_was_before(
    github: FakeGitHub, server: AppServer, way: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    (pull.close if way == "reopened" else pull.to_draft)()
    github.postman.waiting.clear()
    behind(github, pull)
    (pull.reopen if way == "reopened" else pull.ready)()
    await settle(server)
    assert titles(pull) == ["**error: Division by zero**"]


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("way", ["reopened", "ready_for_review"])
async def test_what_is_wanted_again_with_another_head_is_reviewed_at_that(
    github: FakeGitHub, server: AppServer, way: str, times: int
) -> None:
    """``git push && gh pr ready``; of what is pushed while it is closed, GitHub does not tell."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    (pull.close if way == "reopened" else pull.to_draft)()
    await settle(server)
    github.postman.waiting.clear()
    behind(github, pull, times=times)
    pull.state, pull.closed = "open", None  # the fake lets nobody push to one that is closed
    pull.push(TWO)
    github.postman.waiting.clear()
    (pull.reopen if way == "reopened" else pull.ready)()
    await settle(server)
    assert [run.head_sha for run in pull.repo.check_runs.values()] == [pull.head_sha]
    assert len(titles(pull)) == 2


@pytest.mark.parametrize("way", ["closed", "draft"])
async def test_what_is_not_wanted_any_more_ends_though_github_answers_what_was_before(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer, way: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    asked = hanging(model)
    await server.deliver()
    await asyncio.wait_for(asked.wait(), 60)
    behind(github, pull)
    (pull.close if way == "closed" else pull.to_draft)()
    await settle(server)
    assert conclusions(pull) == ["cancelled"]


async def test_a_base_that_becomes_another_has_the_change_reviewed(
    github: FakeGitHub, server: AppServer
) -> None:
    """Else: open it against a branch that has the code already, get a green check, retarget."""
    repo = github.world.repositories["octo/hello"]
    repo.commit("work", ONE)
    pull = repo.open_pull(ONE | {"b.py": "x = 1\n"}, base="work")
    await settle(server)
    assert conclusions(pull) == ["success"]
    old = pull.base_ref
    pull.retarget("main")
    changes = {"base": {"ref": {"from": old}, "sha": {"from": repo.branches["work"]}}}
    repo.world.happened(
        "pull_request", "edited", repo=repo, pull=pull, sender=pull.user, changes=changes
    )
    await settle(server)
    assert conclusions(pull)[-1] == "failure"


async def test_a_head_that_comes_back_after_another_was_reviewed_does_not_stay_cancelled(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    """Its first review was stopped; what is left to review is less by now: another diff."""
    pull = github.pull(base=BASE, head=BASE | TWO)
    first = pull.head_sha
    asked = hanging(model, then=find_marked)
    await server.deliver()
    await asked.wait()
    pull.push(ONE)
    await settle(server)
    assert conclusions(pull) == ["cancelled", "failure"]
    pull.head_repo.move(pull.head_ref, first, by="octocat")  # type: ignore[union-attr]
    await settle(server)
    runs = [run for run in pull.repo.check_runs.values() if run.head_sha == first]
    assert [run.conclusion for run in runs] == ["cancelled", "failure"]
    assert len(titles(pull)) == 2


async def test_a_second_pull_request_of_the_same_head_does_not_turn_the_check_of_the_first(
    github: FakeGitHub, server: AppServer
) -> None:
    """Branch protection goes by the newest run of that name at the commit."""
    repo = github.world.repositories["octo/hello"]
    repo.commit("lax", {".reviewbot.yml": "summary: false\nfail_on: never\n"})
    pull = repo.open_pull(BASE | ONE, whole=True, fork="mona", by="mona")
    await settle(server)
    assert conclusions(pull) == ["failure"]
    repo.open_pull(head=pull.head_sha, fork="mona", by="mona", base="lax")
    await settle(server)
    at_head = [run for run in repo.check_runs.values() if run.head_sha == pull.head_sha]
    assert max(at_head, key=lambda run: run.id).conclusion == "failure"


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


@pytest.mark.slow
async def test_a_stop_does_not_wait_behind_a_push_that_cannot_be_had(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    """A review runs, and costs; the push after it is tried for an hour and three quarters."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    asked = hanging(model)
    await server.deliver()
    await asked.wait()
    denied = faults.error("GET", "/contents/", 403, times=None)
    github.fail(denied)
    pull.push(TWO)
    await server.deliver()
    await until(lambda: bool(denied.hit))
    pull.comment("/review stop", by="octo")
    await server.deliver()
    await until(lambda: len(denied.hit) >= 4)  # three more tries
    answered = replies(pull)
    github.faults.clear()
    model.respond = find_marked  # the push is reviewed in the end: it was not what ran
    await settle(server)
    assert answered == ["Stopped 1 review."]


@pytest.mark.slow
async def test_installations_that_are_limited_for_long_hold_up_no_other(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    """Together they have more to do than a node does at once."""
    limited = [github.repository(f"busy{number}/app", BASE) for number in range(9)]
    quiet = github.repository("octo/quiet", BASE)
    for repository in (*limited, quiet):
        github.install(repository)
    github.fail(faults.secondary("*", "^/repos/busy", status=429, retry_after=600, times=10**9))
    async with app_server(github, model, tmp_path, pace=None) as server:
        waiting = [
            repository.open_pull(BASE | ONE, whole=True, branch=f"b{number}")
            for repository in limited
            for number in range(4)
        ]
        await server.deliver()
        await asyncio.sleep(1)  # they are at work
        pull = quiet.open_pull(BASE | ONE, whole=True)
        await server.deliver()
        async with asyncio.timeout(60):
            while conclusions(pull) != ["failure"]:  # noqa: ASYNC110 - nothing here could set an event
                await asyncio.sleep(1)
        github.faults.clear()
        await asyncio.sleep(600)
        await settle(server, 600)
    assert all(titles(one) == ["**error: Division by zero**"] for one in (*waiting, pull))


@pytest.mark.real_time
async def test_a_command_is_acknowledged_while_a_push_is_worked_off(
    github: FakeGitHub, server: AppServer
) -> None:
    github.rules.documented_reactions = False
    slow = faults.slow("GET", "/compare/", 2.0, times=1)
    github.fail(slow)
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.deliver()
    await until(lambda: bool(slow.hit))
    comment = pull.comment("/help", by="octo")
    await server.deliver()
    await until(lambda: bool(comment.reactions))
    assert replies(pull) == []
    await settle(server)
    assert len(replies(pull)) == 1


async def test_a_command_that_cannot_be_obeyed_is_answered_all_the_same(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    github.fail(faults.error("GET", "/compare/", 404, times=None))
    github.fail(faults.error("GET", "/pulls/1/files", 422, times=None))
    pull.comment("/review full", by="octo")
    pull.comment("/review full", by="mallory")
    await settle(server)
    [told] = replies(pull)
    assert told.startswith("This could not be done: GitHub refused GET")


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


async def test_stop_is_answered_with_what_it_did_although_the_answer_fails_at_first(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    asked = hanging(model)
    await server.deliver()
    await asked.wait()
    github.fail(faults.error("POST", "/issues/1/comments", 500, times=2))
    pull.comment("/review stop", by="octo")
    await settle(server)
    assert replies(pull) == ["Stopped 1 review."]


async def test_what_is_said_to_be_ignored_is_ignored(github: FakeGitHub, server: AppServer) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    found = pull.review_comments[0].body.split("findings=")[1][:16]
    theirs = pull.review_comment("app.py", 12, "What of this?", by="octo")
    pull.reply(theirs, f"/ignore {found}", by="octo")
    await settle(server)
    confirmed = any("is ignored from now on" in one for one in replies(pull))
    assert confirmed == (conclusions(pull)[-1] == "success")


async def test_ignoring_on_a_draft_begins_no_review_that_nobody_asked_for(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, draft=True)
    await settle(server)
    pull.comment("/ignore 0123456789abcdef", by="octo")
    await settle(server)
    assert model.requests == []


@pytest.mark.slow
async def test_ten_reviews_asked_for_in_a_row_end_in_one_result(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    for _ in range(10):
        pull.comment("/review", by="octo")
    await settle(server)
    assert titles(pull) == ["**error: Division by zero**"]
    latest = max(pull.repo.check_runs.values(), key=lambda run: run.id)
    assert latest.conclusion == "failure"


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
                contains=f"**warning: Bug {lines[place]}**".encode(),
                times=None,
            )
        )
    head = app(*(bug(number) for number in lines))
    pull = github.pull(base=BASE, head=BASE | head)
    await settle(server)
    assert len(titles(pull)) == 10 - sum(place < 10 for place in bad)


async def test_a_list_that_lags_behind_a_write_whose_answer_was_lost_doubles_nothing(
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


def lost_and_late(path: str, nothing: bytes, *, times: int) -> tuple[Fault, Fault]:
    """The answer to a POST is lost, and the list does not have what it made for some looks."""
    lost = faults.error_after("POST", path)

    class Late(Fault):
        def takes(self, request: Recorded) -> bool:
            return bool(lost.hit) and super().takes(request)

    json = {"content-type": "application/json"}
    return lost, Late("GET", path, 200, nothing, json, times=times)


@pytest.mark.parametrize(("looks", "runs"), [(1, 1), (2, 1), (3, 2)])
async def test_a_check_whose_making_was_not_told_of_does_not_go_on_for_ever(
    github: FakeGitHub, server: AppServer, looks: int, runs: int
) -> None:
    nothing = b'{"total_count":0,"check_runs":[]}'
    github.fail(*lost_and_late("/check-runs$", nothing, times=looks))
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    assert conclusions(pull) == ["failure"] * runs


@pytest.mark.parametrize("where", ["below", "thread"])
async def test_an_answer_that_was_not_told_of_is_given_once(
    github: FakeGitHub, server: AppServer, where: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    path = "/issues/1/comments$" if where == "below" else "/pulls/1/comments"
    github.fail(*lost_and_late(path, b"[]", times=2))
    if where == "below":
        pull.comment("/help", by="octo")
    else:
        pull.reply(pull.review_comments[0], "/help", by="octo")
    await settle(server)
    assert len(replies(pull)) == 1


async def test_links_that_a_repository_wants_none_of_are_not_made(
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


async def test_an_answer_that_may_not_be_given_holds_up_no_push(
    github: FakeGitHub, server: AppServer
) -> None:
    """The conversation is locked: GitHub refuses the answer, and will do so for hours."""
    pull = github.pull(base=BASE, head=BASE | app((10, "line_10 = 11")))
    await settle(server)
    pull.locked = True
    pull.repo.allow("hubot", "write")
    pull.comment("/help", by="hubot")
    pull.push(ONE)
    await server.deliver()
    for _ in range(100):
        await asyncio.sleep(0.05)
        if len(conclusions(pull)) > 1:
            break
    began = len(conclusions(pull))
    pull.locked = False
    await settle(server)
    assert began == 2


async def test_a_configuration_with_everything_that_the_app_heeds_is_heeded(
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


async def test_config_names_all_settings_of_the_file_that_are_heeded(
    github: FakeGitHub, server: AppServer
) -> None:
    base = BASE | {".reviewbot.yml": "summary: false\nlink_hosts: [example.com]\n"}
    pull = github.pull(base=base, head=base | ONE)
    await settle(server)
    pull.comment("/config", by="octo")
    await settle(server)
    assert "example.com" in replies(pull)[-1]
