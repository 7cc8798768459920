"""Decide the scope of a review: everything, the changes since the last review, or some files.

A hunk is skipped if the state block has its digest, even if its commits were rewritten. Everything
is reviewed without a trusted block, and after a change of models, prompts or configuration.

A review of some files reads all their hunks. The other files keep their findings. If a hunk of one
was not reviewed before, the file counts as not reviewed.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from reviewbot.code.lookup_files import LookupFiles
from reviewbot.config.settings import CONFIG_NAMES
from reviewbot.core.cache.unchanged import fresh_hunks, hunk_digests, remaining
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.diff.write import file_diff_text
from reviewbot.core.events.events import FileCoverage
from reviewbot.core.findings.levels import RuleLevels
from reviewbot.core.findings.suppressions import added_notice
from reviewbot.core.plan.policy import exclusion, path_patterns
from reviewbot.core.prompt.purpose import Purpose
from reviewbot.core.prompt.templates import prompt_version
from reviewbot.core.wording import count
from reviewbot.errors import ConfigError, ReviewbotError
from reviewbot.github.change.base_guidelines import base_guidelines
from reviewbot.github.change.base_settings import base_settings
from reviewbot.github.change.compare import ContentSource
from reviewbot.github.change.fetch import get_change
from reviewbot.github.change.head_config import head_config
from reviewbot.github.change.head_files import HeadFiles, changed_files
from reviewbot.github.change.subject import Subject
from reviewbot.github.state.block import StateBlock
from reviewbot.github.state.follow_up import by_commit, follow_up
from reviewbot.models.linters.added_suppressions import added_linter_notice
from reviewbot.models.linters.programs import versions
from reviewbot.pipeline.diff_context import diff_in_context
from reviewbot.pipeline.patterns import policy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from reviewbot.code.at_commit import CodeAtCommit
    from reviewbot.config.routes import RouteSettings, SplitSettings
    from reviewbot.config.settings import Settings
    from reviewbot.core.diff.hunks import Hunk
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.events.report import Report
    from reviewbot.core.findings.finding import Side
    from reviewbot.core.findings.prior import FollowUp
    from reviewbot.core.prompt.purpose import ClosingIssue
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.api.pulls import PullRequest
    from reviewbot.github.identity import PullName
    from reviewbot.github.markers import Marker
    from reviewbot.github.state.prior import Prior
    from reviewbot.models.offline.parser import Parser
    from reviewbot.pipeline.run_context import RunContext


OUTSIDE: Final = "Not part of this review, which was requested for some files."
"""Reason for files outside a review of some files."""


class NoSuchFileError(ReviewbotError):
    """A review was requested of files that the pull request does not change."""


@dataclass(frozen=True, slots=True)
class ReviewScope:
    """The scope of one review.

    Attributes:
        subject: the pull request.
        pull: the pull request as it was then.
        whole_diff: diff of the pull request; ``files`` is the parsed form.
        diff: the part to review, with more context around its hunks.
        whole_files: a diff that shows some files of ``diff`` in full, for linters.
        beside: coverage of the files that are not in ``diff``.
        notices: sentences for the report.
        attributes: ``.gitattributes`` of the base.
        settings: settings with the configuration of the base.
        context: rules of the base, and the open findings to ask about.
        issues: the issues of the repository that the pull request closes.
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
    context: RunContext
    whole_files: bytes = field(default=b"", repr=False)
    issues: tuple[ClosingIssue, ...] = ()

    @property
    def purpose(self) -> Purpose:
        """The purpose of the pull request."""
        return Purpose(self.pull.title, self.pull.body, self.issues)


