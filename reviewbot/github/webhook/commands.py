"""Parse commands in comments, such as ``/review`` at the beginning of a line. Pure.

A line counts if readers of the comment see it begin with the command. Lines in code, quotes or HTML
do not count (:mod:`reviewbot.github.blocks`). ``@name review`` is the same as ``/review``. Case is
ignored. Only the first command of a comment counts. In a comment without a command, a mention with
other words is a question.

Another word is an unknown command if it looks like a typing error of our command. It is also
unknown if the comment has no other line, or if the word is the whole first line. Known commands of
other bots are ignored.

Callers must check the permission of the author (:func:`permitted`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, Literal

from reviewbot.core.safety.escape import show
from reviewbot.github import blocks
from reviewbot.github.markers import FINDING_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

Name = Literal[
    "review",
    "review full",
    "review stop",
    "pause",
    "resume",
    "ask",
    "explain",
    "ignore",
    "ignore undo",
    "config",
    "help",
]

TEXT_LIMIT: Final = 500
"""Maximum characters of a question, a reason or a path."""
SEARCHED: Final = 10_000
"""Characters of a comment that are looked at."""

COMMANDS: Final[dict[Name, str]] = {
    "review": "review what changed since the last review; `/review PATH` reviews the files that"
    " match, such as `/review src/*.py`",
    "review full": "review the whole pull request again",
    "review stop": "stop the review that is running",
    "pause": "review no pushes until `/resume`",
    "resume": "review pushes again, and what changed since the last review",
    "ask": "answer a question about the pull request; a question in the thread of a finding is"
    " about the finding",
    "explain": "in the thread of a finding: explain it; a question may follow",
    "ignore": "in the thread of a finding, or below the pull request with its id: do not report it"
    " again; a reason may follow",
    "ignore undo": "in the thread of a finding, or below the pull request with its id: report it"
    " again",
    "config": "show which settings apply here, and where they come from",
    "help": "show this list",
}

OTHERS: Final = frozenset(
    """
    allow approve area assign azp backport benchmark bors build cancel canary cc check cherrypick
    cla close deploy destroy dco duplicate easycla fix format fork gcbrun hold joke kind label lgtm
    lifecycle lint lock meow merge milestone next override package packit plan preview
    priority publish queue rebase recheck release remind reopen rerun restart retest retitle
    rollback run shipit shrug sig skip squash start sync tableflip test trigger triage unassign
    undeploy unhold unlock unshrug update verify wip woof
    """.split()  # noqa: SIM905 - as a list it is a line for each
)
"""Commands of other bots, such as those of Prow, and GitHub's own: we do not meddle with them.

https://prow.k8s.io/command-help, https://docs.github.com/en/issues/tracking-your-work-with-issues
"""

AUTHOR_COMMANDS: Final[tuple[Name, ...]] = ("ignore", "ignore undo")
"""Commands that the author of a pull request may use without write access."""

_WORDS: Final[dict[str, Name]] = {name: name for name in COMMANDS if " " not in name}
_WITH_TEXT: Final = ("ask", "explain", "ignore", "ignore undo")
_KINDS_OF_REVIEW: Final[dict[str, Name]] = {"full": "review full", "stop": "review stop"}
_LINE: Final = re.compile(
    r"""
    [ ]{0,3}+ (?: / | @(?P<bot>[A-Za-z0-9][A-Za-z0-9_-]{0,99}+) (?:\[bot\])? [,:]? [ \t]++ /? )
    (?P<word> [A-Za-z]{2,20}+ ) [.,:;!?]{0,3}+ (?: [ \t]++ (?P<rest>.*) )?
    """,
    re.VERBOSE,
)
_QUESTION: Final = re.compile(
    r"[ ]{0,3}+@(?P<bot>[A-Za-z0-9][A-Za-z0-9_-]{0,99}+)(?:\[bot\])?[,:]?[ \t]++"
    r"(?P<text>\S+[ \t].*)"
)
"""A mention with two words or more."""
_FIRST_WORD: Final = re.compile(r"[A-Za-z]{2,20}+(?=[.,:;!?]{0,3}+(?:\s|\Z))")
_UNDO: Final = re.compile(rf"undo[ \t]*+(?P<id>{FINDING_ID.pattern})?[.!]?+[ \t]*+", re.IGNORECASE)
_QUOTED: Final = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class BotCommand:
    """A command. ``text`` is the question, the reason or the path, on one line; may be empty."""

    name: Name
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Mention:
    """A question to us without a command. It counts only if the comment has no command."""

    text: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """An unknown command. ``written`` is the word; ``meant`` is the likely command or None."""

    written: str
    meant: Name | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A command that the person who wrote it may not use.

    ``text`` tells the author of the pull request so, as Markdown.
    """

    text: str


