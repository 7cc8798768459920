"""Each kind of fault at each request of a story. Nothing twice or lost, all ended."""

from __future__ import annotations

import functools
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from unittest.mock import patch

import pytest
import sqlalchemy as sa

from reviewbot.errors import EXIT_INCOMPLETE, ReviewbotError
from reviewbot.github.app import poller
from reviewbot.store.tables import DELIVERIES, PUBLICATIONS
from tests.fake_anthropic import FakeAnthropic
from tests.fake_github import FakeGitHub, Fault, PullRequest, faults
from tests.github.action_runs import Runner, find_marked
from tests.github.app_runs import AppServer, app_server
from tests.support.examples import PROFILE
from tests.support.github_stories import BASE, TWO, app
from tests.virtual_time import run

if TYPE_CHECKING:
    from tests.fake_github import Recorded

NEXT = app(
    (10, "line_10 = 1"),
    (50, "line_50 = None  # BUG warning None is returned"),
    (30, "line_30 = 1 / 0  # BUG error Division by zero"),
)
LAST = {"app.py": NEXT["app.py"].replace("line_20 = 20", "line_20 = 21")}
LINKS = ("review-url", "summary-url")


PASSING = ("401", "429 bare", "500", "abuse", "drop", "primary", "secondary 60")
"""What the gateway waits out wherever it happens: a story meets some, far enough from each other
that no limit is met again before it has ended. All stories together have one at every request."""
APART = 12
"""So many requests are between two of those."""
AFTER = ("502 after", "502 after twice", "drop after")
"""What differs from ``500`` and ``drop`` for requests that write. Each is tried at every second of
them, and in the other story at those between."""
BEFORE = ("403", "404", "422", "500 four times", "html 200")
"""Each is tried at every tenth request; the other story tries it one request later."""
EVERY = PROFILE == "nightly"
"""Whether each kind, of those that pass too, is tried alone at every request."""


def kinds(now: float) -> dict[str, Callable[[], Fault]]:
    return {
        "500": lambda: faults.error("*", "", 500),
        "500 four times": lambda: faults.error("*", "", 500, times=4),
        "502 after": lambda: faults.error_after("*", ""),
        "502 after twice": lambda: faults.error_after("*", "", times=2),
        "drop": lambda: faults.drop("*", ""),
        "drop after": lambda: faults.drop("*", "", after=True),
        "secondary 60": lambda: faults.secondary("*", ""),
        "429 bare": lambda: faults.secondary("*", "", status=429, retry_after=None),
        "abuse": lambda: faults.abuse("*", ""),
        "primary": lambda: faults.primary("*", "", reset=now + 60),
        "404": lambda: faults.error("*", "", 404),
        "401": lambda: faults.error("*", "", 401),
        "403": lambda: faults.error("*", "", 403),
        "422": lambda: faults.error("*", "", 422),
        "html 200": lambda: Fault(
            "*", "", 200, b"<html>proxy</html>", {"content-type": "text/html"}, after=True
        ),
    }


_UNCERTAIN = re.compile(r"/hook/deliveries$|/git/(?:trees|blobs)/")
"""Requests that may be missing after a fault: the backfill comes by the clock, and a question about
open findings is left out if their code cannot be read."""

Part: TypeAlias = Sequence[tuple[str, int]]
"""Faults of a part of a story: kinds, each at the n-th request of that part, in this order."""


