"""Render model requests: templates from ``prompts/``, data after our own line prefixes. Pure.

A prompt has three parts, in the order that prefix caching needs. The report tool precedes all
parts::

    system   rules, the same for every repository                     cache breakpoint 1
    shared   examples, repository instructions, rules of the team, changed paths:
             the same for every request of a pull request             cache breakpoint 2, if it pays
    body     the chunks of this request, what is known, the task

The examples are in ``shared``, not in ``system``: they depend on the languages of a pull request,
and in ``system`` they would invalidate the cached rules. The first two parts contain no date, no
id of the run, and nothing that depends on the chunks. The only SHA is the base commit of the team's
rules.

There are two profiles: ``full``, and ``compact`` for small models and servers that read slowly. The
compact one has shorter rules, one example and fewer paths; the rest is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal

from reviewbot.core.findings.answer_tool import ANSWER_TOOL
from reviewbot.core.findings.check_tool import CHECK_TOOL, FOLLOW_UP_TOOL
from reviewbot.core.findings.report_tool import report_tool
from reviewbot.core.prompt.examples import choose_examples
from reviewbot.core.prompt.guidelines import NO_GUIDELINES, Guidelines
from reviewbot.core.prompt.numbered import INSTRUCTIONS_LIMIT, chunk_lines
from reviewbot.core.prompt.reply import render_reply
from reviewbot.core.prompt.templates import prompt_version, render_template
from reviewbot.core.prompt.verification import render_verification
from reviewbot.core.safety.escape import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.core.prompt.reply import FindingReply
    from reviewbot.core.prompt.verification import FindingsToCheck

PromptProfile = Literal["full", "compact"]

MANIFEST_LIMIT: Final = 6_000
"""Maximum characters of the list of changed paths. A pull request of 1,400 files would need
100,000."""
LISTED_PATH_LIMIT: Final = 300
TITLE_LIMIT: Final = 200
GUIDELINES_LIMIT: Final = 10_000
"""Maximum characters of the rules of one file; the selection of all files is shorter."""
KNOWN_LIMIT: Final = 200
"""Maximum number of findings that a continuation lists as known."""


@dataclass(frozen=True, slots=True)
class _Profile:
    """Template of the rules, number of examples, and maximum characters of the changed paths."""

    rules: str
    examples: int
    manifest: int


_PROFILES: Final[dict[PromptProfile, _Profile]] = {
    "full": _Profile("system", 3, MANIFEST_LIMIT),
    "compact": _Profile("system-compact", 1, 1_500),
}


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One changed file of the whole pull request; ``shown`` is False for skipped files."""

    path: str
    status: str
    added: int
    removed: int
    shown: bool


