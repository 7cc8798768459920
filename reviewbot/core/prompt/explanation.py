"""Prompt for a question about a finding, and the parts of its answer to show. Pure.

Strangers wrote the thread, so it is data like the code: each text is one JSON string on one line,
and nothing in it can close its block or imitate ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.finding import Side  # noqa: TC001 - the decoder resolves it at run time
from reviewbot.core.safety.redact import redact_text
from reviewbot.core.safety.shown_text import shown_line, shown_markdown

if TYPE_CHECKING:
    from collections.abc import Collection

FINDING_LIMIT: Final = 4_000
REMARK_LIMIT: Final = 2_000
QUESTION_LIMIT: Final = 1_000
THREAD_LIMIT: Final = 12_000
"""Maximum characters of the shown comments of a thread; the latest are shown."""
MOST_REMARKS: Final = 30
NO_WORDS: Final = "Explain this finding."
"""Default question, for a comment without a question."""
CUT_OFF: Final = "(cut off at its length limit)"

_WHOLE_WORDS: Final = re.compile(r".*\s", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ThreadComment:
    """A comment below a finding. ``ours`` is True if we wrote the comment."""

    text: str
    ours: bool


@dataclass(frozen=True, slots=True)
class FindingQuestion:
    """Question about a finding.

    Attributes:
        side: side of the commented lines.
        line: first commented line; None if unknown.
        end_line: last commented line; None if unknown.
        finding: text of the finding.
        thread: comments below the finding, oldest first.
        question: text of the question; may be empty.
    """

    side: Side
    line: int | None
    end_line: int | None
    finding: str
    thread: tuple[ThreadComment, ...] = ()
    question: str = ""

    @property
    def place(self) -> str:
        """Lines of the finding, numbered as in the prompt."""
        if self.line is None or self.end_line is None:
            return f"the last {self.side[0]} line shown"
        return place_in_prompt(self.side, self.line, self.end_line)

    @property
    def shown_question(self) -> str:
        """Question as a line that is safe to show.

        Raises:
            ReviewbotError: the search for secrets failed.
        """
        return shown_line(self.question) or NO_WORDS


def place_in_prompt(side: Side, line: int, end_line: int) -> str:
    """Return lines as the prompt numbers them, such as ``R 10 to R 12``."""
    letter = side[0]
    return f"{letter} {line}" if line == end_line else f"{letter} {line} to {letter} {end_line}"


def latest_comments(thread: tuple[ThreadComment, ...]) -> tuple[ThreadComment, ...]:
    """Return the latest comments that fit, oldest first."""
    room, kept = THREAD_LIMIT, 0
    for remark in reversed(thread[-MOST_REMARKS:]):
        room -= min(len(remark.text), REMARK_LIMIT)
        if room < 0:
            break
        kept += 1
    return tuple(replace(one, text=trimmed(one.text)) for one in thread[len(thread) - kept :])


def redacted_thread(thread: tuple[ThreadComment, ...]) -> tuple[ThreadComment, ...]:
    """Return the latest comments without secrets and personal data.

    Raises:
        ReviewbotError: the search for secrets failed.
    """
    return tuple(
        replace(comment, text=redact_text(comment.text)) for comment in thread[-MOST_REMARKS:]
    )


def trimmed(text: str) -> str:
    """Return a text with LF line ends, and without white space around it."""
    return text.replace("\r\n", "\n").strip()


def shown_so_far(written: str, *, link_hosts: Collection[str]) -> str:
    """Return the whole words of an unfinished answer, made safe to show.

    The last word may be the first half of a secret, which no rule would recognise.

    Raises:
        ReviewbotError: the search for secrets failed.
    """
    return shown_markdown(_whole_words(written), link_hosts=link_hosts)


def shown_answer(written: str, *, cut: bool, link_hosts: Collection[str]) -> str:
    """Return a finished answer, made safe to show; empty if there is no visible text.

    Args:
        written: the raw answer.
        cut: whether the answer was truncated at its token limit.
        link_hosts: hosts that links may point to.

    Raises:
        ReviewbotError: the search for secrets failed.
    """
    text = _whole_words(written) if cut else written
    shown = shown_markdown(text, link_hosts=link_hosts)
    return f"{shown}\n\n{CUT_OFF}" if cut and shown else shown


def _whole_words(written: str) -> str:
    match = _WHOLE_WORDS.match(written)
    return match[0] if match else ""
