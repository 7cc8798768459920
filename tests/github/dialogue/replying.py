"""A model that answers replies and checks withdrawals, and what people read in a thread."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fake_anthropic import Answer
from tests.github.action_runs import find_marked

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic, Recorded, Reply
    from tests.fake_github import PullRequest

GUARD = "line_9 = 9"
"""The line of ``app.py`` that the model quotes."""


def answer(decision: str = "withdraw", **changes: Any) -> dict[str, Any]:
    """The input of a call that answers a reply."""
    given = {"path": "app.py", "line": 9, "quote": GUARD, "text": "Line 9 sets it before."}
    return {**given, "decision": decision, **changes}


def verdict(word: str = "wrong", **changes: Any) -> dict[str, Any]:
    """The input of a call that checks the finding."""
    rest = dict.fromkeys(("title", "scenario", "message"))
    one = {"finding": 1, "path": "app.py", "line": 9, "quote": GUARD, "why": "It is set.", **rest}
    return {"answers": [{**one, "answer": word, **changes}]}


@dataclass
class Replying:
    """A model that finds marked lines, and answers replies and checks with given calls."""

    said: dict[str, Any] | Reply = field(default_factory=answer)
    checked: dict[str, Any] | Reply = field(default_factory=verdict)
    replies: list[Recorded] = field(default_factory=list)
    checks: list[Recorded] = field(default_factory=list)
    looks_up: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Look-ups of the first turn about a reply."""

    @classmethod
    def of(cls, model: FakeAnthropic) -> Replying:
        """Have ``model`` answer so."""
        made = cls()
        model.respond, model.verify = made, made.check
        return made

    def __call__(self, request: Recorded) -> Reply:
        if not request.system.startswith("A reviewer reported the finding below"):
            return find_marked(request)
        self.replies.append(request)
        if self.looks_up and len(self.replies) == 1:
            return Answer(call=False, lookups=self.looks_up)
        return _call("answer", self.said)

    def check(self, request: Recorded) -> Reply:
        """Answer a request that checks findings."""
        self.checks.append(request)
        return _call("check_findings", self.checked)


def _call(tool: str, given: dict[str, Any] | Reply) -> Reply:
    return Answer(report=json.dumps(given), tool=tool) if isinstance(given, dict) else given


def thread(pull: PullRequest) -> list[str]:
    """What we answered in threads, without the marker."""
    ours = [one for one in pull.review_comments if one.in_reply_to and one.user.kind == "Bot"]
    return [one.body.split("\n\n<!--")[0] for one in ours]
