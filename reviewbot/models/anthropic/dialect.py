"""Build requests of the Messages API, and find features that a server refuses.

A request is built from a set of :class:`Feature`. A server that responds with 400 names the refused
feature. :func:`refused_feature` finds the feature, and the caller retries without it. Each step
makes the set smaller, so the negotiation ends.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.core.prompt.lookup_tools import LOOKUP_TOOLS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from reviewbot.models.catalog import ModelInfo
    from reviewbot.models.conversation import Conversation

MIN_BUDGET: Final = 1024
"""Smallest thinking budget (Anthropic documentation, "Extended thinking")."""


class Feature(StrEnum):
    """A part of a request that some servers refuse; the value is its name on the wire."""

    STRICT = "strict"
    EAGER = "eager_input_streaming"
    FORCED = "forced tool_choice"
    TOOL_CHOICE = "tool_choice"
    SINGLE_CALL = "disable_parallel_tool_use"
    THINKING = "thinking"
    SUMMARIES = "thinking.display"
    EFFORT = "output_config.effort"
    FORMAT = "output_config.format"
    CACHE = "cache_control"
    SAMPLING = "temperature"
    LOOKUPS = "several tools"


_OF_TOOLS: Final = frozenset(
    {
        Feature.STRICT,
        Feature.EAGER,
        Feature.FORCED,
        Feature.TOOL_CHOICE,
        Feature.SINGLE_CALL,
        Feature.LOOKUPS,
    }
)


_NOT_WITH_LOOKUPS: Final = frozenset({Feature.FORCED, Feature.SINGLE_CALL})


@dataclass(frozen=True, slots=True)
class Ask:
    """Content of one request, and the form of its response.

    ``shared`` may be empty; ``keeps_shared`` puts a cache breakpoint after it. The response is a
    call of ``tool``, unless ``schema`` requests JSON text or ``words`` requests plain text.
    ``estimated`` are the tokens of the input by the plan; 0 if it has no estimate. With
    ``conversation``, the request offers look-ups and continues these turns.
    """

    system: str
    shared: str
    body: str
    max_tokens: int
    schema: dict[str, Any] | None = None
    words: bool = False
    keeps_shared: bool = True
    estimated: int = 0
    conversation: Conversation | None = None
    tool: dict[str, Any] = field(default_factory=lambda: REPORT_TOOL)

    @property
    def tokens(self) -> int:
        """Estimated tokens of the input, high on purpose: two characters a token."""
        first = self.estimated or len(self.system + self.shared + self.body) // 2
        return first + (len(self.conversation.text) // 2 if self.conversation else 0)

    @property
    def as_text(self) -> bool:
        """True if the response is text instead of a tool call."""
        return self.words or self.schema is not None


def features_of(info: ModelInfo) -> frozenset[Feature]:
    """Return the features that a model supports by its capabilities."""
    offered = {
        Feature.STRICT: info.strict_tools,
        Feature.EAGER: info.eager_input,
        Feature.FORCED: info.forced_tools,
        Feature.TOOL_CHOICE: True,
        Feature.SINGLE_CALL: True,
        Feature.THINKING: info.thinking != "none",
        Feature.SUMMARIES: info.thinking == "adaptive",
        Feature.EFFORT: info.effort is not None,
        Feature.FORMAT: info.structured_output,
        Feature.CACHE: info.cache_minimum is not None,
        Feature.SAMPLING: info.sampling,
        Feature.LOOKUPS: info.looks_up,
    }
    return frozenset(feature for feature, on in offered.items() if on)


def sent_features(ask: Ask, features: AbstractSet[Feature]) -> frozenset[Feature]:
    """Return the ``features`` that the request ``ask`` uses."""
    left_out = _OF_TOOLS if ask.as_text else frozenset[Feature]()
    # A forced report leaves no choice of a look-up, and several look-ups may share a turn.
    left_out |= {Feature.LOOKUPS} if ask.conversation is None else _NOT_WITH_LOOKUPS
    return frozenset(features) - left_out - ({Feature.FORMAT} if ask.schema is None else set())


def request_body(info: ModelInfo, ask: Ask, features: AbstractSet[Feature]) -> dict[str, Any]:
    """Return the arguments for ``messages.create``, except ``stream``."""
    sent = sent_features(ask, features)
    mark = {"cache_control": {"type": "ephemeral"}} if Feature.CACHE in sent else {}
    kept = mark if ask.keeps_shared else {}
    shared = [{"type": "text", "text": ask.shared, **kept}] if ask.shared else []
    max_tokens = min(ask.max_tokens, info.max_output)
    body: dict[str, Any] = {
        "model": info.name,
        "max_tokens": max_tokens,
        # Servers without a cache may not support system blocks either.
        "system": [{"type": "text", "text": ask.system, **mark}] if mark else ask.system,
        "messages": [{"role": "user", "content": [*shared, {"type": "text", "text": ask.body}]}],
    }
    if ask.conversation is not None:
        body["messages"] = list(_messages(body["messages"][0], ask.conversation, mark))
    if not ask.as_text:
        body |= _tools(sent, ask.tool, lookups=ask.conversation is not None)
    thinking = _thinking(info, sent, max_tokens, lookups=ask.conversation is not None)
    if thinking:
        body["thinking"] = thinking
    elif Feature.SAMPLING in sent:
        body["extra_body"] = {"temperature": info.temperature}
    output: dict[str, Any] = {}
    if Feature.EFFORT in sent:
        output["effort"] = info.effort
    if ask.schema is not None and Feature.FORMAT in sent:
        output["format"] = {"type": "json_schema", "schema": ask.schema}
    if output:
        body["output_config"] = output
    return body


def _messages(
    first: dict[str, Any], conversation: Conversation, mark: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the messages of a conversation.

    The last message of the user ends at a cache breakpoint, and so does the one before it, where
    the last request wrote: a lookup in the cache goes back 20 blocks only, and a turn may have
    more. With those of the system prompt and the shared block these are four, the most allowed.
    """
    if conversation.opening:
        first["content"].append({"type": "text", "text": conversation.opening})
    messages = [first]
    for turn in conversation.turns:
        results: list[dict[str, Any]] = [
            {
                "type": "tool_result",
                "tool_use_id": result.id,
                "content": result.text,
                **({"is_error": True} if result.failed else {}),
            }
            for result in turn.results
        ]
        if turn.note:
            results.append({"type": "text", "text": turn.note})
        messages.append({"role": "assistant", "content": json.loads(turn.content)})
        messages.append({"role": "user", "content": results})
    for message in messages[::2][-2:]:
        message["content"][-1] |= mark
    yield from messages


