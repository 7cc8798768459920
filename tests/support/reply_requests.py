"""Requests about replies, as the product sends them, and what it makes of their answers.

``python -m tests.support.reply_requests FILE.json`` reads a list of stories and prints the system
prompt and the user text of each, as JSON. A story has ``finding`` (``title``, ``text``, ``line``,
and optionally ``end_line``, ``side``, ``category``), ``diff`` (a git diff of one file) and
``thread`` (texts, of which the last is the reply; ``{"ours": TEXT}`` is a comment of reviewbot).

With ``--answer ANSWERS.json``, a list of inputs of the tool ``answer`` in the same order, it prints
for each story whether the check of a withdrawal would be asked, and what would be posted: if the
check agrees, and if it does not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reviewbot.code.running_code import running_code
from reviewbot.config.load import read_settings
from reviewbot.core.events.events import ReviewAnswer
from reviewbot.core.events.report import Report
from reviewbot.core.findings.finding import Evidence
from reviewbot.core.findings.verdicts import Verdict
from reviewbot.core.prompt.explanation import ThreadComment
from reviewbot.core.prompt.reply import FindingReply, redacted_reply, render_reply
from reviewbot.core.prompt.request import ModelRequest
from reviewbot.core.prompt.views import Views
from reviewbot.github.dialogue.answer import answer_text
from reviewbot.github.dialogue.look import AnswerPlace
from reviewbot.github.identity import PullName
from reviewbot.models.attempts import AttemptPolicy
from reviewbot.models.base import Stop, Stopped, ToolInput
from reviewbot.models.batch import BatchResult, BatchTask
from reviewbot.models.catalog import lookup
from reviewbot.models.exchange import Exchange
from reviewbot.models.replies import ReplyAnswerer
from reviewbot.pipeline.explain import prepare_explanation
from reviewbot.pipeline.lookups import lookup_files
from reviewbot.pipeline.workers import own_pool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from reviewbot.config.settings import Settings
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.models.base import ModelEvent
    from reviewbot.models.batch import BatchEvent, Emit, VerifyTask
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.models.offline.parser import Parser
    from reviewbot.pipeline.prepare import Prepared

MODEL = "claude-sonnet-5-5"
PLACE = AnswerPlace(
    pull=PullName("octo/hello", 1, 1),
    head="a" * 40,
    base="b" * 40,
    page="https://github.com/octo/hello",
    thread=1,
    node="",
    key="0123456789abcdef-1",
    path="",
    digest="0" * 16,
    whole_digest="0" * 16,
)


@dataclass(frozen=True)
class Story:
    """A reply, and the code that a model is shown."""

    reply: FindingReply
    prepared: Prepared
    settings: Settings
    views: Sequence[ChunkView]

    @classmethod
    def of(cls, given: dict[str, Any]) -> Story:
        """Return the story of an object of the file."""
        reply = _reply_of(given)
        env = {"ANTHROPIC_API_KEY": "none", "REVIEWBOT_STATE_DIR": tempfile.gettempdir()}
        settings = read_settings({"model": MODEL}, cwd=Path(tempfile.gettempdir()), env=env)
        prepared = prepare_explanation(given["diff"].encode(), settings, reply)
        views, _ = Views(prepared.job.files, lambda _: ()).of(prepared.job.plan.chunks)
        return cls(reply, prepared, settings, views)

    def request(self) -> dict[str, str]:
        """Return the request, without look-ups."""
        system, user = render_reply(redacted_reply(self.reply), self.views)
        return {"system": system, "user": user}

    async def posted(self, answer: object, parser: Parser) -> dict[str, Any]:
        """Return what would be posted after an answer of the model."""
        asked, texts = False, []
        for verdict in ("wrong", "cannot_tell"):
            check = Check(verdict)
            answerer = ReplyAnswerer(
                [Says(json.dumps(answer))],
                self.reply,
                Exchange(None),
                running_code(parser, lookup_files(self.prepared, self.settings, None)),
                verify=check,
                policy=AttemptPolicy(max_attempts=1),
            )
            task = BatchTask("b1", ModelRequest(tuple(self.views), ()))
            result = await answerer(task, ignore)
            said, asked = result.answer, check.asked
            shown = None
            if said is not None:
                shown = ReviewAnswer(said.text, said.model, said.complete, said.reply)
            reasons = tuple(outcome.reason or "" for outcome in result.outcomes)
            report = Report("answered" if shown else "incomplete", reasons, answer=shown)
            texts.append(answer_text(report, PLACE, ("github.com",)))
        agrees, disagrees = texts
        return {"asks_check": asked, "posts": agrees, "posts_if_check_disagrees": disagrees}


def _reply_of(given: dict[str, Any]) -> FindingReply:
    finding, (*earlier, last) = given["finding"], given["thread"]
    return FindingReply(
        id="0123456789abcdef",
        side=finding.get("side", "RIGHT"),
        line=finding["line"],
        end_line=finding.get("end_line", finding["line"]),
        category=finding.get("category", "bug"),
        severity="warning",
        title=finding["title"],
        finding=finding["text"],
        thread=tuple(
            ThreadComment(one["ours"], ours=True)
            if isinstance(one, dict)
            else ThreadComment(one, ours=False)
            for one in earlier
        ),
        question=last,
    )


class Says:
    """A model that calls the tool with a given input."""

    def __init__(self, text: str) -> None:
        self._text, self.info = text, lookup(MODEL)

    info: ModelInfo

    async def stream(
        self, request: ModelRequest, *, max_tokens: int
    ) -> AsyncGenerator[ModelEvent, None]:
        """Yield the call."""
        assert request.reply is not None
        assert max_tokens
        yield ToolInput(self._text)
        yield Stopped(Stop.COMPLETE)

    async def aclose(self) -> None:
        """Do nothing."""


class Check:
    """A check of withdrawals with a given verdict."""

    def __init__(self, verdict: str) -> None:
        self._verdict, self.asked = verdict, False

    async def __call__(self, task: VerifyTask, _emit: Emit) -> BatchResult:
        """Return the verdict, with the quoted code as its evidence."""
        self.asked = True
        [finding] = task.findings
        [quoted] = finding.rests_on
        evidence = Evidence(quoted.path, quoted.line, quoted.quote)
        verdict = Verdict(finding.id, self._verdict, "", evidence)  # type: ignore[arg-type]
        return BatchResult((), (), (), verdicts=(verdict,))


async def ignore(_event: BatchEvent) -> None:
    """Take an event."""


async def main(arguments: Sequence[str]) -> list[dict[str, Any]]:
    """Return what the command prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stories", type=Path)
    parser.add_argument("--answer", type=Path)
    given = parser.parse_args(arguments)
    stories = [Story.of(one) for one in json.loads(given.stories.read_text())]
    if given.answer is None:
        return [story.request() for story in stories]
    answers = json.loads(given.answer.read_text())
    async with own_pool() as pool:
        process = pool.for_tenant("local")
        pairs = zip(stories, answers, strict=True)
        return [await story.posted(answer, process) for story, answer in pairs]


if __name__ == "__main__":
    json.dump(asyncio.run(main(sys.argv[1:])), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
