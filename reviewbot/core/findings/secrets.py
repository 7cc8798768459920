"""Report each secret in an added line as a finding, whichever model reviews. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from reviewbot.core.findings.finding import (
    SEVERITIES,
    Finding,
    Placement,
    fingerprint,
    level_of,
)
from reviewbot.core.plan.categories import is_sample
from reviewbot.core.safety.escape import cut
from reviewbot.core.safety.safe_text import safe_line
from reviewbot.core.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reviewbot.core.findings.finding import Severity
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.core.plan.chunks import Chunk
    from reviewbot.core.safety.redact import DetectedSecret, FileRedaction

WRITER: Final = "offline"
"""Model name of these findings, which come from no model."""
MAX_FINDINGS: Final = 20
"""Maximum number of findings per rule and chunk. The last finding counts the other lines."""
MAX_QUOTE: Final = 1_000
"""Maximum characters of a quote."""

_CONFIDENCE: Final[Mapping[str, float]] = {"high": 0.9, "medium": 0.7, "low": 0.5}


class _FoundSecret(NamedTuple):
    """Matches of one rule in one line: the worst secret, its severity, the number of matches."""

    secret: DetectedSecret
    severity: Severity
    times: int = 1


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
    in_sample = is_sample(chunk.path)
    by_rule: dict[str, dict[int, _FoundSecret]] = defaultdict(dict)
    for secret in _owned(chunk, redaction.secrets):
        number = secret.new_no
        if secret.kind == "added" and number is not None and number in text:
            lines = by_rule[secret.rule]
            found = _FoundSecret(secret, _severity(secret, in_sample=in_sample))
            if before := lines.get(number):
                found = min(before, found, key=_rank)._replace(times=before.times + 1)
            lines[number] = found
    for name, lines in by_rule.items():
        rule = f"secrets/{name}"
        more = max(0, len(lines) - MAX_FINDINGS)
        for place, (number, found) in enumerate(list(lines.items())[:MAX_FINDINGS], start=1):
            if level := level_of(rule, "security", found.severity, rules):
                message = _message(found, more if place == MAX_FINDINGS else 0)
                quote = cut(text[number], MAX_QUOTE)
                yield _finding(chunk, found, message, quote, severity=level, threshold=threshold)


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


def _severity(secret: DetectedSecret, *, in_sample: bool) -> Severity:
    """Return the severity without configuration."""
    if secret.strength == "placeholder" or (in_sample and secret.strength == "generic"):
        return "note"
    return "warning" if secret.confidence == "low" else "error"


def _rank(found: _FoundSecret) -> tuple[int, float]:
    """Sort key: worst first, then by confidence."""
    return SEVERITIES.index(found.severity), -_CONFIDENCE[found.secret.confidence]


def _message(found: _FoundSecret, more: int) -> str:
    several = found.times > 1
    it = "them" if several else "it"
    subject, seems = ("They were", "They seem") if several else ("It was", "It seems")
    parts = [
        safe_line(found.secret.description),
        f"There are {found.times:,} in this line." if several else "",
        f"{subject} not sent to any model.",
        f"{seems} to be sample data; revoke {it} if a real system accepts {it}."
        if found.severity == "note"
        else f"Revoke {it}, then read {it} from the environment or a secret store.",
        f"Below this line {count(more, 'more line has', 'more lines have')} such a secret, "
        "for which there is no finding."
        if more
        else "",
    ]
    return " ".join(filter(None, parts))


def _finding(
    chunk: Chunk,
    found: _FoundSecret,
    message: str,
    quote: str,
    *,
    severity: Severity,
    threshold: float,
) -> Finding:
    secret = found.secret
    is_note = found.severity == "note"
    confidence = _CONFIDENCE["low" if is_note else secret.confidence]
    rule = f"secrets/{secret.rule}"
    reason = f"Its confidence of {confidence:.2g} is below {threshold:.2g}."
    held = confidence < threshold
    title = "Sample data looks like a secret" if is_note else "A secret is committed"
    condition = "If a real system accepts it, whoever" if is_note else "Whoever"
    return Finding(
        id=fingerprint(chunk.path, rule, quote),
        path=chunk.path,
        quote=quote,
        side="RIGHT",
        line=secret.new_no or 0,
        end_line=secret.new_no or 0,
        scenario=f"{condition} can read the branch can use it, also after the line is deleted.",
        category="security",
        severity=severity,
        confidence=confidence,
        title=safe_line(f"{title}: {secret.rule}"),
        message=message,
        suggestion=None,
        rule=rule,
        model=WRITER,
        chunk=chunk.id,
        attempt=1,
        placement=Placement("outside", reason, held=True) if held else Placement("inline"),
        sources=(rule,),
    )