@dataclass(frozen=True, slots=True)
class KnownFinding:
    """A finding already at hand, named so that a continuation does not repeat it."""

    path: str
    line: int
    title: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """Request to review chunks, or to check findings. :func:`render` returns its prompt.

    ``instructions`` are the repository's, from the base branch, and ``guidelines`` the rules in its
    guideline files. ``known`` is set only to continue a truncated response. ``tokens`` estimates
    the whole input. ``verified`` is True if a later request verifies the findings, for templates of
    an operator. ``shared_reads`` is the expected number of further requests of the review with the
    same shared block; it affects no text. ``examples`` is the maximum number of examples; None for
    that of the profile, or for none with look-ups. ``uses`` is code elsewhere that uses changed
    definitions; a request with it asks about these uses only. ``lookups`` is the maximum number of
    look-ups of the review; 0 offers none. ``dossier`` is code beside the changes, for a model that
    cannot look it up. ``check`` are findings that the request asks about instead of a review, and
    ``reply`` is a reply to a finding that it asks about.
    """

    chunks: tuple[ChunkView, ...]
    manifest: tuple[ManifestEntry, ...]
    instructions: str = ""
    guidelines: Guidelines = NO_GUIDELINES
    known: tuple[KnownFinding, ...] = ()
    tokens: int = 0
    verified: bool = False
    shared_reads: float = 1.0
    uses: tuple[ChunkView, ...] = ()
    examples: int | None = None
    lookups: int = 0
    dossier: tuple[ChunkView, ...] = ()
    check: FindingsToCheck | None = None
    reply: FindingReply | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """The text of a request: the system prompt and the two blocks of the one user message."""

    system: str
    shared: str
    body: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Changed paths of a prompt: the first ones, and the number of others."""

    listed: tuple[ManifestEntry, ...]
    more: int
    more_not_shown: int


def render(
    request: ModelRequest, *, as_text: bool = False, profile: PromptProfile = "full"
) -> Prompt:
    """Return the prompt for ``request``. The time is linear in the size of the prompt.

    ``system`` and ``shared`` are the same, byte for byte, for requests with the same manifest and
    instructions. Every line of code has our prefix. All other untrusted text is a JSON string on
    one line.

    Args:
        request: what to review.
        as_text: whether to request the report as JSON text (``output_config.format``) instead of a
            call of the report tool.
        profile: length of the rules and examples.
    """
    if request.check is not None:
        system, user = render_verification(
            request.check,
            request.chunks,
            (*request.uses, *request.dossier),
            lookups=request.lookups,
            as_text=as_text,
        )
        return Prompt(system, "", user)
    if request.reply is not None:
        system, user = render_reply(
            request.reply,
            request.chunks,
            (*request.uses, *request.dossier),
            lookups=request.lookups,
            as_text=as_text,
        )
        return Prompt(system, "", user)
    chosen = _PROFILES[profile]
    instructions = request.instructions.strip().replace("\r\n", "\n")
    default = 0 if request.lookups else chosen.examples
    most = default if request.examples is None else request.examples
    has_rules = bool(instructions or request.guidelines.used)
    return Prompt(
        system=_rules(
            chosen.rules, prompt_version(), verified=request.verified, lookups=request.lookups
        ),
        shared=render_template(
            "shared",
            examples=choose_examples(request.manifest, has_rules=has_rules)[:most],
            instructions=instructions,
            instructions_limit=INSTRUCTIONS_LIMIT,
            guidelines=request.guidelines,
            guidelines_limit=GUIDELINES_LIMIT,
            manifest=manifest_within(request.manifest, chosen.manifest),
            path_limit=LISTED_PATH_LIMIT,
        ).strip("\n"),
        body=render_template(
            "body",
            changes="\n".join(line for chunk in request.chunks for line in chunk_lines(chunk)),
            uses="\n".join(line for view in request.uses for line in chunk_lines(view)),
            dossier="\n".join(line for view in request.dossier for line in chunk_lines(view)),
            known=request.known[:KNOWN_LIMIT],
            known_more=len(request.known[KNOWN_LIMIT:]),
            path_limit=LISTED_PATH_LIMIT,
            title_limit=TITLE_LIMIT,
            as_text=as_text,
            lookups=request.lookups,
        ).strip("\n"),
    )


def answer_tool(request: ModelRequest) -> dict[str, Any]:
    """Return the tool with which a model answers ``request``."""
    if request.reply is not None:
        return ANSWER_TOOL
    if request.check is not None:
        return FOLLOW_UP_TOOL if request.check.is_follow_up else CHECK_TOOL
    return report_tool(lookups=bool(request.lookups))


@cache
def _rules(
    template: str,
    version: str,  # noqa: ARG001 - part of the key
    *,
    verified: bool,
    lookups: int,
) -> str:
    return render_template(template, verified=verified, lookups=lookups).strip("\n")


def manifest_within(entries: Sequence[ManifestEntry], limit: int) -> Manifest:
    """Return the first ``entries`` that fit in ``limit`` characters, and the count of the rest."""
    count = 0
    for entry in entries:
        limit -= len(quoted(entry.path, LISTED_PATH_LIMIT)) + len(entry.status) + 25
        if limit < 0:
            break
        count += 1
    rest = list(islice(entries, count, None))
    return Manifest(
        listed=tuple(islice(entries, count)),
        more=len(rest),
        more_not_shown=sum(not entry.shown for entry in rest),
    )
