"""Each kind of fault at each request of a story. Nothing twice or lost, all ended."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from reviewbot.errors import EXIT_INCOMPLETE, ReviewbotError
from reviewbot.store.tables import DELIVERIES, PUBLICATIONS
from tests.fake_anthropic import FakeAnthropic
from tests.fake_github import FakeGitHub, Fault, PullRequest, faults
from tests.github.action_runs import Runner, find_marked
from tests.github.app_runs import AppServer, app_server
from tests.github.test_action_stories import BASE, TWO, app
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fake_github import Recorded

NEXT = app(
    (10, "line_10 = 1"),
    (50, "line_50 = None  # BUG warning None is returned"),
    (30, "line_30 = 1 / 0  # BUG error Division by zero"),
)
LAST = {"app.py": NEXT["app.py"].replace("line_20 = 20", "line_20 = 21")}
LINKS = ("review-url", "summary-url")


@dataclass
class Nth(Fault):
    """The n-th request of all, whatever it is."""

    what: str = ""

    def takes(self, request: Recorded) -> bool:
        if not super().takes(request):
            return False
        self.what = self.what or request.key
        return True


PASSING = ("401", "429 bare", "500", "abuse", "drop", "primary", "secondary 60")
"""What the gateway waits out wherever it happens: each at every sixth request, for it takes its
time; together they are at all of them. The others are at every second one, or every fourth of the
Action, which has three pushes. ``EVERY=1`` takes them all."""


def kinds(now: float) -> dict[str, Callable[[], Fault]]:
    def like(made: Fault, **more: Any) -> Fault:
        values = {name: getattr(made, name) for name in Fault.__dataclass_fields__} | more
        values.pop("hit")
        return Nth(**values)

    return {
        "500": lambda: like(faults.error("*", "", 500)),
        "500 four times": lambda: like(faults.error("*", "", 500, times=4)),
        "502 after": lambda: like(faults.error_after("*", "")),
        "502 after twice": lambda: like(faults.error_after("*", "", times=2)),
        "drop": lambda: like(faults.drop("*", "")),
        "drop after": lambda: like(faults.drop("*", "", after=True)),
        "secondary 60": lambda: like(faults.secondary("*", "")),
        "429 bare": lambda: like(faults.secondary("*", "", status=429, retry_after=None)),
        "abuse": lambda: like(faults.abuse("*", "")),
        "primary": lambda: like(faults.primary("*", "", reset=now + 60)),
        "404": lambda: like(faults.error("*", "", 404)),
        "401": lambda: like(faults.error("*", "", 401)),
        "403": lambda: like(faults.error("*", "", 403)),
        "422": lambda: like(faults.error("*", "", 422)),
        "html 200": lambda: like(
            Fault("*", "", 200, b"<html>proxy</html>", {"content-type": "text/html"}, after=True)
        ),
    }


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


async def by_app(github: FakeGitHub, model: FakeAnthropic, folder: Path) -> dict[str, Any]:
    """The story of a pull request with the App; what is there in the end."""
    github.install(github.repository("octo/hello", BASE))
    async with app_server(github, model, folder) as server:
        pull = github.pull(base=BASE, head=BASE | TWO)
        await server.settle()
        pull.push(NEXT)
        await server.settle()
        pull.comment("/help", by="octo")
        await server.settle()
        return outcome(pull) | {"not done": await not_done(server)}


async def by_action(github: FakeGitHub, model: FakeAnthropic, folder: Path) -> dict[str, Any]:
    """The same with the Action; somebody runs a job again that did not end as it should."""
    pull = github.pull(base=BASE, head=BASE | TWO)
    runner = Runner(github, model, folder)
    jobs: list[int] = []
    links: list[dict[str, str]] = []
    for push in (None, NEXT, LAST):
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


async def once(story: str, kind: str | None, at: int) -> tuple[dict[str, Any], int, str]:
    async with FakeGitHub() as github, FakeAnthropic() as model:
        model.respond = find_marked
        with tempfile.TemporaryDirectory() as folder:
            fault = None
            if kind is not None:
                fault = kinds(github.clock.now())[kind]()
                fault.skip = at
                github.fail(fault)
            found = await STORIES[story](github, model, Path(folder))
            what = fault.what if isinstance(fault, Nth) else ""
            return found, len(github.requests), what


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("kind", sorted(kinds(0)))
@in_virtual_time
async def test_a_fault_at_any_request_loses_nothing_and_does_nothing_twice(
    kind: str, story: str
) -> None:
    wanted, requests, _ = await once(story, None, 0)
    wrong = []
    usual = 6 if kind in PASSING else 4 if story == "Action" else 2
    step = int(os.environ.get("EVERY", usual))
    first = sorted(kinds(0)).index(kind) % step
    for at in range(first, requests, step):
        try:
            found, _, what = await once(story, kind, at)
        except BaseException as error:  # noqa: BLE001
            wrong.append(f"{kind} at {at}: {type(error).__name__} {error}")
            continue
        if story == "Action":  # the check run of a job that failed
            found["runs"].discard(("completed", "failure", ()))
        different = {key: found[key] for key in wanted if found[key] != wanted[key]}
        if kind == "404" and what.endswith("/permission"):
            different.pop("replies", None)  # it says that the person is no collaborator
        if different:
            wrong.append(f"{kind} at {at}, {what}: {different}")
    assert not wrong, "\n".join([f"wanted {wanted}", *wrong])