def find(body: str, bot: str = "") -> BotCommand | Unknown | None:
    """Return the first command in a comment, else the first unknown command, else None.

    A malicious comment takes up to 0.2 s.

    ``bot`` is our name in mentions, without ``@``; empty without a name.
    """
    text = body if len(body) <= SEARCHED else body[:SEARCHED].rpartition("\n")[0]
    lines = list(blocks.lines(text))
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    whole = not any(line.strip() for line in lines[first + 1 :])
    found = {
        number: command
        for number, line in enumerate(lines)
        if (command := _read(line, bot, first=number == first, whole=whole)) is not None
    }
    if not found:
        return None
    second_best: _Mention | Unknown | None = None
    for number in blocks.shown_lines(text, found.keys()):
        command = found[number]
        if isinstance(command, BotCommand):
            return command
        second_best = second_best or command
    return BotCommand("ask", second_best.text) if isinstance(second_best, _Mention) else second_best


def permitted(
    command: BotCommand | Unknown | None, *, may_write: bool, is_by_author: bool
) -> BotCommand | Unknown | Refused | None:
    """Return a command as far as the person who wrote it may use it.

    ``may_write`` says whether this person may write to the repository, and ``is_by_author`` whether
    it is the author of the pull request. Unknown commands of others are ignored.
    """
    if may_write or command is None:
        return command
    if not isinstance(command, BotCommand):
        return None
    if is_by_author and command.name in AUTHOR_COMMANDS:
        return command
    return Refused(
        f"Only people who may write to this repository can use `/{command.name}`. The author of the"
        " pull request can set notes and warnings aside with `/ignore`."
    )


def hint(unknown: Unknown) -> str:
    """Return a help text for the author of an unknown command, as Markdown."""
    guess = f" Was it `/{unknown.meant}`?" if unknown.meant else ""
    return f"`/{unknown.written}` is not a command of reviewbot.{guess} `/help` lists them all."


def help_text() -> str:
    """Return all commands, as Markdown."""
    rows = [f"- `/{name}`: {what}" for name, what in COMMANDS.items()]
    return "\n".join(["Commands, at the beginning of a line:", "", *rows])


def _read(
    line: str, bot: str, *, first: bool, whole: bool
) -> BotCommand | _Mention | Unknown | None:
    question = _QUESTION.fullmatch(line)
    if question is not None and question["bot"].lower() != bot.lower():
        return None
    match = _LINE.fullmatch(line)
    if match is None or (match["bot"] is not None and match["bot"].lower() != bot.lower()):
        return _Mention(_text(question["text"])) if question else None
    word, rest = match["word"].lower(), (match["rest"] or "").strip()
    if (name := _WORDS.get(word)) is None:
        meant = _meant(word, _WORDS)
        if question is not None and meant is None:
            return _Mention(_text(question["text"]))
        commands = first and (whole or not rest) and word not in OTHERS
        return Unknown(word, meant) if meant or commands else None
    if name == "review":
        return _review(rest)
    undo = _UNDO.fullmatch(rest) if name == "ignore" else None
    if undo is not None:
        name, rest = "ignore undo", (undo["id"] or "").lower()
    return BotCommand(name, _text(rest) if name in _WITH_TEXT else "")


def _text(text: str) -> str:
    return show(text.strip()[:TEXT_LIMIT])[:TEXT_LIMIT]


def _review(rest: str) -> BotCommand | Unknown:
    """Return the command for ``/review`` and the text after it. Text that is no path is ignored."""
    word = (_FIRST_WORD.match(rest) or [""])[0].lower()
    if name := _KINDS_OF_REVIEW.get(word):
        return BotCommand(name)
    meant = _meant(word, _KINDS_OF_REVIEW)
    if meant:
        return Unknown(f"review {word}", meant)
    return BotCommand("review", _path(rest))


def _path(rest: str) -> str:
    """Return the path at the beginning of a text: in backticks, or a word that looks like one."""
    if quoted := _QUOTED.match(rest):
        return _text(quoted[1])
    first = rest.partition(" ")[0].rstrip(".,:;!?")
    return _text(first).removeprefix("./") if set("/.*?[") & set(first) else ""


def _meant(word: str, known: Mapping[str, Name]) -> Name | None:
    """Return the command that ``word`` misspells; None if there is none.

    Return None for ``/preview``, ``/reviewer`` and ``/configure``, because other bots may use them.
    """
    for close in get_close_matches(word, known, n=3, cutoff=0.78):
        if close[0] == word[0] and abs(len(close) - len(word)) < 2:
            return known[close]
    return None
