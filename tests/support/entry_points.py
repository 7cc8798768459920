"""Every entry point that reviews, on the same change, with the same settings and model."""

from __future__ import annotations

import subprocess
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from reviewbot.action import report as action_report
from reviewbot.action import review as action_review
from reviewbot.config.load import read_settings
from reviewbot.config.settings import DEFAULT_MODEL, OFFLINE
from reviewbot.core.events.records import from_record
from reviewbot.core.events.report import counts_for_fail_on, fold
from reviewbot.eval import contestants
from reviewbot.eval.cases import Case
from reviewbot.eval.contestants import OwnReview
from reviewbot.lab import runs
from reviewbot.lab.subject import read_subject
from reviewbot.pipeline.run import run_review
from reviewbot.store.eventlog import records_of
from reviewbot.store.tables import REVIEWS
from tests.fake_github import FakeGitHub
from tests.github.action_runs import Runner
from tests.github.app_runs import app_server
from tests.in_process import parser
from tests.server.nodes import Node, follow, post
from tests.support.commands import run_linted_command
from tests.support.github_states import state_of
from tests.support.github_stories import check

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    import pytest
    import sqlalchemy as sa

    from reviewbot.config.settings import Settings
    from reviewbot.core.events.events import Event
    from reviewbot.core.events.report import Report
    from reviewbot.github.publish.publication import Published
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import PullRequest

CONFIG: Final = "summary: false\nfail_on: never\n"
IDENTITY: Final = ("-c", "user.name=t", "-c", "user.email=t@example.org")


@dataclass(frozen=True)
class Reviewed:
    """The result of a review.

    Attributes:
        outcome: the outcome.
        coverage: the status of each file, by path.
        findings: the open findings as ``severity rule path:lines side placement verification``, by
            id.
        lines: the places of the findings as ``path:line``.
    """

    outcome: str | None
    coverage: dict[str, str]
    findings: dict[str, str]
    lines: set[str]


def reviewed(report: Report) -> Reviewed:
    """Return the result that a report has."""
    return Reviewed(
        report.outcome,
        {file.path: file.status for file in report.coverage},
        {
            one.id: f"{one.severity} {one.rule} {one.path}:{one.line}-{one.end_line} {one.side}"
            f" {one.placement.kind}, held: {one.placement.held}, {one.verification}"
            for one in report.findings
        },
        {f"{one.path}:{one.line}" for one in report.findings},
    )


