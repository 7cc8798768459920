"""Verdicts about findings: parse the answers of a verifier, and check them against the code. Pure.

A verifier is a model, so its word is not enough. Each answer but ``cannot_tell`` rests on a quote,
which must exist in the code that the verifier was shown. A quote that withdraws a finding must be
whole lines of running code: a comment, a string, a document or code that never runs withdraws
nothing. A quote that supports a finding may be any line, because the fault itself may lie in a
string. An answer whose quote does not count is ``cannot_tell``, which leaves the finding as it is.

Only ``fixed`` closes a finding of an earlier review. Its quote must include a line that was added
or changed since that review.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from reviewbot.core.findings.anchors import AnchorIndex
from reviewbot.core.findings.check_tool import Answer  # noqa: TC001 - the decoder resolves it
from reviewbot.core.findings.draft import fits
from reviewbot.core.findings.finding import RENAMED_ANSWERS, Evidence, Guideline
from reviewbot.core.findings.quoted_rule import quoted_rule
from reviewbot.core.safety.escape import cut
from reviewbot.core.safety.shown_text import shown_line, shown_markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.core.findings.anchors import Anchor
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.plan.chunk_view import ChunkView

RunningLines: TypeAlias = Mapping[tuple[str, bool], Collection[int] | None]
"""Numbers of the lines of running code, by path and whether it is the old version. None stands for
a file in a language without a parser."""

FAILED: Final = "Verification failed: "
"""Begin of the reason of an ``unverified`` finding about which no usable answer came."""
WITHDRAWING: Final = ("wrong", "not_introduced", "fixed")
ALARM: Final = 5
"""A verifier that withdraws this many findings of a batch, and all of them, is not believed."""
QUOTE_LINES: Final = 6
"""Maximum number of lines of a quote that counts."""
WHY_CHARS: Final = 200
"""Maximum characters of the explanation of an answer."""
_WHY_READ: Final = 2_000
_WORD: Final = re.compile(r"\w")
_VISIBLE: Final = re.compile(r"\S")


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Texts of a finding that is partly true, as they replace its own.

    ``guideline`` is the rule of the team that the finding rests on, if ``message`` quotes it.
    """

    title: str
    scenario: str
    message: str
    guideline: Guideline | None = None


