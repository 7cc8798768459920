"""A secret in an added line is itself a finding, whichever model reviews. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.findings import Finding, Placement, fingerprint, level_of
from reviewbot.core.safe_text import safe_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reviewbot.core.chunks import Chunk, ChunkView
    from reviewbot.core.findings import Severity
    from reviewbot.core.redact import FileRedaction, Secret

WRITER: Final = "offline"
"""Whom these findings name as their model: no model was asked."""

_CONFIDENCE: Final[Mapping[str, float]] = {"high": 0.9, "medium": 0.7, "low": 0.5}


def secret_findings(
    chunk: Chunk,
    view: ChunkView,
    redaction: FileRedaction,
    *,
    rules: Mapping[str, str],
    threshold: float,
) -> Iterator[Finding]:
    """The findings for secrets that a chunk adds and answers for.

    Args:
        chunk: the chunk as planned.
        view: the same chunk as shown, redacted.
        redaction: what was found in its file.
        rules: severity by rule or category from the configuration; ``off`` silences the finding,
            never the redaction.
        threshold: the confidence from which a finding is shown inline.
    """
    text = {
        line.new_no: line.text for hunk in view.hunks for line in hunk.lines if line.kind == "added"
    }
    for secret in redaction.secrets:
        rule = f"secrets/{secret.rule}"
        severity: Severity = "warning" if secret.confidence == "low" else "error"
        level = level_of(rule, "security", severity, rules)
        mine = any(
            one.hunk == secret.hunk and one.start <= secret.line < one.stop
            for one in chunk.segments
        )
        if mine and level and secret.kind == "added" and secret.new_no in text:
            yield _finding(
                chunk, secret, rule, severity=level, quote=text[secret.new_no], threshold=threshold
            )


def _finding(
    chunk: Chunk, secret: Secret, rule: str, *, severity: Severity, quote: str, threshold: float
) -> Finding:
    confidence = _CONFIDENCE[secret.confidence]
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
        message=(
            f"{safe_line(secret.description)} It was not sent to any model. "
            "Revoke it, then read it from the environment or a secret store."
        ),
        suggestion=None,
        rule=rule,
        model=WRITER,
        chunk=chunk.id,
        attempt=1,
        placement=Placement("outside", reason, held=True) if held else Placement("inline"),
    )
