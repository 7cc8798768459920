"""Claude, and every server that speaks the Anthropic Messages API, as a reviewer.

Features that a server refuses are left out from then on
(:mod:`reviewbot.models.anthropic.dialect`). The first request of a shared prefix goes ahead of the
others (:mod:`reviewbot.models.anthropic.prefix_gate`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.events.events import Usage
from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.core.prompt.request import answer_tool, render
from reviewbot.models.anthropic.deadlines import ModelTimeouts
from reviewbot.models.anthropic.dialect import (
    Ask,
    Feature,
    features_of,
    refused_feature,
    request_body,
    sent_features,
)
from reviewbot.models.anthropic.messages_api import BadRequest, MessagesApi
from reviewbot.models.anthropic.prefix_gate import PrefixGate
from reviewbot.models.base import (
    Answering,
    Fault,
    LookupsRefusedError,
    ModelFault,
    Prefill,
    Stop,
    Stopped,
    ToolInput,
    TurnContent,
    UsageReport,
)
from reviewbot.models.catalog import caching_pays
from reviewbot.models.conversation import Conversation

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.models.anthropic.deadlines import Frame
    from reviewbot.models.base import ModelEvent
    from reviewbot.models.catalog import ModelInfo

__all__ = ["Claude", "ModelTimeouts", "Probe"]

_PROBE_TOKENS: Final = 1024
_MAX_BRACES: Final = 50
"""Maximum number of places in an answer where a JSON object is looked for."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Result of a test request: how it ended, its tokens, and the refused features.

    ``answered`` is the kind of an answer without a report.
    """

    stop: Stop
    usage: Usage
    refused: tuple[str, ...]
    answered: str | None = None


class Claude:
    """A :class:`reviewbot.models.base.Model`. Use one instance for many requests, then close it.

    Args:
        info: the model.
        api_key: the API key; None or empty for servers without authentication.
        base_url: URL of the server; None for Anthropic's. Environment variables are not read.
        timeouts: time limits of a request.
        on_frame: function that sees each event of a response, pings included.

    Raises:
        ConfigError: the key or the address is invalid.
    """

    def __init__(
        self,
        info: ModelInfo,
        *,
        api_key: str | None,
        base_url: str | None = None,
        timeouts: ModelTimeouts | None = None,
        on_frame: Callable[[Frame], None] | None = None,
    ) -> None:
        timeouts = timeouts or ModelTimeouts()
        self._info = info
        self._features = features_of(info)
        self._gate = PrefixGate(timeouts.follow_s)
        self._room = asyncio.Semaphore(info.parallel) if info.parallel else nullcontext()
        self._api = MessagesApi(api_key, base_url, timeouts, on_frame=on_frame)

    @property
    def info(self) -> ModelInfo:
        """Its name, capabilities and prices, as the catalogue has them."""
        return self._info

    @property
    def refused(self) -> tuple[str, ...]:
        """Parts of requests that the server refused so far, by their names on the wire."""
        return tuple(sorted(features_of(self._info) - self._features))

    async def aclose(self) -> None:
        """Close all connections. The instance can still be used: it would open new ones."""
        await self._api.aclose()

    async def stream(
        self, request: ModelRequest, *, max_tokens: int
    ) -> AsyncGenerator[ModelEvent, None]:
        """Stream one response. Closing the generator ends the request at once.

        A response without a tool call is requested again as JSON text, if the server supports
        ``output_config.format``.

        Raises:
            ModelFault: the request failed; earlier events stay valid.
        """
        earlier = Usage()
        for schema in (None, answer_tool(request)["input_schema"]):
            ask = self._review(request, max_tokens, schema)
            usage = Usage()
            async with aclosing(self._answer(ask)) as events:
                async for event in events:
                    match event:
                        case UsageReport():
                            usage = event.usage
                            yield UsageReport(earlier + usage, requests=2 if schema else 1)
                        case Answering() if schema:
                            pass
                        case Stopped(stop=Stop.NO_REPORT) if (
                            not schema and Feature.FORMAT in self._features
                        ):
                            break
                        case Stopped():
                            yield event
                            return
                        case _:
                            yield event
            earlier = earlier + usage

    async def converse(
        self, request: ModelRequest, conversation: Conversation, *, max_tokens: int
    ) -> AsyncGenerator[ModelEvent, None]:
        """Stream the next turn of a conversation with look-ups.

        A server that refuses a conversation is not offered one again. A later turn that it refuses
        fails, so that a retry begins anew.

        Raises:
            LookupsRefusedError: the server does not offer look-ups; no event came before.
            ModelFault: the request failed; earlier events stay valid.
        """
        if not conversation.turns and Feature.LOOKUPS not in self._features:
            raise LookupsRefusedError
        ask = self._review(request, max_tokens, conversation=conversation)
        try:
            async with aclosing(self._answer(ask)) as events:
                async for event in events:
                    yield event
        except LookupsRefusedError:
            self._features -= {Feature.LOOKUPS}
            raise
        except BadRequest as refusal:
            self._features -= {Feature.LOOKUPS}
            raise ModelFault(str(refusal.fault), fault=Fault.UNUSABLE) from None

    def _review(
        self,
        request: ModelRequest,
        max_tokens: int,
        schema: dict[str, Any] | None = None,
        conversation: Conversation | None = None,
    ) -> Ask:
        prompt = render(request, as_text=schema is not None, profile=self._info.prompt)
        return Ask(
            prompt.system,
            prompt.shared,
            prompt.body,
            max_tokens,
            schema,
            keeps_shared=caching_pays(self._info, request.shared_reads),
            estimated=request.tokens,
            conversation=conversation,
            tool=answer_tool(request),
        )

    async def count_tokens(self, request: ModelRequest) -> int:
        """Return the input tokens of a review request, as the server counts them.

        Raises:
            ModelFault: the server does not count, or the request failed.
        """
        if Feature.LOOKUPS not in self._features:  # as the review sends it
            request = replace(request, lookups=0)
        conversation = Conversation() if request.lookups else None
        ask = self._review(request, _PROBE_TOKENS, conversation=conversation)
        return await self._api.count(request_body(self._info, ask, self._features))

    async def answer_json(
        self,
        system: str,
        user: str,
        schema: dict[str, Any],
        *,
        max_tokens: int,
        used: Callable[[Usage], None],
    ) -> dict[str, Any]:
        """Return one JSON object that fits ``schema``, as far as the server enforces schemas.

        ``used`` is called with the usage so far each time the server reports it.

        Raises:
            ModelFault: there is no JSON object.
        """
        # The prompt names the keys, too: some servers accept output_config.format but ignore it.
        keys = ", ".join(f"`{key}`" for key in schema["required"])
        user += f"\n\nAnswer with one JSON object with the keys {keys}."
        return await self._json(Ask(system, "", user, max_tokens, schema), used)

    async def _json(self, ask: Ask, used: Callable[[Usage], None]) -> dict[str, Any]:
        text, stopped = "", Stopped(Stop.NO_REPORT)
        async for event in self._answer(ask):
            match event:
                case ToolInput(text=piece):
                    text += piece
                case UsageReport():
                    used(event.usage)
                case Stopped():
                    stopped = event
                case _:
                    pass
        return _object_in(text, stopped)

    def answer_words(
        self, system: str, user: str, *, max_tokens: int
    ) -> AsyncGenerator[ModelEvent, None]:
        """Yield an answer in plain words, as it is written; no tool is offered.

        Raises:
            ModelFault: the request failed.
        """
        return self._answer(Ask(system, "", user, max_tokens, words=True))

    async def probe(self) -> Probe:
        """Send a small request in the form of a review, to check key, model and tool.

        Raises:
            ModelFault: the request failed.
        """
        body = f"This is a test. Call {REPORT_TOOL['name']} with no findings, outcome complete."
        ask = Ask("You test a connection.", "", body, _PROBE_TOKENS)
        usage, stopped = Usage(), Stopped(Stop.NO_REPORT)
        async for event in self._answer(ask):
            match event:
                case UsageReport():
                    usage = event.usage
                case Stopped():
                    stopped = event
                case _:
                    pass
        return Probe(stopped.stop, usage, self.refused, stopped.answered)

    async def _answer(self, ask: Ask) -> AsyncGenerator[ModelEvent, None]:
        """Send one request. Retry without a feature as long as the server refuses one."""
        turns = ask.conversation.turns if ask.conversation else ()
        # What a server refuses on the way is not left out: a conversation does not change.
        fixed = (
            frozenset(map(Feature, ask.conversation.form)) if ask.conversation and turns else None
        )
        speed = self._info.prefill_tokens_per_s
        prefill_s = math.ceil(ask.tokens / speed) if speed else 0.0
        key = None if turns else self._prefix_key(ask)
        async with self._room, self._gate.slot(key):
            if speed:
                yield Prefill(ask.tokens)
            while True:
                features = self._features if fixed is None else fixed
                looks_up = ask.conversation is not None and not ask.as_text
                if looks_up and Feature.LOOKUPS not in features:  # refused while this waited
                    raise LookupsRefusedError
                # Between two reports of a turn a model may think in silence.
                piecewise = ask.as_text or (Feature.EAGER in features and not looks_up)
                body = request_body(self._info, ask, features)
                sent = self._api.stream(
                    body,
                    as_text=ask.as_text,
                    piecewise=piecewise,
                    prefill_s=prefill_s,
                    lookups=looks_up,
                    tool=ask.tool["name"],
                )
                try:
                    async with aclosing(sent) as events:
                        async for event in events:
                            if key is not None and isinstance(event, Answering):
                                self._gate.warm(key)
                            if isinstance(event, TurnContent):
                                form = tuple(sorted(sent_features(ask, features)))
                                event = replace(event, form=form)  # noqa: PLW2901 - one field
                            yield event
                except BadRequest as refusal:
                    if fixed is not None:
                        raise
                    feature = refused_feature(sent_features(ask, features), refusal.complaint)
                    if feature is None:
                        raise refusal.fault from None
                    if feature is Feature.LOOKUPS:
                        raise LookupsRefusedError from None
                    # Each retry sends fewer features, so the loop ends.
                    self._features -= {feature}
                else:
                    return

    def _prefix_key(self, ask: Ask) -> bytes | None:
        minimum = self._info.cache_minimum
        text = f"{ask.as_text}{ask.conversation is None}\0{ask.system}\0{ask.shared}"
        # At two characters a token, the estimate exceeds that of any tokenizer for code.
        if minimum is None or Feature.CACHE not in self._features or len(text) < 2 * minimum:
            return None
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _object_in(text: str, stopped: Stopped) -> dict[str, Any]:
    """Return the last JSON object of a response, if possible one that is not empty.

    Servers without structured output may add text, and the text may have braces.
    """
    if stopped.stop is Stop.REFUSED:
        raise ModelFault(stopped.detail, fault=Fault.REFUSED)
    if stopped.stop is Stop.COMPLETE:
        found: dict[str, Any] | None = None
        at = text.find("{")
        for _ in range(_MAX_BRACES):
            if at < 0:
                break
            try:
                value, end = json.JSONDecoder().raw_decode(text, at)
            except (ValueError, RecursionError):
                end = at + 1
            else:
                found = value or found or {}
            at = text.find("{", end)
        if found is not None:
            return found
    cut = stopped.stop is Stop.TRUNCATED
    what = "was truncated at its length limit" if cut else "is not a JSON object"
    raise ModelFault(f"the model's answer {what}", fault=Fault.UNUSABLE)
