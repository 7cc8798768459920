"""Verdicts about findings: parse them, and check them against the code. Pure.

A verifier is a model, so its word is not enough. Each verdict rests on a quote, which must exist in
the code that the verifier was shown. A quote that refutes a finding must be whole lines of running
code: a comment, a string, a document or code that never runs refutes nothing. A quote that supports
a finding may be any line, because the fault itself may lie in a string.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, get_args

from reviewbot.core.findings.anchors import AnchorIndex
from reviewbot.core.findings.finding import Evidence, Placement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from reviewbot.core.findings.anchors import Anchor
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.plan.chunk_view import ChunkView

Answer = Literal["refuted", "unproven", "supported"]

ALARM: Final = 5
"""A verifier that refutes this many findings of a batch, and all of them, is not believed."""
QUOTE_LINES: Final = 6
"""Maximum number of lines of a quote that counts."""
_WORD: Final = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class RawVerdict:
    """A verdict as the model wrote it. ``path``, ``line`` and ``quote`` are its evidence."""

    path: str
    line: int
    quote: str
    answer: Answer
    worth_fixing: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """A checked verdict about the finding ``id``. ``reason`` is a sentence.

    ``worth_fixing`` is None if the finding is ``unverified``.
    """

    id: str
    verdict: Literal["refuted", "unproven", "supported", "unverified"]
    worth_fixing: bool | None
    reason: str
    evidence: Evidence | None = None


def parse_verdicts(value: Mapping[str, object], count: int) -> dict[int, RawVerdict]:
    """Return the verdicts of a decoded response, by the number of their finding, from 1.

    An entry that is invalid, or names no finding, is left out; of two about one finding the first
    counts.

    Args:
        value: the decoded JSON.
        count: number of findings that were to be verified.

    Raises:
        ValueError: there is no list of verdicts, or no entry is valid.
    """
    entries = value.get("verdicts")
    if not isinstance(entries, list):
        raise ValueError("it has no list of verdicts")  # noqa: TRY004 (data, not an argument)
    found: dict[int, RawVerdict] = {}
    for entry in entries:
        match entry:
            case {
                "finding": int(number),
                "path": str(path),
                "line": int(line),
                "quote": str(quote),
                "verdict": str(answer),
                "worth_fixing": bool(worth_fixing),
            } if 1 <= number <= count and number is not True:
                for known in get_args(Answer):
                    if answer == known:
                        found.setdefault(number, RawVerdict(path, line, quote, known, worth_fixing))
            case _:
                pass
    if not found:
        raise ValueError("it has no valid verdict")
    return found


@dataclass(frozen=True, slots=True)
class KnownCode:
    """The code that quotes of one batch may come from.

    ``running`` has the numbers of the lines of each new file that are running code; a path
    is missing if no parser knows its language. ``added`` has the numbers of the lines that the
    whole change adds. ``priors`` are the ids of findings of earlier reviews.
    """

    views: Sequence[ChunkView]
    running: Mapping[str, Collection[int]]
    added: Mapping[str, Collection[int]]
    priors: Collection[str] = ()


class Judge:
    """Checker of the verdicts of one batch.

    Args:
        code: the code that the verifier was shown.
    """

    def __init__(self, code: KnownCode) -> None:
        self._code, self._index = code, AnchorIndex(code.views)

    def verdicts(
        self, findings: Sequence[Finding], raw: Mapping[int, RawVerdict]
    ) -> tuple[Verdict, ...]:
        """Return a verdict for each finding.

        Args:
            findings: the findings that were to be verified, in the order of the request.
            raw: what the verifier wrote, by the number of the finding.
        """
        if len(raw) >= ALARM and all(one.answer == "refuted" for one in raw.values()):
            return unverified(findings, f"The verifier refuted all {len(raw)} findings.")
        return tuple(
            self._verdict(finding, raw[number]) if number in raw else _without(finding)
            for number, finding in enumerate(findings, 1)
        )

    def _verdict(self, finding: Finding, raw: RawVerdict) -> Verdict:
        path = self._index.path_of(raw.path)
        found = path and raw.quote.strip()
        anchor = self._index.find(path, raw.quote, "RIGHT", raw.line) if path and found else None
        if path is None or anchor is None:
            return _unproven(finding, "The verifier quotes no code that it was shown.")
        shown = Evidence(path, anchor.line, "\n".join(line.text for line in anchor.lines))
        doubt = self._doubt(finding, raw, path, anchor)
        if doubt is not None:
            return replace(_unproven(finding, doubt), evidence=shown)
        where = f"{path}:{anchor.line}"
        reason = {
            "refuted": f"The verifier refuted it with the code in {where}.",
            "supported": f"The verifier traced it to the code in {where}.",
            "unproven": "The verifier could neither prove nor refute it.",
        }[raw.answer]
        return Verdict(finding.id, raw.answer, raw.worth_fixing, reason, shown)

    def _doubt(self, finding: Finding, raw: RawVerdict, path: str, anchor: Anchor) -> str | None:
        """Return the reason why a quote does not count, or None."""
        if len(anchor.lines) > QUOTE_LINES:
            return "The verifier quotes too many lines."
        if anchor.side == "LEFT":  # removed lines show only what a removal lost
            about = finding.side == "LEFT" and raw.answer == "supported"
            return None if about else "The verifier quotes a line that this change removes."
        # The fault itself may lie in a string, so any line that exists supports a finding.
        return self._doubt_refutation(finding, path, anchor) if raw.answer == "refuted" else None

    def _doubt_refutation(self, finding: Finding, path: str, anchor: Anchor) -> str | None:
        """Return the reason why a quote refutes nothing, or None."""
        numbers = {anchor.line + at for at, line in enumerate(anchor.lines) if line.text.strip()}
        if not anchor.whole or not any(_WORD.search(line.text) for line in anchor.lines):
            return "The verifier quotes only a part of a line."
        running = self._code.running.get(path)
        if running is None:
            return "The verifier quotes code that no parser can tell from a comment."
        if not numbers <= set(running):
            return "The verifier quotes a comment, a string, a document or code that never runs."
        added = self._code.added.get(path, ())
        is_new = finding.severity == "error" and finding.id not in self._code.priors
        if is_new and any(number in added for number in numbers):
            return "The verifier quotes a line that this change adds."
        return None


def _without(finding: Finding) -> Verdict:
    return Verdict(finding.id, "unverified", None, "The verifier gave no verdict about it.")


def _unproven(finding: Finding, reason: str) -> Verdict:
    return Verdict(finding.id, "unproven", worth_fixing=False, reason=reason)


def unverified(findings: Iterable[Finding], reason: str) -> tuple[Verdict, ...]:
    """Return verdicts for findings whose verification failed, for ``reason``, a sentence."""
    return tuple(Verdict(finding.id, "unverified", None, reason) for finding in findings)


def placement_after(finding: Finding, verdict: Verdict) -> Placement:
    """Return the placement of a finding after a verdict other than ``refuted``.

    Only a supported finding that is worth fixing keeps its line; so does an unverified one, which
    counts as if there were no verification.
    """
    if verdict.verdict == "unverified" or (verdict.verdict == "supported" and verdict.worth_fixing):
        return finding.placement
    reason = verdict.reason
    if verdict.verdict == "supported":
        reason = "It is true, but the verifier does not find it worth a fix."
    kind = "outside" if finding.placement.kind == "inline" else finding.placement.kind
    return Placement(kind, reason, held=True)
