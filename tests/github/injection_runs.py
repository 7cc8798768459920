"""A case of the injection corpus, played through the real thing: all that left us."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from reviewbot.action.inputs import read_inputs
from reviewbot.cli import action as command
from reviewbot.cli import main as entry
from reviewbot.errors import ReviewbotError
from reviewbot.github.client.rate_limit import Pace
from reviewbot.server.telemetry.logs import TextLines
from reviewbot.store.tables import EVENTS
from tests.fake_anthropic import FakeAnthropic
from tests.fake_github import FakeGitHub
from tests.github.action_runs import WRITES, Runner
from tests.github.app_runs import app_server
from tests.github.injection_corpus import Scene, written
from tests.github.injection_model import answer, verify
from tests.github.injection_scene import (
    AUTHORS,
    BASE,
    EXPLAINED,
    LATER,
    PUSHED,
    REPLIED,
    TOLD,
    do_later,
    pull_of,
    pushed,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from tests.fake_anthropic import Recorded as Request
    from tests.fake_github import PullRequest, Recorded
    from tests.fake_github.comments import IssueComment, ReviewComment
    from tests.github.app_runs import AppServer
    from tests.github.injection_corpus import Case

_MINUTE: Final = 60.0
CLONE_BYTES: Final = 1_000_000
_REQUESTS: Final = "requests to the model"
_ANSWER: Final = ("replies", "reactions")


@dataclass(frozen=True)
class Asked:
    """A request to the model, and what the pull request was at that time.

    ``files`` are those of its head, ``config`` is the configuration file of its base,
    followed by its guideline file.
    """

    request: Request
    diff: bytes
    files: Mapping[str, bytes]
    config: str


@dataclass(frozen=True)
class Job:
    """What one job of a workflow left."""

    code: int
    log: str
    errors: str
    summary: str
    outputs: str
    sarif: Any


@dataclass
class Left:
    """All that left us, by which way it did; ``deeds`` is what came of a comment."""

    way: str
    pull: PullRequest
    marker_secrets: tuple[str, ...]
    own_secrets: tuple[str, ...]
    writes: list[Recorded] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    logs: str = ""
    suggested: tuple[str, ...] = ()
    visits: int = 0
    deeds: dict[str, int] = field(default_factory=dict)


# --- By the Action


async def by_action(case: Case, folder: Path) -> Left:
    """The case, met by the Action."""
    async with places(case) as (github, model, thief):
        pull = pull_of(case, github, thief.scene)
        runner = Runner(github, model, folder)
        granted = dict.fromkeys(WRITES, "read") if case.fork else WRITES
        runner.token = github.world.actions_token(pull.repo, granted)
        env = runner.environment(pull)
        if case.enters == "looked-up code":  # with a folder for the checkout, there is a clone
            env["GITHUB_WORKSPACE"] = str(folder / "workspace")
        left = Left("action", pull, read_inputs(env).signing, (model.key, runner.token.value))
        runner.event(pull)
        _label_event(case, folder, thief.scene)
        left.jobs.append(await _job(runner, env))
        _note(left, model)
        if case.enters in LATER:
            before = _deeds(pull, model)
            comment = do_later(case, pull, thief.scene)
            if comment is not None:
                left.jobs.append(await _commented(runner, pull, comment))
            _note(left, model)
            wanted = case.enters in EXPLAINED and not case.fork
            left.deeds = _since(before, _deeds(pull, model), case, wanted=wanted)
        if case.enters in PUSHED:
            pull.push(pushed(case, thief.scene))
            runner.event(pull)
            left.jobs.append(await _job(runner, runner.environment(pull)))
            _note(left, model)
        return _gathered(left, case, github, thief)


async def _commented(
    runner: Runner, pull: PullRequest, comment: IssueComment | ReviewComment
) -> Job:
    """The job of a comment."""
    event = "pull_request_review_comment" if hasattr(comment, "in_reply_to") else "issue_comment"
    runner.event(pull, event, "created", comment=comment, sender=comment.user)
    return await _job(runner, runner.environment(pull) | {"GITHUB_EVENT_NAME": event})


async def _job(runner: Runner, env: dict[str, str]) -> Job:
    """One run of the step, as ``reviewbot action`` runs it."""
    out, errors = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        try:
            code = await command.Action(read_inputs(env), pace=Pace(gap_s=0)).run()
        except ReviewbotError as error:
            command._report_failure(error, env)
            code = entry._say(str(error), error.exit_code)
    files = [runner.folder / env[name] for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")]
    summary, outputs = (file.read_text(encoding="utf-8") for file in files)
    sarif = runner.folder / "reviewbot.sarif"
    text = sarif.read_text(encoding="utf-8") if sarif.exists() else ""
    sarif.unlink(missing_ok=True)
    document = json.loads(text) if text else None
    return Job(code, out.getvalue(), errors.getvalue(), summary, outputs, document)


def _label_event(case: Case, folder: Path, scene: Scene) -> None:
    """Put the label of a case on the event of a runner."""
    if case.enters == "label":
        event = json.loads((folder / "event.json").read_text())
        event["pull_request"]["labels"] = [{"name": written(case.payload, scene)}]
        (folder / "event.json").write_text(json.dumps(event))


# --- By the App


async def by_app(case: Case, folder: Path) -> Left:
    """The case, met by the App."""
    async with places(case) as (github, model, thief):
        github.install(github.repository("octo/hello", BASE))
        github.rules.documented_reactions = False
        with _logged() as log:
            # Only a clone can be searched.
            clone_bytes = CLONE_BYTES if case.enters == "looked-up code" else 0
            async with app_server(
                github, model, folder, clone_bytes=clone_bytes, verify=True
            ) as server:
                pull = pull_of(case, github, thief.scene)
                left = Left("app", pull, (github.app.webhook_secret or "",), ())
                _label_deliveries(case, github, thief.scene)
                await _settled(server, left, model)
                if case.enters == "base config":
                    pull.comment("/config", by="octo")
                    for comment in pull.review_comments[:1]:
                        pull.reply(comment, "/explain", by="octo")
                    await _settled(server, left, model)
                if case.enters in LATER:
                    before = _deeds(pull, model)
                    do_later(case, pull, thief.scene)
                    await _settled(server, left, model)
                    wanted = case.enters in EXPLAINED
                    left.deeds = _since(before, _deeds(pull, model), case, wanted=wanted)
                if case.enters in PUSHED:
                    pull.push(pushed(case, thief.scene))
                    await _settled(server, left, model)
                left.events = await server.service.database.read(_events)
        left.logs = log.getvalue()
        tokens = [one.value for one in github.world.tokens.values()]
        left.own_secrets = (model.key, github.app.private_key, *tokens)
        return _gathered(left, case, github, thief)


def _label_deliveries(case: Case, github: FakeGitHub, scene: Scene) -> None:
    """Put the label of a case on what is to be delivered."""
    if case.enters == "label":
        label = {"name": written(case.payload, scene)}
        for delivery in github.postman.waiting:
            delivery.payload.get("pull_request", {})["labels"] = [label]


async def _settled(server: AppServer, left: Left, model: FakeAnthropic) -> None:
    async with asyncio.timeout(_MINUTE):
        await server.settle()
    _note(left, model)


def _events(connection: sa.Connection) -> list[dict[str, Any]]:
    rows = connection.execute(sa.select(EVENTS.c.data).order_by(EVENTS.c.review_id, EVENTS.c.seq))
    return [json.loads(data) for (data,) in rows]


@contextmanager
def _logged() -> Iterator[StringIO]:
    """Keeps what a server logs, as it writes it for people."""
    text, own, root = StringIO(), logging.getLogger("reviewbot"), logging.getLogger()
    handler, level = logging.StreamHandler(text), own.level
    handler.setFormatter(TextLines())
    own.setLevel(logging.DEBUG)
    root.addHandler(handler)
    try:
        yield text
    finally:
        root.removeHandler(handler)
        own.setLevel(level)


# --- What both share


@dataclass
class Thief:
    """A server that nobody should ever ask for anything."""

    scene: Scene
    visits: int = 0


@asynccontextmanager
async def places(case: Case) -> AsyncIterator[tuple[FakeGitHub, FakeAnthropic, Thief]]:
    """GitHub, the model of the case, and a thief."""

    def came(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        thief.visits += 1
        writer.close()

    server = await asyncio.start_server(came, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    thief = Thief(Scene(f"http://127.0.0.1:{port}"))
    async with server, FakeGitHub() as github, FakeAnthropic() as model:
        model.respond, model.verify = answer(case, thief.scene), verify(case)
        yield github, model, thief


def _note(left: Left, model: FakeAnthropic) -> None:
    """Keep what the model was asked since the last time."""
    pull = left.pull
    diff, files = pull.diff_text, pull.repo.files(pull.head_sha)
    base = pull.repo.files(pull.base_sha)
    config = "\n".join(base.get(name, b"").decode() for name in (".reviewbot.yml", "AGENTS.md"))
    known = {id(one.request) for one in left.asked}
    new = (one for one in (*model.requests, *model.verifications) if id(one) not in known)
    left.asked += [Asked(request, diff, files, config) for request in new]


def _deeds(pull: PullRequest, model: FakeAnthropic) -> dict[str, int]:
    every = [*pull.comments, *pull.review_comments]
    ours = [one.body for one in every if one.user.kind == "Bot"]
    settled = [thread for thread in pull.threads if thread.resolved_by is not None]
    return {
        _REQUESTS: len(model.requests),
        "check runs": len(pull.repo.check_runs),
        "replies": sum("kind=reply" in body for body in ours),
        "reactions": sum(len(one.reactions) for one in every),
        "hidden or resolved": sum(bool(one.minimized) for one in every) + len(settled),
    }


def _since(
    before: dict[str, int], after: dict[str, int], case: Case, *, wanted: bool
) -> dict[str, int]:
    """What was done meanwhile, but for what may come of a comment.

    If it is ``wanted``, somebody who may asks, and gets one answer. The author of the change gets
    one answer at most: to a command what authors may do, to a reply to a finding the model's.
    """
    deeds = {name: number - before[name] for name, number in after.items()}
    if wanted:
        deeds |= {name: deeds[name] - 1 for name in (_REQUESTS, *_ANSWER)}
    if case.by in AUTHORS and case.enters in TOLD:
        names = (_REQUESTS, *_ANSWER) if case.enters in REPLIED else _ANSWER
        deeds |= {name: deeds[name] - (deeds[name] > 0) for name in names}
    return deeds


def _gathered(left: Left, case: Case, github: FakeGitHub, thief: Thief) -> Left:
    left.writes = [one for one in github.requests if one.method != "GET"]
    left.visits = thief.visits
    if case.enters == "model suggestion":
        left.suggested = (written(case.payload, thief.scene).strip("\n"),)
    return left