@dataclass
class Change:
    """A change between two trees, its model, and a folder to work in.

    Attributes:
        base: files of the base, the configuration among them.
        head: files of the head.
        folder: an empty folder.
        model: the server of the scripted model.
        offline: whether the offline rules review instead.
        monkeypatch: to observe results that an entry point keeps in memory.
    """

    base: Mapping[str, str]
    head: Mapping[str, str]
    folder: Path
    model: FakeAnthropic
    offline: bool
    monkeypatch: pytest.MonkeyPatch

    @property
    def variables(self) -> dict[str, str]:
        """The variables that name the model."""
        if self.offline:
            return {"REVIEWBOT_MODEL": OFFLINE}
        return {"ANTHROPIC_API_KEY": self.model.key, "ANTHROPIC_BASE_URL": self.model.base_url}

    @property
    def repository(self) -> Path:
        """A repository with the base and the head as its two commits."""
        folder = self.folder / "clones" / "hello"
        if not folder.exists():
            folder.mkdir(parents=True)
            self._git("init", "--quiet", "-b", "main")
            for tree in (self.base, self.head):
                for path, text in tree.items():
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    (folder / path).write_text(text)
                self._git("add", "--all", "--force")
                self._git("commit", "--quiet", "-m", "A change")
        return folder

    @property
    def diff(self) -> bytes:
        """The diff as git writes it, with three lines of context."""
        return self._git("diff", "HEAD~1", "HEAD")

    def commit(self, name: str) -> str:
        return self._git("rev-parse", name).decode().strip()

    def _git(self, *arguments: str) -> bytes:
        folder = self.folder / "clones" / "hello" if arguments[0] == "init" else self.repository
        command = ["git", "-C", str(folder), *IDENTITY, *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def settings(self) -> Settings:
        """Return the settings of an entry point that runs in this process."""
        state = {"REVIEWBOT_STATE_DIR": str(self.folder / "state")}
        return read_settings({}, cwd=self.repository, env={**state, **self.variables})

    @asynccontextmanager
    async def pull(
        self, *, installed: bool = False
    ) -> AsyncIterator[tuple[FakeGitHub, PullRequest]]:
        """Open a pull request with this change, in a repository with the App if ``installed``."""
        async with FakeGitHub() as github:
            if installed:
                github.install(github.repository("octo/hello", dict(self.base)))
            yield github, github.pull(dict(self.base), dict(self.head))
            check(github)


async def command(change: Change, *arguments: str, **more: str) -> Reviewed:
    variables = {**change.variables, **more}
    review = ("review", "--format", "ndjson", *arguments)
    done = await run_linted_command(change.repository, *review, **variables)
    assert done.code == 0, done.err
    return reviewed(fold(map(from_record, done.events)))


async def review_of_commits(change: Change) -> Reviewed:
    return await command(change, "HEAD~1..HEAD")


async def review_of_pull_request(change: Change) -> Reviewed:
    async with change.pull() as (github, pull):
        token = github.token(pull.repo).value
        access = {"GITHUB_API_URL": github.url, "GITHUB_TOKEN": token}
        return await command(change, "--pr", "octo/hello#1", **access)


async def review_of_diff_file(change: Change) -> Reviewed:
    path = change.folder / "change.diff"
    path.write_bytes(change.diff)
    return await command(change, str(path))


async def action(change: Change) -> Reviewed:
    reports = []

    def read_along(published: Published, *arguments: Any, **options: Any) -> int:
        reports.append(published.report)
        return action_report.write_report(published, *arguments, **options)

    change.monkeypatch.setattr(action_review, "write_report", read_along)
    folder = change.folder / "action"
    folder.mkdir()
    async with change.pull() as (github, pull):
        inputs = {"model": OFFLINE} if change.offline else {}
        run = await Runner(github, change.model, folder).run(pull, **inputs)
        assert run.code == 0
        assert run.sarif is not None
        (report,) = reports
        assert {one.id for one in state_of(pull).records} == {one.id for one in report.findings}
    return reviewed(report)


async def app(change: Change) -> Reviewed:
    folder = change.folder / "app"
    folder.mkdir()
    name = OFFLINE if change.offline else DEFAULT_MODEL
    async with (
        change.pull(installed=True) as (github, pull),
        app_server(github, change.model, folder, REVIEWBOT_MODEL=name) as server,
    ):
        server.look_every_s = 0.02
        await server.settle()

        def read(connection: sa.Connection) -> list[dict[str, Any]]:
            (review_id,) = connection.scalars(REVIEWS.select().with_only_columns(REVIEWS.c.id))
            return records_of(connection, review_id)

        report = fold(map(from_record, await server.service.database.read(read)))
        assert {one.id for one in state_of(pull).records} == {one.id for one in report.findings}
    return reviewed(report)


async def evaluation(change: Change, repositories: Path | None = None) -> Reviewed:
    events: list[Event] = []

    async def read_along(*arguments: Any, **options: Any) -> AsyncIterator[Event]:
        async for event in run_review(*arguments, **options):
            events.append(event)
            yield event

    change.monkeypatch.setattr(contestants, "run_review", read_along)
    case = Case(
        "hello",
        change.diff.decode(),
        repository="octo/hello",
        base=change.commit("HEAD~1"),
        head=change.commit("HEAD"),
    )
    contestant = OwnReview("reviewbot", change.settings(), parser(), repositories)
    result = await contestant.review(case, 1)
    report = fold(events)
    counted = {
        finding.id
        for finding in report.findings
        if counts_for_fail_on(finding) and finding.severity != "note"
    }
    assert {one.id for one in result.comments} == counted
    return reviewed(report)


async def evaluation_with_repositories(change: Change) -> Reviewed:
    return await evaluation(change, change.repository.parent)


async def server(change: Change) -> Reviewed:
    one = Node(change.folder / "server", (), change.variables, CONFIG, linters=True)
    await one.start()
    try:
        records = await follow(one, await post(one, change.diff))
    finally:
        await one.kill()
    return reviewed(fold(map(from_record, records)))


async def lab(change: Change) -> Reviewed:
    subject = read_subject(change.diff, change.settings(), name="change.diff")
    study = await (runs.review_offline if change.offline else runs.review_live)(subject)
    assert {step.finding.id for step in study.steps} == {one.id for one in study.report.findings}
    return reviewed(study.report)


EntryPoint: TypeAlias = "Callable[[Change], Awaitable[Reviewed]]"

WITH_FILES: Final[dict[str, EntryPoint]] = {
    "review A..B": review_of_commits,
    "review --pr": review_of_pull_request,
    "action": action,
    "app": app,
    "eval with repositories": evaluation_with_repositories,
}
"""Entry points that read the files of the change in full."""
DIFF_ALONE: Final[dict[str, EntryPoint]] = {
    "review FILE": review_of_diff_file,
    "POST /v1/reviews": server,
    "eval": evaluation,
    "lab": lab,
}
"""Entry points that have the diff alone."""
GITHUB: Final = ("action", "app")
"""Entry points that report on GitHub to others than the author of the change."""