@dataclass
class Parts:
    """The parts of a story, each with its faults: what one part leaves is settled before the next.

    ``requests`` are those of each part; ``hit`` the faults that a request met.
    """

    github: FakeGitHub
    plan: Sequence[Part]
    _begun: list[int] = field(default_factory=list)
    _armed: list[tuple[str, Fault]] = field(default_factory=list)
    _past: list[tuple[str, Fault]] = field(default_factory=list)

    def begin(self) -> None:
        """Have the next part begin. Faults that the last one did not meet are over."""
        for _, fault in self._armed:
            fault.times = 0
        self._past += self._armed
        made = kinds(self.github.clock.now())
        part = self.plan[len(self._begun)] if len(self._begun) < len(self.plan) else ()
        # A request that one fault takes is not counted by those after it: its repetition is.
        self._armed = [(kind, made[kind]()) for kind, _ in part]
        for (_, fault), (_, at) in zip(self._armed, part, strict=True):
            fault.skip = at
            self.github.fail(fault)
        self._begun.append(len(self.github.requests))

    @property
    def requests(self) -> list[list[Recorded]]:
        every = self.github.requests
        ends = [*self._begun[1:], len(every)]
        return [every[first:end] for first, end in zip(self._begun, ends, strict=True)]

    @property
    def hit(self) -> list[tuple[str, str]]:
        every = self._past + self._armed
        return [(kind, fault.hit[0].key) for kind, fault in every if fault.hit]


def _writes(request: Recorded) -> bool:
    if request.path.endswith("/graphql"):
        return "mutation" in request.body["query"]
    return request.method != "GET"


async def not_done(server: AppServer) -> list[str]:
    def rows(connection: sa.Connection) -> list[str]:
        found = []
        for table in (DELIVERIES, PUBLICATIONS):
            found += [
                f"{table.name} {row.state}: {row.reason}"
                for row in connection.execute(sa.select(table.c.state, table.c.reason))
                if row.state != "done"
            ]
        return found

    return await server.service.database.read(rows)


def outcome(pull: PullRequest) -> dict[str, Any]:
    bodies = [one.body for one in pull.review_comments if one.in_reply_to is None]
    summaries = [one.body for one in pull.comments if "kind=summary" in one.body]
    return {
        "titles": sorted(body.split("\n")[0] for body in bodies),
        "ids": max(Counter(body.split("findings=")[1][:16] for body in bodies).values(), default=0),
        "summaries": [(f"head={pull.head_sha}" in body, body.split("\n")[0]) for body in summaries],
        "replies": sum("kind=reply" in one.body for one in pull.comments),
        "runs": {
            (
                run.status,
                run.conclusion,
                tuple(sorted(one["start_line"] for one in run.annotations)),
            )
            for run in pull.repo.check_runs.values()
        },
        "fixed": [
            bool(one.comments[0].minimized or one.resolved_by or one.comments[1:])
            for one in pull.threads
        ],
    }


async def by_app(
    github: FakeGitHub, model: FakeAnthropic, folder: Path, begin: Callable[[], None]
) -> dict[str, Any]:
    """The story of a pull request with the App; what is there in the end."""
    github.install(github.repository("octo/hello", BASE))
    # It waits long for limits, and each look at the database meanwhile takes real time.
    with patch.object(poller, "POLL_S", 20.0):
        async with app_server(github, model, folder) as server:
            server.look_every_s = 20.0
            begin()
            pull = github.pull(base=BASE, head=BASE | TWO)
            await server.settle()
            begin()
            pull.push(NEXT)
            await server.settle()
            begin()
            pull.comment("/help", by="octo")
            await server.settle()
            return outcome(pull) | {"not done": await not_done(server)}


async def by_action(
    github: FakeGitHub, model: FakeAnthropic, folder: Path, begin: Callable[[], None]
) -> dict[str, Any]:
    """The same with the Action; somebody runs a job again that did not end as it should."""
    pull = github.pull(base=BASE, head=BASE | TWO)
    runner = Runner(github, model, folder)
    jobs: list[int] = []
    links: list[dict[str, str]] = []
    for push in (None, NEXT, LAST):
        begin()
        if push is not None:
            pull.push(push)
        runner.event(pull)
        env = runner.environment(pull, fail_on="warning")
        links.append({})
        for attempt in range(1, 6):
            code = await job(runner, env | {"GITHUB_RUN_ATTEMPT": str(attempt)}, links[-1])
            if code != EXIT_INCOMPLETE:
                jobs.append(code)
                break
    reviews = [f"#pullrequestreview-{one.id}" for one in pull.reviews if one.body]
    ends = [
        one.get("review-url", "").rpartition("/")[2].removeprefix(f"{pull.number}") for one in links
    ]
    return outcome(pull) | {
        "jobs": jobs,
        "links": [sorted(one) for one in links],
        "reviews": [reviews.index(end) if end else None for end in ends],
    }


