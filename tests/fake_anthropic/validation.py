"""What the real API refuses, by its documentation; facts are stated here on their own.

They are deliberately not read from reviewbot's catalogue: a wrong fact there must show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fake_anthropic.replies import StatusError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from tests.fake_anthropic.requests import Recorded

MAX_BODY = 32 * 1024 * 1024

_GENERATION_4_5 = ("claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5")
_MODELS_1M = (
    "claude-fable-5-2",
    "claude-fable-5-1",
    "claude-fable-5",
    "claude-mythos-5-2",
    "claude-mythos-5-1",
    "claude-mythos-5",
    "claude-opus-5-5",
    "claude-opus-5",
    "claude-opus-4-8",
    "claude-opus-4-7",
    "claude-opus-4-6",
    "claude-sonnet-5-5",
    "claude-sonnet-5",
    "claude-sonnet-4-6",
    "claude-haiku-5-5",
)
MAX_OUTPUT = dict.fromkeys(_MODELS_1M, 128_000) | dict.fromkeys(_GENERATION_4_5, 64_000)
MODELS = frozenset(MAX_OUTPUT)
NO_FORCING = frozenset(
    {
        "claude-opus-5-5",
        "claude-sonnet-5-5",
        "claude-fable-5-1",
        "claude-fable-5-2",
        "claude-mythos-5-1",
        "claude-mythos-5-2",
    }
)
ALWAYS_THINKING = frozenset(
    name for name in MODELS if name.startswith(("claude-fable", "claude-mythos"))
) | {"claude-opus-5-5"}
BUDGET_ONLY = frozenset(_GENERATION_4_5)
BUDGET_TOO = BUDGET_ONLY | {"claude-opus-4-6", "claude-sonnet-4-6"}

SAMPLING = frozenset({"temperature", "top_p", "top_k"})
_FIELDS = frozenset(
    {
        "model",
        "max_tokens",
        "messages",
        "system",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
        "stream",
        "stop_sequences",
        "metadata",
        "cache_control",
        "service_tier",
        "inference_geo",
        "diagnostics",
        "fallbacks",
    }
)
_TOOL_FIELDS = frozenset(
    {"name", "description", "input_schema", "strict", "eager_input_streaming", "cache_control"}
) | {"type", "input_examples", "defer_loading", "allowed_callers"}
_SCHEMA_REFUSED = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
) | {"minLength", "maxLength", "maxItems", "uniqueItems", "minProperties", "maxProperties"}


def refusal(
    request: Recorded,
    *,
    key: str,
    refuses: Collection[str],
    models: Collection[str] | None,
    accepts: Collection[str] = (),
) -> StatusError | None:
    """The error that the API answers with, or None where the request is acceptable.

    Args:
        request: the request.
        key: the only valid key.
        refuses: features that this server does not know, for servers other than Anthropic's.
        models: names this server knows; None for those of Anthropic.
        accepts: features that this server knows and Anthropic's does not.
    """
    error = _access(request, key)
    if error is not None:
        return error
    if len(request.raw) > MAX_BODY:
        return StatusError(413, "Request exceeds the maximum size")
    name = request.body.get("model")
    if name not in (MODELS if models is None else models):
        return StatusError(404, f"model: {name}")
    complaint = next(_complaints(request, refuses, accepts, strict_facts=models is None), None)
    return StatusError(400, complaint) if complaint else None


def _access(request: Recorded, key: str) -> StatusError | None:
    if request.headers.get("authorization") != f"Bearer {key}":
        return StatusError(401, "invalid bearer token")
    if not request.headers.get("anthropic-version"):
        return StatusError(400, "anthropic-version: header is required")
    if "application/json" not in request.headers.get("content-type", ""):
        return StatusError(400, "content-type must be application/json")
    return None


def _complaints(
    request: Recorded,
    refuses: Collection[str],
    accepts: Collection[str],
    *,
    strict_facts: bool,
) -> Iterator[str]:
    yield from _refused_features(request, refuses)
    counting = request.path.endswith("/count_tokens")
    yield from _shape(request.body, counting=counting, samples="sampling" in accepts)
    yield from _tools(request.body)
    yield from _pairs(request.body.get("messages"))
    yield from _breakpoints(request.body)
    if strict_facts:
        yield from _model_facts(request.body, counting=counting)


def _shape(body: Mapping[str, Any], *, counting: bool, samples: bool) -> Iterator[str]:
    for name in SAMPLING:
        if name in body and not samples:
            yield f"{name}: sampling parameters are not supported under this API version"
    for name in sorted(set(body) - _FIELDS - SAMPLING):
        yield f"{name}: Extra inputs are not permitted"
    if not counting and (not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1):
        yield "max_tokens: Field required"
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        yield "messages: at least one message is required"
        return
    if messages[0].get("role") != "user":
        yield "messages: first message must use the user role"
    if messages[-1].get("role") == "assistant":
        yield "This model does not support assistant message prefill."
    blocks = [body.get("system") or [], *(message.get("content") or [] for message in messages)]
    for block in (block for group in blocks if isinstance(group, list) for block in group):
        if block.get("type") == "text" and not block.get("text", "").strip():
            yield "messages: text content blocks must contain non-whitespace text"
    if any(not message.get("content") for message in messages):
        yield "messages: all messages must have non-empty content"


def _tools(body: Mapping[str, Any]) -> Iterator[str]:
    tools = body.get("tools") or []
    for number, tool in enumerate(tools):
        where = f"tools.{number}.custom"
        for name in sorted(set(tool) - _TOOL_FIELDS):
            yield f"{where}.{name}: Extra inputs are not permitted"
        for name in ("name", "input_schema"):
            if name not in tool:
                yield f"{where}.{name}: Field required"
        if tool.get("strict"):
            yield from _schema(tool["input_schema"], f"{where}.input_schema")
    output_format = (body.get("output_config") or {}).get("format")
    if output_format is not None:
        if output_format.get("type") != "json_schema":
            yield "output_config.format.type: Input should be 'json_schema'"
        yield from _schema(output_format.get("schema"), "output_config.format.schema")
    choice = body.get("tool_choice")
    if choice is None:
        return
    if not tools:
        yield "tool_choice: may only be specified while providing tools"
    if choice.get("type") not in ("auto", "any", "tool", "none"):
        yield "tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'"
    if choice.get("type") == "tool" and choice.get("name") not in [t.get("name") for t in tools]:
        yield f"tool_choice: Tool '{choice.get('name')}' not found in provided tools"


def _schema(schema: object, where: str) -> Iterator[str]:
    if not isinstance(schema, dict):
        yield f"{where}: Input should be an object"
        return
    for name in sorted(_SCHEMA_REFUSED & set(schema)):
        yield f"{where}: For '{schema.get('type')}' type, property '{name}' is not supported"
    if schema.get("minItems", 0) not in (0, 1):
        yield f"{where}: 'minItems' must be 0 or 1"
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        yield f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false"
    for name, inner in (schema.get("properties") or {}).items():
        yield from _schema(inner, f"{where}.{name}")
    if "items" in schema:
        yield from _schema(schema["items"], f"{where}.items")
    for name in ("anyOf", "allOf"):
        for inner in schema.get(name, ()):
            yield from _schema(inner, f"{where}.{name}")


def _pairs(messages: Any) -> Iterator[str]:
    """Every call is answered in the next message, before any text (tool use documentation)."""
    contents = [message.get("content") for message in messages or ()]
    blocks = [content if isinstance(content, list) else [] for content in contents]
    for number, content in enumerate(blocks):
        called = [block["id"] for block in content if block["type"] == "tool_use"]
        after = blocks[number + 1] if number + 1 < len(blocks) else []
        answered = [
            block["tool_use_id"] for block in after[: len(called)] if "tool_use_id" in block
        ]
        if len(set(called)) != len(called):
            yield f"messages.{number}: `tool_use` ids must be unique"
        if sorted(called) != sorted(answered):
            yield (
                f"messages.{number}: `tool_use` ids were found without `tool_result` blocks"
                " immediately after"
            )
        if any("tool_use_id" in block for block in after[len(called) :]):
            yield f"messages.{number + 1}: unexpected `tool_use_id` found in `tool_result` blocks"
        for block in content:
            if block["type"] == "thinking" and not block.get("signature"):
                yield f"messages.{number}.thinking.signature: Field required"


def _marks(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    groups = [body.get("tools"), body.get("system")]
    groups += [message.get("content") for message in body.get("messages") or ()]
    for group in groups:
        if isinstance(group, list):
            yield from (block for block in group if "cache_control" in block)
    if "cache_control" in body:
        yield body


def _breakpoints(body: Mapping[str, Any]) -> Iterator[str]:
    marks = list(_marks(body))
    if len(marks) > 4:
        yield f"A maximum of 4 blocks with cache_control may be provided. Found {len(marks)}."
    for mark in marks:
        control = mark["cache_control"]
        if control.get("type") != "ephemeral" or control.get("ttl", "5m") not in ("5m", "1h"):
            yield "cache_control: Input should be an ephemeral cache with ttl '5m' or '1h'"


def _model_facts(body: Mapping[str, Any], *, counting: bool) -> Iterator[str]:
    name = body["model"]
    limit = MAX_OUTPUT[name]
    if not counting and body["max_tokens"] > limit:
        yield (
            f"max_tokens: {body['max_tokens']} > {limit}, which is the maximum allowed number of "
            f"output tokens for {name}"
        )
    forced = (body.get("tool_choice") or {}).get("type") in ("any", "tool")
    if forced and name in NO_FORCING:
        yield 'tool_choice: type "tool" and "any" are not supported for this model.'
    if "effort" in (body.get("output_config") or {}) and name in BUDGET_ONLY - {"claude-opus-4-5"}:
        yield f"output_config.effort: This model does not support the effort parameter: {name}"
    yield from _thinking(body, forced=forced)


def _thinking(body: Mapping[str, Any], *, forced: bool) -> Iterator[str]:
    name, thinking = body["model"], body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type")
    if kind == "adaptive" and name in BUDGET_ONLY:
        yield f"thinking: adaptive thinking is not supported on {name}"
    if kind == "disabled" and name in ALWAYS_THINKING:
        yield f"thinking: thinking cannot be disabled on {name}"
    if kind == "between_tools" and name != "claude-sonnet-5-5":
        yield f"thinking.type: between_tools is not supported on {name}"
    if kind == "enabled":
        budget = thinking.get("budget_tokens", 0)
        if name not in BUDGET_TOO:
            yield f"thinking.type: 'enabled' is not supported on {name}; use 'adaptive'"
        if budget < 1024:
            yield "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        if budget >= body["max_tokens"]:
            yield "max_tokens must be greater than thinking.budget_tokens"
        if forced:
            yield "Thinking may not be enabled when tool_choice forces tool use."
    if kind not in ("adaptive", "disabled", "between_tools", "enabled"):
        yield "thinking.type: Input tag not found using 'type'"
    if thinking.get("display", "omitted") not in ("summarized", "omitted"):
        yield "thinking.display: Input should be 'summarized' or 'omitted'"


def _refused_features(request: Recorded, refuses: Collection[str]) -> Iterator[str]:
    """Complaints of servers that know less than Anthropic's."""
    body, tool = request.body, request.tool or {}
    marked = next(_marks(body), None) is not None
    choice = request.tool_choice or {}
    present = {
        "strict+eager": bool(tool.get("strict") and tool.get("eager_input_streaming")),
        "strict": "strict" in tool,
        "tools": request.offers_lookups,
        "eager_input_streaming": "eager_input_streaming" in tool,
        "forced": request.forced,
        "tool_choice": "tool_choice" in body,
        "disable_parallel_tool_use": "disable_parallel_tool_use" in choice,
        "thinking": "thinking" in body,
        "display": "display" in (body.get("thinking") or {}),
        "output_config": "output_config" in body,
        "effort": "effort" in (body.get("output_config") or {}),
        "format": request.structured,
        "cache_control": marked,
    }
    messages = {
        "strict+eager": "tools.0.custom: strict and eager_input_streaming cannot be combined",
        "strict": "tools.0.custom.strict: Extra inputs are not permitted",
        "tools": "tools: at most one tool is supported",
        "eager_input_streaming": (
            "tools.0.custom.eager_input_streaming: Extra inputs are not permitted"
        ),
        "forced": "tool_choice: forcing tool use is not supported",
        "tool_choice": "tool_choice: Extra inputs are not permitted",
        "disable_parallel_tool_use": (
            "tool_choice.auto.disable_parallel_tool_use: Extra inputs are not permitted"
        ),
        "thinking": "thinking: Extra inputs are not permitted",
        "display": "thinking.adaptive.display: Extra inputs are not permitted",
        "output_config": "output_config: Extra inputs are not permitted",
        "effort": "output_config.effort: Extra inputs are not permitted",
        "format": "output_config.format: Extra inputs are not permitted",
        "cache_control": "system.0.cache_control: Extra inputs are not permitted",
    }
    yield from (messages[name] for name in refuses if present[name])
