"""What of a pull request is to be reviewed: all of it, or what changed since the last review.

What was reviewed is known by content: the diff of the last review is had from GitHub once more, and
a hunk that was in it is not reviewed again, whatever became of its commits. Everything is reviewed
where there is any doubt: the last review was not complete, or cannot be had any more, configuration
or settings are others, or a finding that must be kept has no comment to be kept by.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff import parse_diff
from reviewbot.core.diff_text import file_diff_text
from reviewbot.core.events import FileCoverage
from reviewbot.core.policy import skip_reason
from reviewbot.core.unchanged import remaining
from reviewbot.core.wording import count
from reviewbot.errors import ConfigError, DiffError
from reviewbot.github.base_files import base_files
from reviewbot.github.change import get_change
from reviewbot.github.compared import Place
from reviewbot.github.errors import DiffTooLargeError, InvalidError, NotFoundError, TooLargeError
from reviewbot.github.full_files import with_context
from reviewbot.github.markers import MAX_FINDINGS
from reviewbot.github.subject import Subject
from reviewbot.planning import policy_of
from reviewbot.settings import CONFIG_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.core.diff import FileDiff
    from reviewbot.github.api.pulls import PullRequest
    from reviewbot.github.change import Change
    from reviewbot.github.full_files import ReadFile
    from reviewbot.github.gateway import Api
    from reviewbot.github.markers import Marker
    from reviewbot.github.memory import Memory
    from reviewbot.github.names import PullName
    from reviewbot.route_settings import RouteSettings, SplitSettings
    from reviewbot.settings import Settings

MOST_BYTES: Final = 32_000_000
"""Bytes of the diff of the last review."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is to be reviewed.

    Attributes:
        subject: the pull request.
        pull: the pull request as it was then.
        whole_diff: of the pull request, and parsed as ``files``.
        diff: what is left to review of it, with more context around its hunks.
        beside: what became of its files that are not in ``diff``.
        notices: what readers have to know, in sentences.
        attributes: of the base.
        settings: those that follow from the configuration of the base.
    """

    subject: Subject
    pull: PullRequest
    whole_diff: bytes = field(repr=False)
    files: tuple[FileDiff, ...] = field(repr=False)
    diff: bytes = field(repr=False)
    beside: tuple[FileCoverage, ...]
    notices: tuple[str, ...]
    attributes: str
    settings: Settings


async def assign(
    api: Api,
    name: PullName,
    memory: Memory,
    *,
    page: str,
    load: Callable[[tuple[str, str] | None], Settings],
    full: bool = False,
    config: str | None = None,
    checkout: Callable[[str], ReadFile | None] = lambda _head: None,
) -> Assignment:
    """What is to be reviewed of a pull request, as it is now.

    Args:
        api: GitHub.
        name: the pull request.
        memory: what is known of it.
        page: the repository's page.
        load: makes settings of the base's configuration file: its name and text, if there is one.
        full: whether all is reviewed, whatever was before.
        config: the configuration file's path in the repository, if it is not the usual one.
        checkout: what reads files of the head, by its commit, if there is a checkout that has it.

    Raises:
        GitHubError: the change cannot be had.
        DiffError: it cannot be read.
        ConfigError: the base's configuration is wrong.
    """
    change = await get_change(api, name.repo, name.number)
    pull = change.pull
    names = (config,) if config else CONFIG_NAMES
    base = await base_files(api, name.repo, pull.base, config_names=names)
    if config and base.config is None:
        raise ConfigError("there is no such file", source=f"{config} of {pull.base.ref}")
    settings = load(base.config)
    files = await asyncio.to_thread(parse_diff, change.diff)
    whole = Assignment(
        subject=Subject(
            pull=name,
            head=change.pull.head.sha,
            base=change.merge_base or change.pull.base.sha,
            merge_base=change.merge_base,
            page=page,
            settings=_hash_of(settings, base.attributes),
            unshown=tuple(
                file.path for file in files if file.hunks and file.path in change.unshown
            ),
        ),
        pull=change.pull,
        whole_diff=change.diff,
        files=files,
        diff=change.diff,
        beside=change.missing,
        notices=(*change.notices, *base.notices),
        attributes=base.attributes,
        settings=settings,
    )
    left = whole if full else await _left(api, whole, change, memory)
    place = Place(api, name.repo, change.merge_base, pull.head.sha)
    local = await asyncio.to_thread(checkout, pull.head.sha)
    diff = await with_context(place, left.diff, settings, base.attributes, whole=files, local=local)
    return replace(left, diff=diff)


async def _left(api: Api, whole: Assignment, change: Change, memory: Memory) -> Assignment:
    """The assignment without what was reviewed before, as far as that is beyond doubt."""
    if memory.summary is None:
        return whole
    last = memory.summary[1]
    left: Assignment | str | None = _doubt(last, whole, change, memory)
    if left is None:
        before = await _before(api, whole.subject.pull.repo, last)
        if isinstance(before, str):
            left = before
        else:
            left = await asyncio.to_thread(_reduced, whole, last, before)
    if isinstance(left, str):
        return replace(whole, notices=(*whole.notices, f"All is reviewed again: {left}."))
    return left


async def _before(api: Api, repo: str, last: Marker) -> tuple[FileDiff, ...] | str:
    """The diff of the last review, or why it does not help."""
    head, since = last.head or "", last.base or ""  # no marker of a summary is without
    try:
        data = await api.pulls.compare_diff(repo, since, head, max_bytes=MOST_BYTES)
        return await asyncio.to_thread(parse_diff, data)
    except (NotFoundError, InvalidError):
        return "GitHub does not have the commits of the last review any more"
    except (DiffTooLargeError, TooLargeError, DiffError):
        return "the diff of the last review cannot be had in one piece"


def _doubt(last: Marker, whole: Assignment, change: Change, memory: Memory) -> str | None:
    """Why the last review says nothing of this change, if it does not."""
    if not memory.signed:
        return "what the last review saw is not signed by us"
    if last.outcome not in ("clean", "findings"):
        return "the last review was not complete"
    if last.settings != whole.subject.settings:
        return "the settings or the configuration are others now"
    if change.missing:
        return "GitHub does not give the whole change"
    known = memory.posted.keys() | memory.ignored.keys()
    if any(one.id not in known for one in last.findings) or len(last.findings) >= MAX_FINDINGS:
        return "the last review has findings without a comment on a line"
    return None


def _hash_of(settings: Settings, attributes: str) -> str:
    """A hash of what decides who reviews, what is left out, and which findings count.

    What may be spent, and what becomes of the findings, does not.
    """
    models = [(name, [one.name for one in chain]) for name, chain in settings.chains()]
    split = [settings.ab_split] if settings.ab_split else []
    others: tuple[RouteSettings | SplitSettings, ...] = (*settings.routes, *split)
    routes = [replace(one, source="") for one in others]
    counts = (settings.exclude, sorted(settings.rules.items()), settings.confidence)
    asked = (settings.instructions, settings.path_instructions, settings.max_notes)
    text = repr((models, routes, counts, asked, attributes))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _reduced(whole: Assignment, last: Marker, before: tuple[FileDiff, ...]) -> Assignment | str:
    """The assignment without what was reviewed before, or why nothing may be left out."""
    policy = policy_of(whole.settings, whole.attributes)

    def skipped(file: FileDiff) -> bool:
        return skip_reason(file, policy) is not None

    gone = {file.path for file in before} - {file.path for file in whole.files}
    if any(file.path in gone and not skipped(file) for file in before):
        # The others may have been right only together with it.
        return "a file is not part of the change any more"
    left = remaining(whole.files, before, skipped=skipped)
    since = (last.head or "")[:7]  # no marker of a summary is without
    reason = f"Unchanged since the review of {since}."
    seen = tuple(FileCoverage(path, "reviewed", reason) for path in left.unchanged)
    told = [f"Reviewed is what changed since the review of {since}."]
    if seen:
        told.append(f"{count(len(seen), 'file')} unchanged since then.")
    return replace(
        whole,
        diff=b"".join(map(file_diff_text, left.files)),
        beside=(*whole.beside, *seen),
        notices=(*whole.notices, " ".join(told)),
    )
