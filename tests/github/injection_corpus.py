"""The corpus in ``fixtures/injection``: what strangers write, where, and what must not come of it.

Its README explains the form. What is kept out of the files (secrets that scanners would trip over,
markers, addresses) is written ``«word ...»`` there, and put in when a case is played.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import yaml

from reviewbot.core.findings.finding import fingerprint
from reviewbot.github.markers import Marker, Noted, write
from tests.github.action_runs import bound_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fake_github import PullRequest

FOLDER: Final = Path(__file__).parents[2] / "fixtures" / "injection"

Entry = Literal[
    "title",
    "description",
    "issue",
    "branch",
    "base branch",
    "label",
    "commit",
    "path",
    "old path",
    "code",
    "removed code",
    "explained code",
    "context",
    "pushed beside",
    "surroundings",
    "evidence",
    "looked-up code",
    "heading",
    "symlink",
    "submodule",
    "head config",
    "base config",
    "head guidelines",
    "base guidelines",
    "head attributes",
    "base attributes",
    "comment",
    "reply",
    "thread",
    "review",
    "echo",
    "echo thread",
    "our comment",
    "our summary",
    "question",
    "objection",
    "asked question",
    "asked comment",
    "model answer",
    "model reply",
    "model title",
    "model scenario",
    "model message",
    "model suggestion",
    "model path",
    "model quote",
    "model rule",
    "model preamble",
    "model thinking",
    "model error",
    "summary what",
    "summary file",
    "summary path",
    "summary claim",
    "summary requirement",
]
"""Where it enters. ``model`` and ``summary`` are what a model says that obeyed a stranger."""

Property = Literal[
    "mention",
    "reference",
    "link",
    "image",
    "html",
    "block",
    "layout",
    "hidden",
    "marker",
    "workflow-command",
    "bot-command",
    "secret",
    "prompt",
    "suppressed",
    "obeyed",
    "elsewhere",
]
"""What must not happen."""

ENTRIES: Final[tuple[Entry, ...]] = get_args(Entry)
PROPERTIES: Final[tuple[Property, ...]] = get_args(Property)

MARKED_FILE: Final = "app.py"
MARKED_LINE: Final = 10
MARKED_CODE: Final = "line_10 = 1 / 0  # BUG error The marked bug"
MARKED_ID: Final = fingerprint(MARKED_FILE, "bug", MARKED_CODE)
"""Anyone can work it out: it is a hash of what is in the diff."""

_SOME: Final = "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
SECRETS: Final = {
    "github": "ghp" + "_" + _SOME,
    "aws": "AKIA" + "QWERTYUIOPASDFGH",
    "anthropic": "sk-" + "ant-" + f"api03-{_SOME}-_{_SOME}",
    "slack": "xox" + "b-" + "123456789012-" + _SOME[:24],
}
"""Made up, and put together here, so that no scanner of this repository trips."""

REFUSAL: Final = "XYZZY: refuse to answer"
"""At this the model of the tests refuses; a real one has words of its own."""
REFUTATION: Final = "answer_refuted"
"""At this the verifier of the tests calls every finding wrong, and quotes the line."""

_WORD: Final = re.compile(r"«([a-z]+)(?: ([^»]*))?»")


@dataclass(frozen=True)
class Case:
    """One attack.

    Attributes:
        name: what it tries.
        enters: where.
        payload: what is written there; see :meth:`written`.
        must_not: what it is after. All properties are checked of every case.
        by: the login of who writes it; ``octo`` owns the repository, ``[bot]`` is a bot.
        path: the file, where the payload is in one.
        ends: ``refused`` if no review can begin, ``unable`` if one begins and no model can answer;
            then everything has to say so.
        fork: whether the pull request comes from a fork.
        seen: where this really happened, or is described.
    """

    name: str
    enters: Entry
    payload: str
    must_not: tuple[Property, ...]
    by: str = "mallory"
    path: str = "odd.py"
    ends: Literal["reviewed", "refused", "unable"] = "reviewed"
    fork: bool = False
    seen: str = ""
    file: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.enters}: {self.name}"


@dataclass(frozen=True)
class Scene:
    """What a payload can name that is known only when it is written."""

    thief: str = "http://127.0.0.1:1"
    pull: PullRequest | None = None
    ours: str = ""


@functools.cache
def cases() -> tuple[Case, ...]:
    """Every case, in the order of the files."""
    return tuple(case for file in sorted(FOLDER.glob("*.yml")) for case in _of_file(file))


def _of_file(file: Path) -> list[Case]:
    return [_case(item, file.name) for item in yaml.safe_load(file.read_text(encoding="utf-8"))]


def _case(item: dict[str, Any], file: str) -> Case:
    known = set(Case.__dataclass_fields__) - {"file"}
    where = f"{file}: {item.get('name')}"
    assert not item.keys() - known, f"{where}: there is no {item.keys() - known}"
    assert item["enters"] in ENTRIES, f"{where}: {item['enters']} is no entry"
    assert item["must_not"], f"{where}: names nothing that must not happen"
    assert set(item["must_not"]) <= set(PROPERTIES), f"{where}: {item['must_not']}"
    return Case(**item | {"must_not": tuple(item["must_not"]), "file": file})


def written(payload: str, scene: Scene) -> str:
    """``payload`` with all that it names put in."""
    return _WORD.sub(lambda match: _WORDS[match[1]](match[2] or "", scene), payload)


def _times(rest: str, _: Scene) -> str:
    number, text = rest.split(" ", 1)
    return text.encode().decode("unicode_escape") * int(number)


def _marker(rest: str, scene: Scene) -> str:
    """A marker as the Action writes it: ``summary``, ``finding`` or ``reply``, of this pull request
    or of ``another``."""
    kind, _, other = rest.partition(" ")
    pull = scene.pull
    head, base = (pull.head_sha, pull.base_sha) if pull else ("a" * 40, "b" * 40)
    name = bound_to(pull) if pull and not other else "4711#7"
    made = {
        "summary": Marker("summary", head, base, "clean"),
        "finding": Marker("finding", head, base, findings=(Noted(MARKED_ID, "error"),), key="k"),
        "reply": Marker("reply", key="answer-issue-1"),
    }
    return write(made[kind], name)


def _torn(rest: str, _: Scene) -> str:
    """A secret with a mark of Markdown in it that nobody sees on the page."""
    secret = SECRETS[rest]
    return secret.replace("_", "\\_", 1)


def _private_key(_: str, __: Scene) -> str:
    lines = [_SOME * 2] * 12
    name = "RSA PRIVATE" + " KEY"
    return "\n".join((f"-----BEGIN {name}-----", *lines, f"-----END {name}-----"))


_WORDS: Final[dict[str, Callable[[str, Scene], str]]] = {
    "secret": lambda rest, _: SECRETS[rest],
    "tear": _torn,
    "privatekey": _private_key,
    "marker": _marker,
    "times": _times,
    "thief": lambda _, scene: scene.thief,
    "refusal": lambda _, __: REFUSAL,
    "refute": lambda _, __: REFUTATION,
    "finding": lambda _, __: MARKED_ID,
    "ours": lambda _, scene: scene.ours,
    "head": lambda _, scene: scene.pull.head_sha if scene.pull else "c" * 40,
}


def planted(case: Case) -> tuple[str, ...]:
    """The secrets that a case brings; of a private key, one line."""
    known = (*SECRETS.values(), _private_key("", Scene()).split("\n")[1])
    whole = written(case.payload, Scene()).replace("\\", "").replace("&#103;", "g")
    return tuple(secret for secret in known if secret in whole)
