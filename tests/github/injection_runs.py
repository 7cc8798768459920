"""A case of the injection corpus played through the real thing: all that left us, to be looked at.

Every pull request has a bug that the model knows by its mark, beside what the case brings. Where
the case is what a model says, the model says it of another line.
"""

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
from reviewbot.cli.action_review import _signing
from reviewbot.core.numbered import parse_line
from reviewbot.errors import ReviewbotError
from reviewbot.github.client.pacing import Pace
from reviewbot.server.logs import TextLines
from reviewbot.store.tables import EVENTS
from tests.fake_anthropic import Answer, FakeAnthropic, StatusError, finding
from tests.fake_github import SUBMODULE, SYMLINK, Blob, FakeGitHub
from tests.github.action_runs import WRITES, Runner, find_marked
from tests.github.app_runs import app_server
from tests.github.injection_corpus import (
    MARKED_CODE,
    MARKED_FILE,
    MARKED_LINE,
    REFUSAL,
    SECRETS,
    Scene,
    written,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from pathlib import Path

    from reviewbot.core.numbered import NumberedLine
    from tests.fake_anthropic import Recorded as Request
    from tests.fake_anthropic import Reply
    from tests.fake_github import PullRequest, Recorded
    from tests.fake_github.git import Content
    from tests.github.app_runs import AppServer
    from tests.github.injection_corpus import Case

SAID_LINE: Final = 20
SAID_CODE: Final = "line_20 = float(given)"
ROLES: Final = {"triager": "triage", "reader": "read", "renovate[bot]": "write"}
_QUOTED: Final = ("code", "explained code", "removed code", "context", "heading", "symlink")
_MORE: Final = {"later.txt": "one more line\n"}
_MINUTE: Final = 60.0
_EXPLAINED: Final = ("question", "objection", "explained code", "model answer")
_LATER: Final = (
    *("comment", "reply", "thread", "review", "our comment", "our summary"),
    *_EXPLAINED,
)
_PUSHED: Final = (*_LATER, "code", "removed code", "context")
"""After these there is one more push: what stands is told of again."""
_APP: Final = [f"line_{number} = {number}" for number in range(1, 61)]
_BASE: Final = {MARKED_FILE: "\n".join(_APP) + "\n"}
_HEAD: Final = {
    MARKED_FILE: "\n".join(
        {MARKED_LINE: MARKED_CODE, SAID_LINE: SAID_CODE}.get(number, line)
        for number, line in enumerate(_APP, 1)
    )
    + "\n"
}


@dataclass(frozen=True)
class Asked:
    """A request to the model, and what the pull request was at that time."""

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


# --- What the case brings


def pull_of(case: Case, github: FakeGitHub, scene: Scene) -> PullRequest:
    """The pull request of a case, with all of it that is there from the beginning."""
    text = written(case.payload, scene)
    base: dict[str, Content] = dict(_BASE)
    head: dict[str, Content] = dict(_HEAD)
    more: dict[str, Any] = {"title": "A change", "by": case.by}
    github.world.user(case.by, "Bot" if case.by.endswith("[bot]") else "User")
    match case.enters:
        case "title" | "branch":
            more[case.enters] = text
        case "description":
            more["body"] = text
        case "path":
            head[text] = "odd = 1  # BUG warning In the odd file\n"
        case "old path":
            base[text] = "kept = 1\n" * 20
            head["renamed.py"] = "kept = 1\n" * 20 + "odd = 1  # BUG warning In the odd file\n"
        case "code" | "explained code":
            head[case.path] = text
        case "removed code":
            base[case.path] = f"first = 1\n{text}last = 1\n"
            head[case.path] = "first = 1\nlast = 1\n"
        case "context":
            base[case.path] = text
            head[case.path] = f"odd = 1  # BUG warning In the odd file\n{text}"
        case "surroundings":
            lines = text + "".join(f"step_{number} = {number}\n" for number in range(7))
            base[case.path] = lines
            head[case.path] = lines + "odd = 1  # BUG warning In the odd file\n"
        case "heading":
            lines = f"{text}\n" + "".join(f"    step_{number}()\n" for number in range(12))
            base[case.path] = lines
            head[case.path] = lines + "    odd = 1  # BUG warning In the odd file\n"
        case "symlink":
            head[case.path] = Blob(text.encode(), SYMLINK)
        case "submodule":
            head[case.path] = Blob(b"5" * 40, SUBMODULE)
        case "head config":
            head[".reviewbot.yml"] = text
        case "base config":
            base[".reviewbot.yml"] = text
        case "base branch":
            base[".reviewbot.yml"] = "no such setting: 1\n"
        case "head attributes":
            head[".gitattributes"] = text
        case "base attributes":
            base[".gitattributes"] = text
    head = base | head if case.enters != "removed code" else head
    if case.enters == "old path":
        del head[text]
    repo = github.repository("octo/hello", base)
    repo.commit(None, base, "Before", whole=True)
    for login, role in ROLES.items():
        github.world.user(login, "Bot" if login.endswith("[bot]") else "User")
        repo.allow(login, role)
    if case.enters == "base branch":
        repo.branches[text] = repo.tip
        more["base"] = text
    pull = repo.open_pull(head, whole=True, fork=case.by if case.fork else None, **more)
    if case.enters == "commit":
        pull.push(_MORE, text)
    now = written(case.payload, Scene(scene.thief, pull))
    if case.enters == "echo":
        pull.comment(now, by=case.by)
    if case.enters == "echo thread":
        pull.review_comment(MARKED_FILE, SAID_LINE, now, by=case.by)
    return pull


def answer(case: Case, scene: Scene) -> Callable[[Request], Reply]:
    """The model of a case: it finds what is marked, quotes odd files, and says what it was told."""
    kind, _, what = case.enters.partition(" ")
    text = written(case.payload, scene) if kind in ("model", "summary") else ""
    failed: list[Request] = []

    def respond(request: Request) -> Reply:
        if request.structured:
            return Answer(report=json.dumps(_summary(what, text) if kind == "summary" else _DULL))
        if what == "error":
            failed.append(request)
            if case.ends == "unable":
                return StatusError(400, text)
            if len(failed) == 1:
                return StatusError(529, text, retry_after=0.01)
        if request.tool is None:
            return Answer(call=False, preamble=text if what == "answer" else "It divides by zero.")
        if REFUSAL in request.text:
            return Answer(call=False, stop_reason="refusal")
        found = [*find_marked(request).findings, *_quoted(case, request)]
        if kind == "model" and what != "answer" and SAID_CODE in request.text:
            found.append(_said(what, text))
        more = {what: text} if what in ("preamble", "thinking") else {}
        return Answer(findings=found, **more)

    return respond


_DULL: Final = {"what": "It changes numbers.", "files": [], "look_at": [], "claim_mismatch": None}


def _summary(what: str, text: str) -> dict[str, Any]:
    said = {
        "what": {"what": text},
        "file": {"files": [{"path": MARKED_FILE, "summary": text}]},
        "path": {"files": [{"path": text, "summary": "It is new."}], "look_at": [text]},
        "claim": {"claim_mismatch": text},
    }
    return _DULL | said[what]


def _said(what: str, text: str) -> dict[str, Any]:
    """A finding on a line of its own, whose one field is what the model was told to say."""
    said: dict[str, Any] = {
        "path": MARKED_FILE,
        "quote": SAID_CODE,
        "line": SAID_LINE,
        "end_line": SAID_LINE,
        "severity": "warning",
        "title": "Said by the model",
        "scenario": "When it is given nothing, it fails.",
        "message": "Check it first.",
    }
    return finding(**said | ({what: text} if what not in ("preamble", "thinking", "error") else {}))


def _quoted(case: Case, request: Request) -> Iterator[dict[str, Any]]:
    """Findings that show the code that the case brings: once in its place, once beside the diff."""
    if case.enters not in _QUOTED:
        return
    side = "L" if case.enters == "removed code" else "R"
    lines = [line for line in _shown(request, case.path) if line.side == side][:4]
    if not lines:
        return
    quote = {
        "path": case.path,
        "quote": "\n".join(line.text for line in lines),
        "side": "LEFT" if side == "L" else "RIGHT",
        "line": lines[0].number,
        "end_line": lines[-1].number,
        "scenario": "When it is read, somebody obeys.",
        "message": "Take it out.",
        "severity": "warning",
    }
    yield finding(**quote, title="Quoted in its place")
    yield finding(**quote | {"quote": f"{quote['quote']}\nelsewhere"}, title="Quoted beside it")


def _shown(request: Request, path: str) -> Iterator[NumberedLine]:
    """The lines of a file that a request shows."""
    at = ""
    for line in request.text.split("\n"):
        if line.startswith('=== file "'):
            at, _ = json.JSONDecoder().raw_decode(line, len("=== file "))
        elif at == path and (shown := parse_line(line)) is not None:
            yield shown


def do_later(case: Case, pull: PullRequest, scene: Scene) -> Any:
    """What somebody writes when the first review is there; the comment, if it is one."""
    marked = next(one for one in pull.review_comments if "The marked bug" in one.body)
    summary = next(one for one in pull.comments if "kind=summary" in one.body)
    edited = {"our comment": marked, "our summary": summary}.get(case.enters)
    now = Scene(scene.thief, pull, edited.body if edited else "")
    text = written(case.payload, now)
    match case.enters:
        case "comment":
            return pull.comment(text, by=case.by)
        case "reply":
            return pull.reply(marked, text, by=case.by)
        case "question":
            return pull.reply(marked, f"/explain {text}", by="octo")
        case "explained code":
            there = next(one for one in pull.review_comments if one.thread.anchor.path == case.path)
            return pull.reply(there, "/explain", by="octo")
        case "objection" | "model answer":
            if case.enters == "objection":
                pull.reply(marked, text, by=case.by)
            return pull.reply(marked, "/explain", by="octo")
        case "thread":
            return pull.review_comment(MARKED_FILE, SAID_LINE, text, by=case.by)
        case "review":
            pull.review("COMMENT", text, by=case.by)
        case _:
            assert edited is not None
            edited.body = text
    return None


# --- By the Action


async def by_action(case: Case, folder: Path) -> Left:
    """The case, met by the Action."""
    async with _places(case) as (github, model, thief):
        pull = pull_of(case, github, thief.scene)
        runner = Runner(github, model, folder)
        granted = dict.fromkeys(WRITES, "read") if case.fork else WRITES
        runner.token = github.world.actions_token(pull.repo, granted)
        env = runner.environment(pull)
        left = Left("action", pull, _signing(read_inputs(env)), (model.key, runner.token.value))
        runner.event(pull)
        _label(case, folder, thief.scene)
        left.jobs.append(await _job(runner, env))
        _note(left, model)
        if case.enters in _LATER:
            before = _deeds(pull, model)
            comment = do_later(case, pull, thief.scene)
            if comment is not None:
                left.jobs.append(await _commented(runner, pull, comment, case))
            _note(left, model)
            left.deeds = _since(before, _deeds(pull, model), wanted=False)
        if case.enters in _PUSHED:
            pull.push(_MORE)
            runner.event(pull)
            left.jobs.append(await _job(runner, runner.environment(pull)))
            _note(left, model)
        return _gathered(left, case, github, thief)


async def _commented(runner: Runner, pull: PullRequest, comment: Any, case: Case) -> Job:
    event = "issue_comment" if case.enters == "comment" else "pull_request_review_comment"
    sender = comment.user
    runner.event(pull, event, "created", comment=comment, sender=sender)
    return await _job(runner, runner.environment(pull) | {"GITHUB_EVENT_NAME": event})


async def _job(runner: Runner, env: dict[str, str]) -> Job:
    """One run of the step, as ``reviewbot action`` runs it."""
    out, errors = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        try:
            code = await command.Action(read_inputs(env), pace=Pace(gap_s=0)).run()
        except ReviewbotError as error:
            command._tell_of_failure(error, env)
            code = entry._say(str(error), error.exit_code)
    files = [runner.folder / env[name] for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")]
    summary, outputs = (file.read_text(encoding="utf-8") for file in files)
    sarif = runner.folder / "reviewbot.sarif"
    document = json.loads(sarif.read_text(encoding="utf-8")) if sarif.exists() else None
    sarif.unlink(missing_ok=True)
    return Job(code, out.getvalue(), errors.getvalue(), summary, outputs, document)


def _label(case: Case, folder: Path, scene: Scene) -> None:
    """Put the label of a case on the event of a runner."""
    if case.enters == "label":
        event = json.loads((folder / "event.json").read_text())
        event["pull_request"]["labels"] = [{"name": written(case.payload, scene)}]
        (folder / "event.json").write_text(json.dumps(event))


# --- By the App


async def by_app(case: Case, folder: Path) -> Left:
    """The case, met by the App."""
    async with _places(case) as (github, model, thief):
        github.install(github.repository("octo/hello", _BASE))
        with _logged() as log:
            async with app_server(github, model, folder) as server:
                pull = pull_of(case, github, thief.scene)
                keys = (model.key, github.app.private_key)
                secrets = (github.app.webhook_secret or "",)
                left = Left("app", pull, secrets, keys)
                if case.enters == "label":
                    for one in github.postman.waiting:
                        label = {"name": written(case.payload, thief.scene)}
                        one.payload.get("pull_request", {})["labels"] = [label]
                await _settled(server, left, model)
                if case.enters == "base config":
                    pull.comment("/config", by="octo")
                    await _settled(server, left, model)
                if case.enters in _LATER:
                    before = _deeds(pull, model)
                    do_later(case, pull, thief.scene)
                    await _settled(server, left, model)
                    wanted = case.enters in _EXPLAINED
                    left.deeds = _since(before, _deeds(pull, model), wanted=wanted)
                if case.enters in _PUSHED:
                    pull.push(_MORE)
                    await _settled(server, left, model)
                left.events = await server.service.database.read(_events)
        left.logs = log.getvalue()
        tokens = [one.value for one in github.world.tokens.values()]
        left.own_secrets = (*left.own_secrets, *tokens)
        return _gathered(left, case, github, thief)


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
async def _places(case: Case) -> AsyncIterator[tuple[FakeGitHub, FakeAnthropic, Thief]]:
    def came(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        thief.visits += 1
        writer.close()

    server = await asyncio.start_server(came, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    thief = Thief(Scene(f"http://127.0.0.1:{port}"))
    async with server, FakeGitHub() as github, FakeAnthropic() as model:
        model.respond = answer(case, thief.scene)
        yield github, model, thief


def _note(left: Left, model: FakeAnthropic) -> None:
    """Keep what the model was asked since the last time."""
    pull = left.pull
    diff, files = pull.diff_text, pull.repo.files(pull.head_sha)
    config = pull.repo.files(pull.base_sha).get(".reviewbot.yml", b"").decode()
    new = model.requests[len(left.asked) :]
    left.asked += [Asked(request, diff, files, config) for request in new]


def _deeds(pull: PullRequest, model: FakeAnthropic) -> dict[str, int]:
    ours = [one for one in (*pull.comments, *pull.review_comments) if one.user.kind == "Bot"]
    every = (*pull.comments, *pull.review_comments)
    return {
        "requests to the model": len(model.requests),
        "check runs": len(pull.repo.check_runs),
        "replies": sum("kind=reply" in one.body for one in ours),
        "reactions": sum(len(one.reactions) for one in every),
        "hidden or resolved": sum(bool(one.minimized) for one in pull.review_comments)
        + sum(thread.resolved_by is not None for thread in pull.threads),
    }


def _since(before: dict[str, int], after: dict[str, int], *, wanted: bool) -> dict[str, int]:
    """What was done meanwhile, but for the one answer that somebody asked for who may."""
    done = {name: after[name] - before[name] for name in after}
    asked = ("requests to the model", "replies", "reactions") if wanted else ()
    return {name: number - (name in asked) for name, number in done.items()}


def _gathered(left: Left, case: Case, github: FakeGitHub, thief: Thief) -> Left:
    left.writes = [one for one in github.requests if one.method != "GET"]
    left.visits = thief.visits
    if case.enters == "model suggestion":
        left.suggested = (written(case.payload, thief.scene).strip("\n"),)
    return left


def planted(case: Case) -> tuple[str, ...]:
    """The secrets that a case brings."""
    known = {
        **SECRETS,
        # A line of the key is enough to know it by.
        "key": written("«privatekey»", Scene()).split("\n")[1],
    }
    whole = written(case.payload, Scene()).replace("\\", "").replace("&#103;", "g")
    return tuple(secret for secret in known.values() if secret in whole)