async def job(runner: Runner, env: dict[str, str], links: dict[str, str]) -> int:
    """An attempt: its exit code. ``links`` gets what it leads to."""
    try:
        run = await runner.step(env)
    except ReviewbotError:  # as the command line does
        return EXIT_INCOMPLETE
    links |= {name: run.outputs[name] for name in LINKS if run.outputs.get(name)}
    return run.code


STORIES = {"App": by_app, "Action": by_action}


async def once(story: str, plan: Sequence[Part]) -> tuple[dict[str, Any], Parts]:
    async with FakeGitHub() as github, FakeAnthropic() as model:
        model.respond = find_marked
        with tempfile.TemporaryDirectory() as folder:
            parts = Parts(github, plan)
            return await STORIES[story](github, model, Path(folder), parts.begin), parts


@functools.cache
def wanted(story: str) -> tuple[dict[str, Any], list[list[Recorded]]]:
    """Return the end without any fault, and the requests of each part."""
    found, parts = run(once(story, ()))
    return found, parts.requests


def different(story: str, plan: Sequence[Part], *, least_met: int = 0) -> str:
    """Return the differences that these faults make; empty if all is well.

    Args:
        story: the name of the story.
        plan: the faults of each part.
        least_met: how many of the faults must meet a request.
    """
    right, _ = wanted(story)
    try:
        found, parts = run(once(story, plan))
    except BaseException as error:  # noqa: BLE001
        return f"{plan}: {type(error).__name__} {error}"
    if story == "Action":  # the check run of a job that failed
        found["runs"] -= {("completed", "failure", ())} - right["runs"]
    wrong = {key: found[key] for key in right if found[key] != right[key]}
    if any(kind == "404" and what.endswith("/permission") for kind, what in parts.hit):
        wrong.pop("replies", None)  # it says that the person is no collaborator
    if len(parts.hit) < least_met:
        wrong["faults"] = f"{len(parts.hit)} of {least_met} met a request"
    return f"{plan}, {parts.hit}: {wrong}" if wrong else ""


def places(story: str, kind: str, requests: list[Recorded]) -> list[int]:
    """Return at which requests of a part to try a fault of ``kind``."""
    if EVERY:
        return list(range(len(requests)))
    number = list(STORIES).index(story)
    if kind in AFTER:
        writes = [at for at, one in enumerate(requests) if _writes(one)]
        return writes[(AFTER.index(kind) + number) % 2 :: 2]
    return list(range(2 * BEFORE.index(kind) + number, len(requests), 2 * len(BEFORE)))


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("kind", sorted(kinds(0)) if EVERY else (*AFTER, *BEFORE))
def test_a_fault_at_any_request_loses_nothing_and_does_nothing_twice(kind: str, story: str) -> None:
    right, requests = wanted(story)
    each = [[((kind, at),) for at in places(story, kind, part)] for part in requests]
    found = [different(story, plan) for plan in zip_longest(*each, fillvalue=())]
    wrong = list(filter(None, found))
    assert not wrong, "\n".join([f"wanted {right}", *wrong])


@pytest.mark.sample(2)
@pytest.mark.parametrize("first", range(APART))
@pytest.mark.parametrize("story", STORIES)
def test_some_faults_that_pass_lose_nothing_and_do_nothing_twice(story: str, first: int) -> None:
    right, requests = wanted(story)
    plan = [
        [(PASSING[at % len(PASSING)], at) for at in range(first, len(part), APART)]
        for part in requests
    ]
    certain = [sum(not _UNCERTAIN.search(one.path) for one in part) for part in requests]
    met = [at < most for part, most in zip(plan, certain, strict=True) for _, at in part]
    wrong = different(story, plan, least_met=sum(met))
    assert not wrong, f"wanted {right}\n{wrong}"