async def assign(
    api: Api,
    name: PullName,
    prior: Prior,
    *,
    page: str,
    load: Callable[[tuple[str, str] | None], Settings],
    full: bool = False,
    only: str = "",
    config: str | None = None,
    checkout: Callable[[str], CodeAtCommit | None] = lambda _head: None,
    parser: Parser | None = None,
) -> ReviewScope:
    """Return the scope of a review of the pull request.

    ``page`` is the repository's page. ``load`` and ``parser`` are as for :func:`.base_settings`.
    ``config`` is the path of the base's configuration file if it is not the usual one. ``only`` is
    a gitignore pattern of the files to review again, empty for no such limit; ``full`` reviews
    everything again. ``checkout`` returns the files at a commit, if there is a checkout of it.

    Raises:
        GitHubError: the diff cannot be fetched.
        DiffError: the diff cannot be parsed.
        ConfigError: a setting is invalid that is not of the base.
        NoSuchFileError: no changed file matches ``only``.
    """
    change = await get_change(api, name.repo, name.number)
    pull = change.pull
    names = (config,) if config else CONFIG_NAMES
    of_base = await base_settings(api, name.repo, pull.base, load, names=names, parser=parser)
    base, settings, is_valid = of_base.files, of_base.settings, of_base.is_valid
    if config and base.config is None and is_valid:
        raise ConfigError("there is no such file", source=f"{config} of {pull.base.ref}")
    files = await asyncio.to_thread(parse_diff, change.diff)
    if only and not any(map(_matcher(only), (file.path for file in files))):
        raise NoSuchFileError(f"no changed file matches {only}")
    guidelines = await base_guidelines(api, name.repo, base, files, settings)
    context = replace(
        of_base.context,
        guidelines=guidelines,
        config_findings=await head_config(api, name.repo, pull.head.sha, files, names),
    )
    suppressed = await asyncio.to_thread(_suppressed, files, linters=settings.linters)
    whole = ReviewScope(
        subject=Subject(
            pull=name,
            head=change.pull.head.sha,
            base=change.merge_base or change.pull.base.sha,
            merge_base=change.merge_base,
            page=page,
            settings=_hash_of(settings, context.custom_rules, base.attributes),
            levels=RuleLevels(settings.rules, settings.path_rules),
            unshown=tuple(
                file.path for file in files if file.hunks and file.path in change.unshown
            ),
            rules_commit=guidelines.commit or None,
            block=prior.summary[1].key if prior.summary else None,
            only=only,
            requested=full or bool(only),
        ),
        pull=change.pull,
        whole_diff=change.diff,
        files=files,
        diff=change.diff,
        beside=change.missing,
        notices=(*change.notices, *base.notices, *suppressed, *_paused(prior)),
        attributes=base.attributes,
        settings=settings,
        context=context,
        issues=prior.issues,
    )
    if only:
        left = await asyncio.to_thread(_part, whole, None if full else prior.block, prior)
    else:
        left = whole if full or not is_valid else await asyncio.to_thread(_left, whole, prior)
    place = ContentSource(api, name.repo, change.merge_base, pull.head.sha)
    local = await asyncio.to_thread(checkout, pull.head.sha)
    code = changed_files(place, checkout=local)
    follow_ups = await _follow_ups(whole, prior, place, code, checkout) if is_valid else ()
    shown = await diff_in_context(
        *(left.diff, code, settings, base.attributes),
        whole=files,
        parser=parser,
        guidelines=guidelines,
    )
    return replace(
        left,
        diff=shown.diff,
        whole_files=shown.whole_files,
        context=replace(left.context, follow_ups=follow_ups),
    )


async def _follow_ups(
    whole: ReviewScope,
    prior: Prior,
    place: ContentSource,
    code: CodeAtCommit,
    checkout: Callable[[str], CodeAtCommit | None],
) -> tuple[FollowUp, ...]:
    """Return the open findings to ask about; without a trusted state there are none."""
    last = prior.summary[1].head if prior.summary else None
    if prior.block is None or last is None:
        return ()
    policy = policy_of(whole.settings, whole.attributes)
    new = LookupFiles(whole.files, policy, source=code)
    found = []
    for commit, records in by_commit(prior.block.records, last).items():
        if records and commit != place.head:
            local = await asyncio.to_thread(checkout, commit)
            source = HeadFiles(replace(place, head=commit, merge_base=None), checkout=local)
            old = LookupFiles((), policy, source=source)
            found.append(await follow_up(records, whole.files, old, new))
    return tuple(asked for asked in found if asked is not None)


def _suppressed(files: Sequence[FileDiff], *, linters: bool) -> list[str]:
    """Return the notices about suppressions that a change adds."""
    notices = (added_notice(files), added_linter_notice(files) if linters else None)
    return [one for one in notices if one]


def _left(whole: ReviewScope, prior: Prior) -> ReviewScope:
    """Return the assignment without the hunks that were reviewed before."""
    if prior.summary is None or prior.is_first:
        return whole
    block, last = prior.block, prior.summary[1]
    doubt = None
    if block is None and last.state is None:
        doubt = "its summary comment holds no state of the last review"
    elif block is None:
        doubt = "the state of the last review is invalid or not signed by us"
    elif block.settings != whole.subject.settings:
        doubt = "the models, the prompts or the configuration have changed"
    if block is None or doubt:
        return replace(whole, notices=(*whole.notices, f"Everything is reviewed again: {doubt}."))
    left = remaining(whole.files, block.hunks, block.files, skipped=_skipped(whole))
    since = _since(last)
    seen = _unchanged(left.unchanged, since)
    sentences = [f"Only changes since the review of {since} were reviewed."]
    if seen:
        sentences.append(f"{count(len(seen), 'file')} unchanged since then.")
    return replace(
        whole,
        subject=replace(whole.subject, full=False),
        diff=b"".join(map(file_diff_text, left.files)),
        beside=(*whole.beside, *seen),
        notices=(*whole.notices, " ".join(sentences)),
    )