@dataclass(frozen=True, slots=True)
class RawVerdict:
    """An answer as the model wrote it. ``path``, ``line`` and ``quote`` are its evidence."""

    answer: Answer
    path: str = ""
    line: int = 0
    quote: str = ""
    why: str = ""
    rewrite: Rewrite | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A checked verdict about the finding ``id``. ``reason`` is a sentence.

    ``rewrite`` has the texts of a finding that is ``partly`` true, safe to show.
    """

    id: str
    verdict: Literal[Answer, "unverified"] = field(metadata=RENAMED_ANSWERS)
    reason: str
    evidence: Evidence | None = None
    rewrite: Rewrite | None = None


def parse_verdicts(value: object, count: int, answers: Sequence[Answer]) -> dict[int, RawVerdict]:
    """Return the answers of a decoded call, by the number of their finding, from 1.

    An entry that is invalid, or names no finding, is left out; of two about one finding the first
    counts.

    Args:
        value: the decoded JSON.
        count: number of findings that were to be verified.
        answers: the answers that may be given.

    Raises:
        ValueError: there is no list of answers, or no entry is valid.
    """
    entries = value.get("answers") if isinstance(value, Mapping) else None
    if not isinstance(entries, list):
        raise ValueError("it has no list of answers")  # noqa: TRY004 (data, not an argument)
    found: dict[int, RawVerdict] = {}
    for entry in entries:
        match entry:
            case {"finding": int(number), "answer": str(written)} if (
                1 <= number <= count and number is not True
            ):
                for answer in answers:
                    if answer == written.lower():
                        found.setdefault(number, _parsed(answer, entry))
            case _:
                pass
    if not found:
        raise ValueError("it has no valid answer")
    return found


def _parsed(answer: Answer, entry: Mapping[str, object]) -> RawVerdict:
    line = entry.get("line")
    texts = {
        name: text if isinstance(text := entry.get(name), str) else ""
        for name in ("path", "quote", "why", "title", "scenario", "message")
    }
    return RawVerdict(
        answer,
        texts["path"],
        line if isinstance(line, int) else 0,
        texts["quote"],
        texts["why"],
        Rewrite(texts["title"], texts["scenario"], texts["message"]),
    )


@dataclass(frozen=True, slots=True)
class KnownCode:
    """The code that quotes of one batch may come from.

    ``views`` is what the verifier was shown. ``added`` has the numbers of the lines that the whole
    change adds, by path. For findings of earlier reviews, these are the lines that were added since
    the last one.
    """

    views: Sequence[ChunkView]
    added: Mapping[str, Collection[int]]


class Judge:
    """Checker of the answers about one batch.

    Args:
        code: the code that the verifier was shown.
        link_hosts: hosts to which a rewritten message may link.
    """

    def __init__(self, code: KnownCode, link_hosts: Sequence[str] = ()) -> None:
        self._code, self._index = code, AnchorIndex(code.views)
        self._link_hosts = tuple(link_hosts)

    def withdrawing_paths(self, raw: Iterable[RawVerdict]) -> set[str]:
        """Return the files whose lines of running code decide about these answers."""
        named = (
            self._index.path_of(written.path) for written in raw if written.answer in WITHDRAWING
        )
        return {path for path in named if path is not None}

    def verdicts(
        self,
        findings: Sequence[Finding],
        raw: Mapping[int, RawVerdict],
        running: RunningLines,
    ) -> tuple[Verdict, ...]:
        """Return a verdict for each finding. The search for secrets in their texts is slow.

        Args:
            findings: the findings that were to be verified, in the order of the request.
            raw: what the verifier wrote, by the number of the finding.
            running: the running code of :meth:`withdrawing_paths`.

        Raises:
            ReviewbotError: the search for secrets failed.
        """
        answers = {written.answer for written in raw.values()}
        if len(raw) >= ALARM and answers <= {"wrong", "not_introduced"}:
            return unverified(findings, f"The verifier withdrew all {len(raw)} findings.")
        return tuple(
            self._verdict(finding, raw[number], running) if number in raw else _without(finding)
            for number, finding in enumerate(findings, 1)
        )

    def _verdict(self, finding: Finding, raw: RawVerdict, running: RunningLines) -> Verdict:
        path = self._index.path_of(raw.path)
        found = path and raw.quote.strip()
        anchor = self._index.find(path, raw.quote, "RIGHT", raw.line) if path and found else None
        why = cut(shown_line(raw.why[:_WHY_READ]), WHY_CHARS).rstrip(".")
        said = f": {why}." if why else "."
        shown = None
        if path is not None and anchor is not None:
            quote = "\n".join(line.text for line in anchor.lines)
            shown = Evidence(path, anchor.line, quote, base=anchor.side == "LEFT")
        if raw.answer == "cannot_tell":
            return _cannot_tell(finding, f"The verifier could not tell{said}", shown)
        if path is None or anchor is None:
            return _cannot_tell(finding, "The verifier quotes no code that it was shown.")
        doubt = self._doubt(finding, raw.answer, path, anchor, running)
        if doubt is not None:
            return _cannot_tell(finding, doubt, shown)
        rewrite = self._rewritten(finding, raw.rewrite) if raw.answer == "partly" else None
        if raw.answer == "partly" and rewrite is None:
            return _cannot_tell(finding, "The verifier does not say what of it is true.", shown)
        says = {
            "supported": "traced it to",
            "partly": "found it partly true, by",
            "not_introduced": "found that this change did not introduce it, by",
            "wrong": "found it wrong, by",
            "fixed": "found it fixed, by",
            "open": "found it still open, by",
        }[raw.answer]
        reason = f"The verifier {says} the code in {path}:{anchor.line}{said}"
        return Verdict(finding.id, raw.answer, reason, shown, rewrite)

    def _doubt(
        self,
        finding: Finding,
        answer: Answer,
        path: str,
        anchor: Anchor,
        running: RunningLines,
    ) -> str | None:
        """Return the reason why a quote does not count, or None."""
        if len(anchor.lines) > QUOTE_LINES:
            return "The verifier quotes too many lines."
        if answer not in WITHDRAWING:  # the fault itself may lie in a string
            return None
        return _doubt_of_code(answer, path, anchor, running) or self._doubt_of_origin(
            finding, answer, path, anchor
        )

    def _doubt_of_origin(
        self, finding: Finding, answer: Answer, path: str, anchor: Anchor
    ) -> str | None:
        """Return the reason why lines of running code withdraw nothing, or None."""
        added = () if anchor.side == "LEFT" else self._code.added.get(path, ())
        if answer == "fixed":
            if any(number in added for number in _numbers(anchor, _WORD)):
                return None
            return "The verifier quotes no line that was added since the last review."
        needs_old = answer == "not_introduced" or finding.severity == "error"
        if needs_old and any(number in added for number in _numbers(anchor)):
            return "The verifier quotes a line that this change adds."
        return None

    def _rewritten(self, finding: Finding, texts: Rewrite | None) -> Rewrite | None:
        """Return rewritten texts safe to show; None if one is missing or out of bounds."""
        if texts is None or not (texts.scenario.strip() and texts.message.strip()):
            return None
        written = {"title": texts.title, "scenario": texts.scenario, "message": texts.message}
        if not texts.title.strip() or not all(fits(*pair) for pair in written.items()):
            return None
        return Rewrite(
            shown_line(texts.title),
            shown_line(texts.scenario),
            shown_markdown(texts.message, link_hosts=self._link_hosts),
            quoted_rule(texts.message, (finding.guideline,) if finding.guideline else ()),
        )


def _numbers(anchor: Anchor, having: re.Pattern[str] = _VISIBLE) -> set[int]:
    """Return the numbers of the quoted lines with a pattern, by default of those not blank."""
    return {anchor.line + at for at, line in enumerate(anchor.lines) if having.search(line.text)}


def _doubt_of_code(answer: Answer, path: str, anchor: Anchor, running: RunningLines) -> str | None:
    """Return the reason why a quote is not whole lines of running code, or None."""
    if not anchor.whole or not any(_WORD.search(line.text) for line in anchor.lines):
        return "The verifier quotes only a part of a line."
    is_old = anchor.side == "LEFT"
    if is_old and answer != "not_introduced":
        return "The verifier quotes a line that this change removes."
    lines = running.get((path, is_old))
    if lines is None:
        return "The verifier quotes code that no parser can tell from a comment."
    if not _numbers(anchor) <= set(lines):
        return "The verifier quotes a comment, a string, a document or code that never runs."
    return None


def _without(finding: Finding) -> Verdict:
    return Verdict(finding.id, "unverified", "The verifier gave no answer about it.")


def _cannot_tell(finding: Finding, reason: str, evidence: Evidence | None = None) -> Verdict:
    return Verdict(finding.id, "cannot_tell", reason, evidence)


def unverified(findings: Iterable[Finding], reason: str) -> tuple[Verdict, ...]:
    """Return verdicts for findings whose verification failed, for ``reason``, a sentence."""
    return tuple(Verdict(finding.id, "unverified", reason) for finding in findings)


def rewritten(finding: Finding, texts: Rewrite) -> Finding:
    """Return a finding with the texts of a verifier.

    Its suggestion, which belongs to the former texts, is dropped.
    """
    return replace(
        finding,
        title=texts.title,
        scenario=texts.scenario,
        message=texts.message,
        suggestion=None,
        suggestion_applies=False,
        guideline=texts.guideline,
    )
