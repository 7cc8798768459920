"""Runs of the Action in tests: a runner's environment, GitHub, a model that finds marked lines."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reviewbot.action.inputs import read_inputs
from reviewbot.cli.action import Action
from reviewbot.core.diff.numbered_line import parse_line
from reviewbot.github.client.rate_limit import Pace
from reviewbot.github.identity import PullName
from tests.fake_anthropic import Answer, FakeAnthropic, Hang, Script, finding

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fake_anthropic import Recorded, Reply
    from tests.fake_github import FakeGitHub, PullRequest
    from tests.fake_github.people import Token

CONFIG = {".reviewbot.yml": "summary: false\n"}
"""Of the base: the model is asked for findings alone."""
WRITES = {
    "actions": "read",
    "contents": "read",
    "pull_requests": "write",
    "checks": "write",
    "issues": "write",
}
_FILE = re.compile(r'=== file ("(?:[^"\\]|\\.)*")')
_MARK = re.compile(r"BUG (error|warning|note) (.+)")


def find_marked(request: Recorded) -> Answer:
    """What a model finds that knows a bug by ``BUG error Title`` in a line of the new file."""
    found: list[dict[str, Any]] = []
    path = ""
    for line in request.text.split("\n"):
        if heading := _FILE.match(line):
            path = json.loads(heading[1])
        shown = parse_line(line)
        mark = _MARK.search(shown.text) if shown and shown.side == "R" else None
        if shown and mark:
            found.append(
                finding(
                    path=path,
                    quote=shown.text,
                    line=shown.number,
                    end_line=shown.number,
                    severity=mark[1],
                    title=mark[2],
                    scenario=f"When it runs, {mark[2].lower()} happens.",
                    message="Change this line.",
                )
            )
    return Answer(findings=found)


def hanging(
    model: FakeAnthropic, *, then: Callable[[Recorded], Reply] | None = None
) -> asyncio.Event:
    """Have requests to the model never end: the first only, if ``then`` answers the others.

    Returns:
        What is set once it was asked.
    """
    asked = asyncio.Event()

    def hang(_: Recorded) -> Reply:
        asked.set()
        if then is not None:
            model.respond = then
        return Script([Hang()])

    model.respond = hang
    return asked


def bound_to(pull: PullRequest) -> str:
    """What the markers on a pull request are bound to."""
    return PullName(pull.repo.full_name, pull.number, pull.repo.id).bound


@dataclass(frozen=True)
class Run:
    """What a run left."""

    code: int
    outputs: dict[str, str]
    summary: str
    sarif: Any


@dataclass
class Runner:
    """A runner of one repository, whose jobs run the Action."""

    github: FakeGitHub
    model: FakeAnthropic
    folder: Path
    token: Token | None = None
    runs: int = 0

    def environment(self, pull: PullRequest, **inputs: str) -> dict[str, str]:
        """The variables of a step; ``inputs`` as ``fail_on="error"``."""
        self.runs += 1
        token = self.token or self.github.world.actions_token(pull.repo, WRITES)
        return {
            "ANTHROPIC_API_KEY": self.model.key,
            "ANTHROPIC_BASE_URL": self.model.base_url,
            "GITHUB_TOKEN": token.value,
            "GITHUB_API_URL": self.github.url,
            "GITHUB_REPOSITORY": pull.repo.full_name,
            "GITHUB_RUN_ID": str(1000 + self.runs),
            "GITHUB_OUTPUT": str(self.folder / f"output{self.runs}"),
            "GITHUB_STEP_SUMMARY": str(self.folder / f"summary{self.runs}"),
            "GITHUB_EVENT_PATH": str(self.folder / "event.json"),
            "GITHUB_EVENT_NAME": "pull_request",
            "RUNNER_TEMP": str(self.folder),
            "REVIEWBOT_STATE_DIR": str(self.folder),
            **{f"REVIEWBOT_ACTION_{name.upper()}": value for name, value in inputs.items()},
        }

    def event(
        self, pull: PullRequest, event: str = "pull_request", action: str = "", **about: Any
    ) -> None:
        """Write the file of an event."""
        payload = self.github.delivery(event, action or "synchronize", pull=pull, **about).payload
        payload.pop("installation", None)
        (self.folder / "event.json").write_text(json.dumps(payload))

    async def run(self, pull: PullRequest, **inputs: str) -> Run:
        """A job for a push to ``pull``."""
        self.event(pull)
        return await self.step(self.environment(pull, **inputs))

    async def step(self, env: dict[str, str]) -> Run:
        """The step in an environment, within this process."""
        code = await Action(read_inputs(env), pace=Pace(gap_s=0)).run()
        return Run(
            code,
            outputs_of((self.folder / env["GITHUB_OUTPUT"]).read_text()),
            (self.folder / env["GITHUB_STEP_SUMMARY"]).read_text(),
            json.loads((self.folder / "reviewbot.sarif").read_text())
            if (self.folder / "reviewbot.sarif").exists()
            else None,
        )


def outputs_of(text: str) -> dict[str, str]:
    """What a runner reads from the file of outputs."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, _, end = line.partition("<<")
        value: list[str] = []
        for part in lines:
            if part == end:
                break
            value.append(part)
        found[name] = "\n".join(value)
    return found
