"""The prompts that ask a model to check findings of this review, or of earlier ones. Pure.

They are independent of the prompt of the review: rules of their own, the hunks of the files with
findings, and the findings without severity, confidence and author, which are judgements that would
sway the verifier. The answer is a call of a tool in :mod:`reviewbot.core.findings.check_tool`.

Findings of earlier reviews have a request of their own. It shows what changed since the last
review, not what the pull request changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.check_tool import CHECK_TOOL
from reviewbot.core.prompt.numbered import PATH_LIMIT, chunk_lines
from reviewbot.core.prompt.templates import render_template

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.plan.chunk_view import ChunkView

TEXT_LIMIT: Final = 1_500
"""Maximum characters of a title, a scenario, a message or a quote."""
MOST_FINDINGS: Final = 20
"""Maximum number of new findings that are checked for one batch, the worst first."""


@dataclass(frozen=True, slots=True)
class FindingsToCheck:
    """Findings that a request asks about, numbered from 1 in their order.

    ``is_follow_up`` is True if earlier reviews reported them; then they have only a title.
    """

    findings: tuple[Finding, ...]
    is_follow_up: bool = False


def render_verification(
    check: FindingsToCheck,
    chunks: Iterable[ChunkView],
    surroundings: Iterable[ChunkView] = (),
    *,
    lookups: int = 0,
    as_text: bool = False,
) -> tuple[str, str]:
    """Return the system prompt and the user message that ask about findings.

    Args:
        check: the findings.
        chunks: the hunks to show.
        surroundings: more code of the commit, already redacted.
        lookups: the maximum number of look-ups; 0 if nothing can be looked up.
        as_text: whether to request the answer as JSON text instead of a call of the tool.
    """
    tool = CHECK_TOOL["name"]
    template = "follow-up" if check.is_follow_up else "verification"
    system = render_template(f"{template}-system", check_tool=tool, lookups=lookups)
    user = render_template(
        template,
        check_tool=tool,
        changes=_shown(chunks),
        surroundings=_shown(surroundings),
        findings=check.findings,
        path_limit=PATH_LIMIT,
        text_limit=TEXT_LIMIT,
        lookups=lookups,
        as_text=as_text,
    )
    return system.strip("\n"), user.strip("\n")


def _shown(views: Iterable[ChunkView]) -> str:
    return "\n".join(line for view in views for line in chunk_lines(view))
