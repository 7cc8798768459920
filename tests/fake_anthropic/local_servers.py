"""Replies as servers of local models give them: slow to read, and loose with the protocol.

Each function returns a responder for ``FakeAnthropic(respond, models={...})``. The facts are those
of the servers' sources in 2026: llama-server turns a forced ``tool_choice`` into a grammar that
admits nothing but a call; Ollama ignores it and sends the input of a tool as one delta; both drop
``strict`` and ``cache_control``, and both are silent until the whole request is read. Here, each
reads one request at a time, because more slots would share one processor. A gateway in front of
them, or vLLM, begins its answer at once and may send pings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fake_anthropic.replies import Answer, Pause, Responder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.fake_anthropic.requests import Recorded

BYTES_PER_TOKEN = 3.5
"""Of the tokenizers of local models, on prompts with code."""


def reading_s(request: Recorded, tokens_per_s: float) -> float:
    """Seconds that a server takes to read the whole request."""
    return len(request.raw) / BYTES_PER_TOKEN / tokens_per_s


class _Processor:
    """Reads one request at a time; the others wait in a queue."""

    def __init__(self, tokens_per_s: float) -> None:
        self._tokens_per_s, self._busy_until = tokens_per_s, 0.0

    def delay(self, request: Recorded) -> float:
        """Seconds until ``request`` is read, from its arrival on."""
        begins = max(request.at, self._busy_until)
        self._busy_until = begins + reading_s(request, self._tokens_per_s)
        return self._busy_until - request.at


def llama_server(
    findings: Sequence[Mapping[str, Any]] = (), *, tokens_per_s: float = 1e6, prose: str = ""
) -> Responder:
    """A model on llama-server; with ``prose`` it calls the tool only if it is forced to."""
    processor = _Processor(tokens_per_s)

    def respond(request: Recorded) -> Answer:
        calls = request.forced or not prose
        delay = processor.delay(request)
        return Answer(findings, call=calls, preamble="" if calls else prose, delay=delay)

    return respond


def ollama(
    findings: Sequence[Mapping[str, Any]] = (), *, tokens_per_s: float = 1e6, prose: str = ""
) -> Responder:
    """A model on Ollama; with ``prose`` it never calls the tool, forced or not."""
    processor = _Processor(tokens_per_s)

    def respond(request: Recorded) -> Answer:
        delay = processor.delay(request)
        return Answer(findings, call=not prose, preamble=prose, delta_size=None, delay=delay)

    return respond


def gateway(
    findings: Sequence[Mapping[str, Any]] = (), *, tokens_per_s: float, ping_every: float | None
) -> Responder:
    """A server that begins its answer at once, and is silent or sends pings while it reads."""

    def respond(request: Recorded) -> Answer:
        pause = Pause(reading_s(request, tokens_per_s), ping_every)
        return Answer(findings, before=[pause])

    return respond
