"""Prepare a job from the settings and the bytes of a diff.

Every entry point (command line, server, Action) calls this module before
:func:`reviewbot.pipeline.review.review`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.config.settings import OFFLINE
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.diff.whole import shows_whole_file
from reviewbot.core.findings.intake import RULE_CONFIDENCE, FindingFilters
from reviewbot.core.findings.levels import RuleLevels
from reviewbot.core.plan.stored import check_fits
from reviewbot.core.prompt.guidelines import NO_GUIDELINES
from reviewbot.core.safety.redact import redact_text
from reviewbot.models.tokens import Calibration
from reviewbot.pipeline.chunk_events import accepted
from reviewbot.pipeline.estimate import Estimator
from reviewbot.pipeline.job import Job
from reviewbot.pipeline.patterns import accepted_unread, check_path_rules, patterns_of
from reviewbot.pipeline.planner import Chains, Planner
from reviewbot.pipeline.run_context import NO_CONTEXT, RunContext

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from reviewbot.config.settings import Settings
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.events.events import Estimate, FileCoverage
    from reviewbot.core.plan.chunks import Batch, Plan
    from reviewbot.models.catalog import ModelInfo

__all__ = ["Prepared", "prepare"]

CALIBRATION_FILE: Final = "calibration.json"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job, the description of its main model, and the calibration of token counts.

    ``fallback_estimates`` are the estimates if the first model of each chain fails, and so on.
    ``attributes`` and ``context`` are as for :func:`prepare`.
    """

    job: Job
    info: ModelInfo
    calibration: Calibration
    fallback_estimates: tuple[Estimate, ...] = ()
    attributes: str = ""
    context: RunContext = NO_CONTEXT

    @property
    def whole_files(self) -> Mapping[str, FileDiff]:
        """The files that are known in full, by path. Linters and the verifier read them."""
        return self.job.whole_files


def prepare(
    data: bytes,
    settings: Settings,
    *,
    attributes: str = "",
    notices: Sequence[str] = (),
    stored: Plan | None = None,
    beside: Sequence[FileCoverage] = (),
    whole_files: bytes = b"",
    is_part: bool = False,
    context: RunContext = NO_CONTEXT,
) -> Prepared:
    """Parse and plan a diff.

    Args:
        data: the diff.
        settings: the loaded settings.
        attributes: text of the base's ``.gitattributes``.
        notices: notices to show with the review.
        stored: the plan of an earlier run of this review, which is reused; None plans anew.
        beside: coverage of changed files that are not in ``data``.
        whole_files: a diff that shows some files of ``data`` in full.
        is_part: whether ``data`` is only the part of a change that no earlier review has read.
        context: knowledge of the repository and of earlier reviews.

    Raises:
        DiffError: ``data`` or ``whole_files`` is not a diff that can be read completely.
        ConfigError: the overrides of a model are invalid, or a rule does not exist.
        ValueError: ``stored`` is not a plan of this diff.
    """
    check_rule_names(settings)
    files = files_of(data)
    chains = Chains(settings)
    learns = any(chain.models[0] != OFFLINE for chain in chains.of_setting.values())
    calibration = Calibration(settings.state_folder / CALIBRATION_FILE if learns else None)
    planner = Planner(files, settings, chains, calibration, context.guidelines)
    estimator = Estimator(planner, settings, chains, follow_ups=context.follow_ups)
    accepts_unread = accepted_unread(settings)
    if stored is None:
        ends = (
            accepted(file)
            if file.status == "unread" and accepts_unread(file.path, file.by_policy)
            else file
            for file in beside
        )
        shown = (replace(file, path=redact_text(file.path)) for file in ends)
        planned = replace(planner.plan(attributes), beside=tuple(shown))
    else:
        check_fits(stored, files)
        planned = stored
    asked = dict.fromkeys(map(chains.first, planned.batches)) or {settings.model.name: None}
    models = [name for name in asked if not planner.info(name).offline]
    online = bool(models)
    prefixes = {name: planner.prefix(name) for name in asked}
    guidelines = context.guidelines if online else NO_GUIDELINES
    whole = _by_path(files, whole_files)
    job = Job(
        files=files,
        plan=planned,
        models=_models(planned, chains),
        estimate=estimator.of(planned),
        gates=resolve_filters(settings, online=online, heed_added=context.heed_added_suppressions),
        instructions=redact_text(settings.instructions),
        guidelines=guidelines,
        path_instructions=path_instructions_of(settings),
        prefix_tokens=max(prefixes.values()),
        prefix_by_model=prefixes,
        jobs=settings.jobs,
        notices=(
            *notices,
            *settings.notices,
            *guidelines.notices,
            *_linter_notices(settings, planned, files, whole),
            *_plan_notices(settings, planned, chains.first),
        ),
        prompt_version=_prompt_version() if online else None,
        accepts_unread=accepts_unread,
        verified=settings.verify and online,
        follow_ups=context.follow_ups if online else (),
        follow_up_model=models[0] if online else "",
        examples=settings.examples,
        is_part=is_part,
        whole_files=whole,
        config_findings=context.config_findings,
        rules_only=context.rules_only,
    )
    return Prepared(
        job,
        planner.info(settings.model.name),
        calibration,
        estimator.fallbacks(planned),
        attributes,
        context,
    )


