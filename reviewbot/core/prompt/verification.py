"""The block of a request that asks a model to disprove findings. Pure.

It follows the prompt of the review, byte for byte, in the same user message, so that the cached
prefix is read again. Severity and confidence are not shown: they are judgements that would sway
the verifier. The answer is JSON text (:func:`reviewbot.core.findings.verdicts.parse_verdicts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.prompt.numbered import chunk_lines
from reviewbot.core.prompt.request import LISTED_PATH_LIMIT, TITLE_LIMIT
from reviewbot.core.prompt.templates import render_template

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.plan.chunk_view import ChunkView

TEXT_LIMIT: Final = 1_500
"""Maximum characters of a scenario or a message."""
MOST_FINDINGS: Final = 25
"""Maximum number of findings in one request; more than a reader can use from one batch."""


def render_verification(
    findings: Sequence[Finding], evidence: Iterable[ChunkView] = (), priors: Collection[str] = ()
) -> str:
    """Return the block for ``findings``, which are numbered from 1 in their order.

    Args:
        findings: at most :data:`MOST_FINDINGS` findings.
        evidence: more code, already redacted.
        priors: ids of the findings that earlier reviews reported; they have only a title.
    """
    return render_template(
        "verification",
        findings=findings,
        priors=priors,
        evidence="\n".join(line for view in evidence for line in chunk_lines(view)),
        path_limit=LISTED_PATH_LIMIT,
        title_limit=TITLE_LIMIT,
        text_limit=TEXT_LIMIT,
    ).strip("\n")
