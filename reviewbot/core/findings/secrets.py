"""Report each secret in an added line as a finding, whichever model reviews. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from reviewbot.core.findings.finding import Finding, Placement, fingerprint, level_of
from reviewbot.core.safety.escape import cut
from reviewbot.core.safety.safe_text import safe_line
from reviewbot.core.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reviewbot.core.findings.finding import Severity
    from reviewbot.core.plan.chunks import Chunk, ChunkView
    from reviewbot.core.safety.redact import DetectedSecret, FileRedaction

WRITER: Final = "offline"
"""Model name of these findings, which come from no model."""
MAX_FINDINGS: Final = 20
"""Maximum number of findings per rule and chunk. The last finding counts the other lines."""
MAX_QUOTE: Final = 1_000
"""Maximum characters of a quote."""

_CONFIDENCE: Final[Mapping[str, float]] = {"high": 0.9, "medium": 0.7, "low": 0.5}


class _FoundSecret(NamedTuple):
    """Matches of one rule in one line: the most confident secret, and the number of matches."""

    secret: DetectedSecret
    times: int


def secret_findings(
    chunk: Chunk,
    view: ChunkView,
    redaction: FileRedaction,
    *,
    rules: Mapping[str, str],
    threshold: float,
) -> Iterator[Finding]:
    """Yield findings for secrets in added lines that the chunk owns, one for each line and rule.

    Args:
        chunk: the chunk as planned.
        view: the same chunk as shown, redacted.
        redaction: secrets and replacements of the file.
        rules: severity by rule or category from the configuration; ``off`` turns the finding off,
            never the redaction.
        threshold: lowest confidence of an inline finding.
    """
    text = {
        line.new_no: line.text for hunk in view.hunks for line in hunk.lines if line.kind == "added"
    }
    by_rule: dict[str, dict[int, _FoundSecret]] = defaultdict(dict)
    for secret in _owned(chunk, redaction.secrets):
        number = secret.new_no
        if secret.kind == "added" and number is not None and number in text:
            lines = by_rule[secret.rule]
            before = lines.get(number)
            best = max(before.secret, secret, key=_confidence) if before else secret
            lines[number] = _FoundSecret(best, before.times + 1 if before else 1)
    for name, lines in by_rule.items():
        rule = f"secrets/{name}"
        more = max(0, len(lines) - MAX_FINDINGS)
        for place, (number, found) in enumerate(list(lines.items())[:MAX_FINDINGS], start=1):
            severity: Severity = "warning" if found.secret.confidence == "low" else "error"
            if level := level_of(rule, "security", severity, rules):
                message = _message(found, more if place == MAX_FINDINGS else 0)
                quote = cut(text[number], MAX_QUOTE)
                yield _finding(
                    chunk, found.secret, message, quote, severity=level, threshold=threshold
                )


def _owned(chunk: Chunk, secrets: tuple[DetectedSecret, ...]) -> Iterator[DetectedSecret]:
    """Yield the secrets in the chunk's own lines, in order."""
    for segment in chunk.segments:
        first, stop = (
            bisect_left(
                secrets, (segment.hunk, line), key=lambda secret: (secret.hunk, secret.line)
            )
            for line in (segment.start, segment.stop)
        )
        yield from secrets[first:stop]


def _confidence(secret: DetectedSecret) -> float:
    return _CONFIDENCE[secret.confidence]


def _message(found: _FoundSecret, more: int) -> str:
    several = found.times > 1
    parts = [
        safe_line(found.secret.description),
        f"There are {found.times:,} in this line." if several else "",
        "They were not sent to any model." if several else "It was not sent to any model.",
        f"{'Revoke them, then read them' if several else 'Revoke it, then read it'} from the "
        "environment or a secret store.",
        f"Below this line {count(more, 'more line has', 'more lines have')} such a secret, "
        "for which there is no finding."
        if more
        else "",
    ]
    return " ".join(filter(None, parts))


def _finding(
    chunk: Chunk,
    secret: DetectedSecret,
    message: str,
    quote: str,
    *,
    severity: Severity,
    threshold: float,
) -> Finding:
    confidence = _confidence(secret)
    rule = f"secrets/{secret.rule}"
    reason = f"Its confidence of {confidence:.2g} is below {threshold:.2g}."
    held = confidence < threshold
    return Finding(
        id=fingerprint(chunk.path, rule, quote),
        path=chunk.path,
        quote=quote,
        side="RIGHT",
        line=secret.new_no or 0,
        end_line=secret.new_no or 0,
        scenario="Whoever can read the branch can use it, also after the line is deleted.",
        category="security",
        severity=severity,
        confidence=confidence,
        title=safe_line(f"A secret is committed: {secret.rule}"),
        message=message,
        suggestion=None,
        rule=rule,
        model=WRITER,
        chunk=chunk.id,
        attempt=1,
        placement=Placement("outside", reason, held=True) if held else Placement("inline"),
    )