def _by_path(files: Sequence[FileDiff], whole_files: bytes) -> dict[str, FileDiff]:
    """Return the files that ``whole_files`` shows in full, by path.

    A path that several files have, for example since secrets in it are replaced, is left out.
    """
    often = Counter(file.path for file in files)
    return {
        file.path: file
        for file in (files_of(whole_files) if whole_files else ())
        if often[file.path] == 1 and shows_whole_file(file)
    }


def check_rule_names(settings: Settings) -> None:
    """Check the rules and patterns of ``rules`` and ``path_rules``.

    A configuration file was checked when it was read. This checks the options of a request, too.

    Raises:
        ConfigError: there is no such rule, or a pattern is invalid.
    """
    check_path_rules(settings)
    if settings.rules or settings.path_rules:
        from reviewbot.rules.names import check_names

        by_path = {f"path_rules[{i}].rules": one.rules for i, one in enumerate(settings.path_rules)}
        for key, names in {"rules": settings.rules, **by_path}.items():
            check_names(names, key=key)


def _models(planned: Plan, chains: Chains) -> tuple[str, ...]:
    """Return every model that may be used, the first models of the chains first."""
    used = {batch.chain: chains.choices(batch.chain) for batch in planned.reviewed_batches}
    every = list(used.values()) or [chains.choices(chains.rest)]
    if len(every) == 1:
        return tuple(one.name for one in every[0])
    firsts, others = [chain[0] for chain in every], [one for chain in every for one in chain[1:]]
    return tuple(dict.fromkeys(one.name for one in (*firsts, *others)))


def _linter_notices(
    settings: Settings, planned: Plan, files: Iterable[FileDiff], whole: Collection[str]
) -> Iterator[str]:
    """Yield a notice if linters read files without being confined."""
    if settings.linters:
        from reviewbot.models.linters.programs import unconfined_notice

        known = {*whole, *(file.path for file in files if file.status == "added")}
        if notice := unconfined_notice((chunk.path for chunk in planned.chunks), known):
            yield notice


def _plan_notices(
    settings: Settings, planned: Plan, first: Callable[[Batch], str]
) -> Iterator[str]:
    """Yield notices about truncated lines, replaced models, and a review without a model.

    ``first`` returns the name of the first model of a batch.
    """
    reviewed = (chunk for chunk in planned.chunks if not planned.files[chunk.file].is_unread)
    paths = list(dict.fromkeys(chunk.path for chunk in reviewed if chunk.cut))
    if paths:
        yield f"A line is too long to be shown whole, so it is shown in part: {_which(paths)}."
    asked = [(batch, first(batch)) for batch in planned.batches]
    gone = {(batch.chain.models[0], name) for batch, name in asked if batch.chain.models}
    for wanted, instead in sorted((old, new) for old, new in gone if old != new):
        yield f"This was planned for {wanted}, which is no longer set: {instead} reviews it."
    if settings.model.name == OFFLINE and "model" not in settings.origins:  # not chosen by the user
        yield f"Reviewed {OFFLINE}: {settings.model_source}."


def _which(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def files_of(data: bytes) -> tuple[FileDiff, ...]:
    """Return the files of a diff, with secrets in their paths replaced.

    Raises:
        DiffError: the diff cannot be read completely.
    """
    return tuple(_without_secrets(parse_diff(data)))


def _without_secrets(files: Sequence[FileDiff]) -> Iterator[FileDiff]:
    """Yield the files with secrets in paths replaced, since paths are sent and shown too."""
    paths = [path or "" for file in files for path in (file.old_path, file.new_path)]
    # One search for all paths; a line break in a path would shift the paths after it.
    shown = redact_text("\n".join(path.replace("\n", "\0") for path in paths)).split("\n")
    for file, old, new in zip(files, shown[::2], shown[1::2], strict=bool(files)):
        old_path, new_path = (text.replace("\0", "\n") or None for text in (old, new))
        changed = (old_path, new_path) != (file.old_path, file.new_path)
        yield replace(file, old_path=old_path, new_path=new_path) if changed else file


def resolve_filters(settings: Settings, *, online: bool, heed_added: bool = True) -> FindingFilters:
    """Return the filters; the prompt's examples are decoys only for a review by a model.

    ``heed_added`` says whether suppressions that the change adds hide errors, too.
    """
    decoys: frozenset[str] = frozenset()
    if online:
        from reviewbot.core.prompt.examples import example_identifiers

        decoys = example_identifiers()
    return FindingFilters(
        confidence=settings.confidence,
        rule_confidence=settings.confidence
        if "confidence" in settings.origins
        else RULE_CONFIDENCE,
        link_hosts=settings.link_hosts,
        levels=RuleLevels(settings.rules, settings.path_rules),
        decoys=decoys,
        heed_added=heed_added,
    )


def path_instructions_of(settings: Settings) -> Callable[[str], tuple[str, ...]]:
    matchers = [
        (patterns_of(one.paths, key="path_instructions"), redact_text(one.instructions))
        for one in settings.path_instructions
    ]
    return lambda path: tuple(text for matches, text in matchers if matches(path))


def _prompt_version() -> str:
    from reviewbot.core.prompt.templates import prompt_version

    return prompt_version()
