"""Plan a review: the models of each file, the sizes of chunks, and the estimate."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Final

from reviewbot.config.settings import OFFLINE, ModelChoice
from reviewbot.core.events.events import Estimate, ModelEstimate, Usage
from reviewbot.core.plan.categories import CATEGORIES
from reviewbot.core.plan.chunks import (
    BATCH_BUDGET,
    MIN_BUDGET,
    SplitLimits,
    budget_for,
    plan_routed,
)
from reviewbot.core.plan.languages import LANGUAGES, language_of
from reviewbot.core.plan.policy import Policy, git_attributes, path_patterns, skip_reason
from reviewbot.core.plan.routing import AB_SPLIT, MODEL, Chain, Route, Routing, Split
from reviewbot.errors import ConfigError
from reviewbot.models.catalog import cost_usd, lookup
from reviewbot.models.tokens import TokenCounter, endpoint_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reviewbot.config.routes import RouteSettings
    from reviewbot.config.settings import Settings
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.plan.chunks import Batch, Plan
    from reviewbot.core.prompt.request import PromptProfile
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.models.tokens import Calibration

OUTPUT_BASE: Final = 500
OUTPUT_LIMIT: Final = 4_000
"""Bounds of the estimated output tokens of a request; see :func:`output_tokens`."""

OFFLINE_CHUNK_TOKENS: Final = 1_000_000
"""Maximum tokens of a chunk for the offline rules, which need whole files: about 2 MB."""

LEAST_OUTPUT: Final = 4_000
"""Tokens of the context window reserved for a response, however small the window."""

SUMMARY_PROMPT: Final = 1_200
"""Tokens of the prompt of a summary, with a few findings, but without its files and claims."""
SUMMARY_FILE: Final = 60
"""Tokens of a file and the line about it in the prompt of a summary."""
SUMMARY_FILES: Final = 150
"""Files that fit in the prompt of a summary."""
SUMMARY_OUTPUT: Final = 400
VERIFICATION_PROMPT: Final = 3_000
"""Tokens of the findings and the evidence that a verification adds to the request of a batch."""
VERIFICATION_OUTPUT: Final = 400


def output_tokens(diff_tokens: int) -> int:
    """Return the expected output tokens of a request: the report grows with the diff.

    A finding has 200 to 300 tokens. The thinking of a model depends on the code and is not
    estimated; it is charged once the server reports it.

    Args:
        diff_tokens: tokens of the diff in the request.
    """
    return min(OUTPUT_BASE + diff_tokens // 4, OUTPUT_LIMIT)


class Chains:
    """The chains of models in the settings; equal sequences of models share one chain."""

    def __init__(self, settings: Settings) -> None:
        known: dict[tuple[ModelChoice, ...], Chain] = {}
        self.of_setting = {
            setting: known.setdefault(choices, Chain(setting, tuple(one.name for one in choices)))
            for setting, choices in settings.chains()
        }
        self._choices = {chain: choices for choices, chain in known.items()}
        self._by_name = {one.name: one for one in reversed(settings.choices)}
        self._by_name[OFFLINE] = ModelChoice(OFFLINE)
        self.rest = self.of_setting[MODEL]

    def choices(self, chain: Chain) -> tuple[ModelChoice, ...]:
        """Return the models of ``chain`` with their addresses and keys.

        A stored plan may name models that the settings no longer name. Such models are skipped. If
        no model of a chain is known, the default chain is used.
        """
        if chain in self._choices:
            return self._choices[chain]
        known = tuple(self._by_name[name] for name in chain.models if name in self._by_name)
        return known or self._choices[self.rest]

    def endpoint(self, name: str) -> str:
        """Return the key of the token correction of a model: its name and address."""
        choice = self._by_name.get(name)
        return endpoint_key(name, choice.base_url if choice else None)

    def first(self, batch: Batch) -> str:
        """Return the name of the first model of a batch."""
        return self.choices(batch.chain)[0].name


class Planner:
    """Planner of one diff with the models of the settings.

    Args:
        files: the parsed diff.
        settings: the loaded settings.
        chains: chains of the settings.
        calibration: corrections of token counts, learned in earlier reviews.
    """

    def __init__(
        self,
        files: Sequence[FileDiff],
        settings: Settings,
        chains: Chains,
        calibration: Calibration,
    ) -> None:
        self._files, self._settings, self._chains = files, settings, chains
        self._calibration = calibration
        self.info: Callable[[str], ModelInfo] = cache(lambda name: lookup(name, settings.models))
        self.sizes: Callable[[str], SplitLimits] = cache(self._sizes_for)
        self._bytes: Callable[[PromptProfile], int] = cache(self._bytes_of)

    def plan(self, attributes: str) -> Plan:
        """Return the plan: reviewed files, their models, and chunks that fit the context windows.

        Args:
            attributes: text of the base's ``.gitattributes``.

        Raises:
            ConfigError: a pattern is invalid, or a context window is too small.
        """
        policy = policy_of(self._settings, attributes)
        sizes = {chain: self.sizes(chain.models[0]) for chain in self._chains.of_setting.values()}
        return plan_routed(
            self._files,
            reasons=[skip_reason(file, policy) for file in self._files],
            route=self.routing().decide,
            sizes=sizes.__getitem__,
        )

    def routing(self) -> Routing:
        """Return the routing of the settings: the routes and the A/B split.

        Raises:
            ConfigError: a pattern is invalid.
        """
        settings, chains = self._settings, self._chains
        split = settings.ab_split
        return Routing(
            rest=chains.rest,
            routes=tuple(_route(one, chains.of_setting[one.name]) for one in settings.routes),
            split=Split(chains.of_setting[AB_SPLIT], split.share, split.by) if split else None,
        )

    def prefix(self, model: str) -> int:
        """Return the tokens of every request to ``model`` besides its chunks."""
        info = self.info(model)
        return 0 if info.offline else round(self._bytes(info.prompt) * self._count(model).per_byte)

    def estimate(self, planned: Plan, fallback: int = 0) -> Estimate:
        """Return the expected usage of ``planned``, in total and by model.

        Args:
            planned: plan to estimate.
            fallback: number of models of each chain that are assumed to fail; the last model of a
                chain never fails.
        """
        by_model: dict[str, list[Batch]] = {}
        for batch in planned.batches:
            choices = self._chains.choices(batch.chain)
            by_model.setdefault(choices[: fallback + 1][-1].name, []).append(batch)
        writer = self._settings.model.name
        if self._settings.summary and planned.batches and not self.info(writer).offline:
            by_model.setdefault(writer, [])
        else:
            writer = ""
        files = sum(bool(file.chunks) for file in planned.files)
        parts = tuple(
            self._estimate(model, batches, files if model == writer else None)
            for model, batches in by_model.items()
        )
        costs = [part.cost_usd for part in parts]
        return Estimate(
            requests=sum(part.requests for part in parts),
            input_tokens=sum(part.input_tokens for part in parts),
            output_tokens=sum(part.output_tokens for part in parts),
            cost_usd=None if None in costs else sum(cost or 0.0 for cost in costs),
            by_model=parts,
            verification=self._verification(by_model),
        )

    def _verification(self, by_model: Mapping[str, list[Batch]]) -> tuple[ModelEstimate, ...]:
        """Return the usage of one verification for each batch that a model reviews."""
        if not self._settings.verify:
            return ()
        chosen = self._settings.verify_model
        found: dict[str, list[Usage]] = {}
        for reviewer, batches in by_model.items():
            if self.info(reviewer).offline:
                continue
            model = chosen.name if chosen else reviewer
            prefix = self.prefix(model)
            found.setdefault(model, []).extend(
                Usage(
                    input=batch.tokens + VERIFICATION_PROMPT,
                    output=VERIFICATION_OUTPUT,
                    cache_read=prefix,
                )
                for batch in batches
            )
        return tuple(self._sum(model, usages) for model, usages in found.items() if usages)

    def fallback_estimates(self, planned: Plan) -> tuple[Estimate, ...]:
        """Return the estimates if the first model of each chain fails, the first two, and so on."""
        chains = {batch.chain for batch in planned.batches}
        longest = max((len(self._chains.choices(chain)) for chain in chains), default=1)
        return tuple(self.estimate(planned, fallback) for fallback in range(1, longest))

    def _estimate(self, model: str, batches: list[Batch], described: int | None) -> ModelEstimate:
        """Return the estimate of one model.

        The first request writes the shared prefix to the model's cache; the others read the prefix.

        Args:
            model: name of the model.
            batches: batches whose first model this is.
            described: number of files in the summary; None if the model writes no summary.
        """
        info = self.info(model)
        if info.offline:
            tokens = sum(batch.tokens for batch in batches)
            return ModelEstimate(model, len(batches), tokens, 0, 0.0)
        prefix = self.prefix(model)
        usages = [
            (Usage(cache_write=prefix) if number == 0 else Usage(cache_read=prefix))
            + Usage(input=batch.tokens, output=output_tokens(batch.tokens))
            for number, batch in enumerate(batches)
        ]
        if described is not None:
            shown = SUMMARY_PROMPT + SUMMARY_FILE * min(described, SUMMARY_FILES)
            usages.append(Usage(input=shown, output=SUMMARY_OUTPUT))
        return self._sum(model, usages)

    def _sum(self, model: str, usages: Sequence[Usage]) -> ModelEstimate:
        """Return the estimate of requests to ``model``."""
        costs = [cost_usd(self.info(model), usage) for usage in usages]
        return ModelEstimate(
            model=model,
            requests=len(usages),
            input_tokens=sum(one.input + one.cache_read + one.cache_write for one in usages),
            output_tokens=sum(one.output for one in usages),
            cost_usd=None if None in costs else sum(cost or 0.0 for cost in costs),
        )

    def _count(self, model: str) -> TokenCounter:
        correction = self._calibration.correction(self._chains.endpoint(model))
        return TokenCounter(self.info(model).token_factor, correction)

    def _sizes_for(self, model: str) -> SplitLimits:
        """Return the limits of a chunk: at most half of the model's context window.

        The chunk, the prompt and the reserved response must fit into the whole window.
        """
        info, settings, prefix = self.info(model), self._settings, self.prefix(model)
        room = min(info.context // 2, info.context - prefix - LEAST_OUTPUT)
        if info.offline:
            budget = batch = OFFLINE_CHUNK_TOKENS
        elif room < MIN_BUDGET:
            raise ConfigError(
                f"a context of {info.context:,} tokens is too small to review in: it has to hold "
                f"the prompt ({prefix:,}), a piece of the diff ({MIN_BUDGET:,}) and an answer "
                f"({LEAST_OUTPUT:,})",
                key=f"models.{info.name}.context",
            )
        else:
            budget = min(settings.chunk_tokens or budget_for(info.context), room)
            batch = min(settings.batch_tokens or max(BATCH_BUDGET, budget), room)
        return SplitLimits(self._count(model), max(MIN_BUDGET, budget), batch)

    def _bytes_of(self, profile: PromptProfile) -> int:
        """Return the bytes of the tool, the rules, the instructions, the examples, the manifest."""
        from reviewbot.core.findings.report_tool import REPORT_TOOL
        from reviewbot.core.prompt.request import ManifestEntry, ModelRequest, render

        # Skipped files are not known yet; each changes the manifest only by a word.
        manifest = tuple(
            ManifestEntry(file.path, file.status, file.added, file.removed, shown=True)
            for file in self._files
        )
        settings = self._settings
        prompt = render(
            ModelRequest(
                (),
                manifest,
                instructions=settings.instructions,
                guidelines=settings.selected_guidelines,
            ),
            profile=profile,
        )
        text = json.dumps(REPORT_TOOL) + prompt.system + prompt.shared + prompt.body
        return len(text.encode())


def _route(one: RouteSettings, chain: Chain) -> Route:
    categories = one.categories
    return Route(
        name=one.name,
        chain=chain,
        paths=patterns_of(one.paths, key=f"{one.name}.paths", source=one.source)
        if one.paths
        else None,
        categories=None
        if categories is None
        else frozenset(known for known in CATEGORIES if known in categories),
        min_lines=one.min_lines,
        max_lines=one.max_lines,
        min_change_lines=one.min_change_lines,
        max_change_lines=one.max_change_lines,
    )


def policy_of(settings: Settings, attributes: str) -> Policy:
    """Return the policy that skips files.

    Args:
        settings: the loaded settings.
        attributes: text of the base's ``.gitattributes``.

    Raises:
        ConfigError: a pattern is invalid.
    """
    return Policy(
        configured=patterns_of(settings.exclude, key="exclude"),
        attributes=git_attributes(attributes),
    )


def accepted_unread(settings: Settings) -> Callable[[str], bool]:
    """Return whether a source file that nothing read is accepted, by its path.

    An entry that is the name of a language means its files; others are gitignore patterns.

    Raises:
        ConfigError: a pattern is invalid.
    """
    names = {one for one in settings.accept_unread if one in LANGUAGES}
    rest = [one for one in settings.accept_unread if one not in names]
    matches = patterns_of(rest, key="accept_unread")
    return lambda path: language_of(path) in names or matches(path) is True


def patterns_of(
    patterns: Sequence[str], *, key: str, source: str | None = None
) -> Callable[[str], bool | None]:
    """Return the matcher of the gitignore patterns of a setting; see :func:`path_patterns`.

    Raises:
        ConfigError: a pattern is invalid.
    """
    try:
        return path_patterns(patterns)
    except ValueError as error:
        raise ConfigError(str(error), key=key, source=source) from error


def check_patterns(settings: Settings) -> None:
    """Check that every pattern of the settings is valid.

    Raises:
        ConfigError: a pattern is invalid. The error names the setting.
    """
    patterns_of(settings.exclude, key="exclude")
    accepted_unread(settings)
    check_path_rules(settings)
    for instruction in settings.path_instructions:
        patterns_of(instruction.paths, key="path_instructions")
    for route in settings.routes:
        patterns_of(route.paths or (), key=f"{route.name}.paths", source=route.source)


def check_path_rules(settings: Settings) -> None:
    """Check that every pattern of ``path_rules`` is valid.

    Raises:
        ConfigError: a pattern is invalid.
    """
    for one in settings.path_rules:
        patterns_of(one.paths, key="path_rules")