def _tools(sent: AbstractSet[Feature], answer: dict[str, Any], *, lookups: bool) -> dict[str, Any]:
    """Return the tools and the choice; ``answer`` is the tool of the response."""
    tool = dict(answer)
    for feature in (Feature.STRICT, Feature.EAGER):
        if feature in sent:
            tool[feature.value] = True
    if Feature.TOOL_CHOICE not in sent:
        return {"tools": [tool, *(LOOKUP_TOOLS if lookups else ())]}
    choice: dict[str, Any] = {"type": "auto"}
    if Feature.FORCED in sent:
        choice = {"type": "tool", "name": tool["name"]}
    if Feature.SINGLE_CALL in sent:
        choice[Feature.SINGLE_CALL.value] = True
    return {"tools": [tool, *(LOOKUP_TOOLS if lookups else ())], "tool_choice": choice}


def _thinking(
    info: ModelInfo, sent: AbstractSet[Feature], max_tokens: int, *, lookups: bool
) -> dict[str, Any] | None:
    if Feature.THINKING not in sent:
        return None
    # The mode stays the same for a conversation, but max_tokens, which bounds a budget, does not.
    if lookups and info.thinking != "adaptive":
        return None
    if info.thinking == "adaptive":
        display = {"display": "summarized"} if Feature.SUMMARIES in sent else {}
        return {"type": "adaptive", **display}
    # A budget forbids forcing, and must be below max_tokens ("Extended thinking").
    if Feature.FORCED in sent or max_tokens < 2 * MIN_BUDGET:
        return None
    return {"type": "enabled", "budget_tokens": max(MIN_BUDGET, max_tokens // 2)}


_REFUSALS: Final[tuple[tuple[re.Pattern[str], tuple[Feature, ...]], ...]] = tuple(
    (re.compile(pattern), features)
    for pattern, features in (
        # Servers refuse both together. Without strict the answer still streams.
        (r"eager.*\bstrict\b|\bstrict\b.*eager", (Feature.STRICT, Feature.EAGER)),
        (r"eager", (Feature.EAGER,)),
        (r"parallel", (Feature.SINGLE_CALL,)),
        (r"tool_choice|tool choice", (Feature.FORCED, Feature.SINGLE_CALL, Feature.TOOL_CHOICE)),
        (r"\bdisplay\b", (Feature.SUMMARIES,)),
        (r"\beffort\b", (Feature.EFFORT,)),
        (r"thinking|budget_tokens", (Feature.THINKING,)),
        (r"output_config\.format|output_format|json_schema", (Feature.FORMAT,)),
        (r"output_config", (Feature.EFFORT, Feature.FORMAT)),
        (r"cache_control|prompt caching", (Feature.CACHE,)),
        (r"\bstrict\b|input_schema|grammar|schema is too", (Feature.STRICT,)),
        (r"grammar|schema", (Feature.FORMAT,)),
        (r"temperature|sampling", (Feature.SAMPLING,)),
        (r"\btools?\b|function", (Feature.LOOKUPS,)),
    )
)


_COMPLAINT: Final = 2000
"""Characters of a complaint that are looked at."""


def refused_feature(sent: AbstractSet[Feature], complaint: str) -> Feature | None:
    """Return the feature that ``complaint``, the text of a 400, refuses; None if there is none.

    Only a feature that was sent can be refused.
    """
    complaint = complaint[:_COMPLAINT].lower()
    for pattern, features in _REFUSALS:
        if pattern.search(complaint):
            for feature in features:
                if feature in sent:
                    return feature
    return None
