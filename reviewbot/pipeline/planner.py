"""Plan a review: the models of each file, and the sizes of chunks."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Final

from reviewbot.code.related_files import related_files
from reviewbot.config.settings import OFFLINE, ModelChoice
from reviewbot.core.plan.categories import CATEGORIES
from reviewbot.core.plan.chunks import (
    BATCH_BUDGET,
    LARGE_BATCH_BUDGET,
    LARGE_BATCH_CHUNKS,
    LARGE_CONTEXT,
    MAX_BATCH_CHUNKS,
    MIN_BUDGET,
    SplitLimits,
    budget_for,
    plan_routed,
)
from reviewbot.core.plan.policy import exclusions
from reviewbot.core.plan.routing import (
    AB_SPLIT,
    MODEL,
    SECRETS_ONLY,
    UNREAD,
    Chain,
    Route,
    Routing,
    Split,
)
from reviewbot.core.prompt.guidelines import NO_GUIDELINES
from reviewbot.errors import ConfigError
from reviewbot.models.catalog import lookup
from reviewbot.models.tokens import TokenCounter, endpoint_key
from reviewbot.pipeline.patterns import patterns_of, policy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reviewbot.config.routes import RouteSettings
    from reviewbot.config.settings import Settings
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.plan.chunks import Batch, Plan
    from reviewbot.core.prompt.guidelines import Guidelines
    from reviewbot.core.prompt.request import PromptProfile
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.models.tokens import Calibration

OFFLINE_CHUNK_TOKENS: Final = 1_000_000
"""Maximum tokens of a chunk for the offline rules, which need whole files: about 2 MB."""

LEAST_OUTPUT: Final = 4_000
"""Tokens of the context window reserved for a response, however small the window."""


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
    """Planner of one diff with the models of the settings, and the rules of the team."""

    def __init__(
        self,
        files: Sequence[FileDiff],
        settings: Settings,
        chains: Chains,
        calibration: Calibration,
        guidelines: Guidelines = NO_GUIDELINES,
    ) -> None:
        self._files, self._settings, self._chains = files, settings, chains
        self._calibration, self._guidelines = calibration, guidelines
        self.info: Callable[[str], ModelInfo] = cache(lambda name: lookup(name, settings.models))
        self.sizes: Callable[[str], SplitLimits] = cache(self._sizes_for)
        self._bytes: Callable[[PromptProfile], int] = cache(self._bytes_of)

    def plan(self, attributes: str) -> Plan:
        """Return the plan: reviewed files, their models, and chunks that fit the context windows.

        ``attributes`` is the text of the base's ``.gitattributes``.

        Raises:
            ConfigError: a pattern is invalid, or a context window is too small.
        """
        policy = policy_of(self._settings, attributes)
        chains = (*self._chains.of_setting.values(), UNREAD, SECRETS_ONLY)
        sizes = {chain: self.sizes(chain.models[0]) for chain in chains}
        return plan_routed(
            self._files,
            exclusions=list(exclusions(self._files, policy)),
            route=self.routing().decide,
            sizes=sizes.__getitem__,
            group=related_files,
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

    def _count(self, model: str) -> TokenCounter:
        correction = self._calibration.correction(self._chains.endpoint(model))
        return TokenCounter(self.info(model).token_factor, correction)

    def _sizes_for(self, model: str) -> SplitLimits:
        """Return the limits of a chunk: at most half of the model's context window.

        The chunk, the prompt and the reserved response must fit into the whole window.
        """
        info, settings, prefix = self.info(model), self._settings, self.prefix(model)
        room = min(info.context // 2, info.context - prefix - LEAST_OUTPUT)
        is_large = info.context >= LARGE_CONTEXT and not info.offline
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
            usual = LARGE_BATCH_BUDGET if is_large else BATCH_BUDGET
            batch = min(settings.batch_tokens or max(usual, budget), room)
        chunks = LARGE_BATCH_CHUNKS if is_large else MAX_BATCH_CHUNKS
        return SplitLimits(self._count(model), max(MIN_BUDGET, budget), batch, chunks)

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
                guidelines=self._guidelines,
                examples=settings.examples,
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