def _part(whole: ReviewScope, block: StateBlock | None, prior: Prior) -> ReviewScope:
    """Return the scope of a review of some files.

    ``block`` is the trusted state block; None if it must not be used.
    """
    only, skipped = _matcher(whole.subject.only), _skipped(whole)
    is_known = block is not None and block.settings == whole.subject.settings
    known = block if block is not None and is_known else StateBlock("")
    left = remaining(whole.files, known.hunks, known.files, skipped=skipped)
    last = prior.summary[1] if prior.summary else None
    since = _since(last) if last else ""
    unchanged = [path for path in left.unchanged if not only(path)]
    # The policy lists the files that it skips or leaves unread.
    shown = [file for file in whole.files if only(file.path) or skipped(file)]
    paths = {*unchanged, *(file.path for file in shown)}
    others = dict.fromkeys(file.path for file in whole.files if file.path not in paths)
    return replace(
        whole,
        subject=replace(whole.subject, full=False),
        diff=b"".join(map(file_diff_text, shown)),
        beside=(
            *whole.beside,
            *_unchanged(unchanged, since),
            *(FileCoverage(path, "failed", OUTSIDE) for path in others),
        ),
        notices=(*whole.notices, f"Only files that match {whole.subject.only} were reviewed."),
    )


def _matcher(only: str) -> Callable[[str], bool]:
    """Return the matcher of a gitignore pattern; an invalid pattern matches nothing."""
    try:
        matches = path_patterns([only])
    except ValueError:
        return lambda _path: False
    return lambda path: matches(path) is True


def _skipped(whole: ReviewScope) -> Callable[[FileDiff], bool]:
    policy = policy_of(whole.settings, whole.attributes)
    return lambda file: exclusion(file, policy) is not None


def _since(last: Marker) -> str:
    return (last.head or "")[:7]  # a summary marker always has a head


def _unchanged(paths: Iterable[str], since: str) -> tuple[FileCoverage, ...]:
    reason = f"Unchanged since the review of {since}."
    return tuple(FileCoverage(path, "reviewed", reason) for path in paths)


def _paused(prior: Prior) -> list[str]:
    said = "Pushes are not reviewed until /resume."
    return [f"{prior.pause.sentence} {said}"] if prior.pause else []


def reviewed_now(
    files: Sequence[FileDiff], block: StateBlock | None, *, full: bool, only: str = ""
) -> Callable[[str, Side, range | None], bool]:
    """Return a predicate that is true for lines that were reviewed this time.

    ``block`` is the state that determined the scope of the review, if any. ``full`` is True if the
    whole diff was reviewed. With ``only``, all hunks of the files that match it were reviewed; it
    is empty if the review had no such limit.
    """
    known = StateBlock("") if full or block is None else block
    fresh = fresh_hunks(files, known.hunks, known.files)
    hunks: dict[str, list[Hunk]] = {}
    whole: dict[str, bool] = {}
    is_in = _matcher(only)
    if only:
        fresh = [file.hunks if is_in(file.path) else None for file in files]
    for file, new in zip(files, fresh, strict=True):
        hunks.setdefault(file.path, []).extend(new or ())
        whole[file.path] = whole.get(file.path, True) and new is not None and new == file.hunks

    def was_reviewed(path: str, side: Side, lines: range | None) -> bool:
        if lines is None:
            return whole.get(path, False)
        spans = (
            (hunk.new_start, hunk.new_count)
            if side == "RIGHT"
            else (hunk.old_start, hunk.old_count)
            for hunk in hunks.get(path, ())
        )
        return any(first <= lines[0] and lines[-1] < first + number for first, number in spans)

    return was_reviewed


def reviewed_hunks(
    files: Sequence[FileDiff], report: Report, again: Collection[str] = ()
) -> dict[str, list[str]]:
    """Return the digests of the hunks that the next review need not read, by file.

    This review or an earlier one has read them. The files ``again`` are left out.
    """
    read = {file.path for file in report.covered("reviewed")} - set(again)
    often = Counter(file.path for file in files)
    return {
        file.path: hunk_digests(file)
        for file in files
        if file.path in read and often[file.path] == 1
    }


def _hash_of(
    settings: Settings, custom_rules: tuple[Mapping[str, Any], ...], attributes: str
) -> str:
    """Return a digest of the settings that decide models, scope and filters.

    Budgets and publishing settings are not included, and neither are the rules of guideline files:
    a changed one is no reason to review open pull requests again.
    """
    models = [(name, [one.name for one in chain]) for name, chain in settings.chains()]
    split = [settings.ab_split] if settings.ab_split else []
    others: tuple[RouteSettings | SplitSettings, ...] = (*settings.routes, *split)
    routes = [replace(one, source="") for one in others]
    rules = (sorted(settings.rules.items()), settings.path_rules, custom_rules)
    counts = (settings.exclude, rules, settings.confidence)
    requests = (settings.verify, settings.lookups)
    asked = (settings.instructions, settings.path_instructions, *requests)
    linters = sorted(versions().items()) if settings.linters else []
    text = repr((models, routes, counts, asked, linters, attributes, prompt_version()))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
