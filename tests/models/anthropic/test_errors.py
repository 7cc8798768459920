"""Errors of the API: which kind each is, and messages that show no key."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.models.anthropic.errors import MAX_MESSAGE, Faults, retry_after
from reviewbot.models.base import PASSING, Fault, Stop
from tests.fake_anthropic import Answer, FakeAnthropic, Script, StatusError, StreamError, finding
from tests.models.asking import ask, claude
from tests.virtual_time import in_virtual_time

SPENT = "You have reached your specified API usage limits. You will regain access on 2026-12-01."
LOW = "Your credit balance is too low to access the Anthropic API."


@pytest.mark.parametrize(
    ("error", "fault", "says"),
    [
        (StatusError(400, "messages: too many"), Fault.REJECTED, "messages: too many"),
        (StatusError(400, SPENT), Fault.SPEND_LIMIT, "spend limit is reached"),
        (StatusError(400, LOW), Fault.SPEND_LIMIT, "spend limit is reached"),
        (StatusError(401), Fault.AUTH, "check the API key"),
        (StatusError(402), Fault.SPEND_LIMIT, "billing_error"),
        (StatusError(403), Fault.AUTH, "permission_error"),
        (StatusError(404), Fault.REJECTED, "check the model's name"),
        (StatusError(405), Fault.REJECTED, "405"),
        (StatusError(408), Fault.TRANSIENT, "408"),
        (StatusError(409), Fault.TRANSIENT, "conflict_error"),
        (StatusError(413), Fault.REJECTED, "request_too_large"),
        (StatusError(422), Fault.REJECTED, "422"),
        (StatusError(429), Fault.RATE_LIMITED, "rate_limit_error"),
        (StatusError(429, error_code="ramp_limit_exceeded"), Fault.RATE_LIMITED, "429"),
        (StatusError(429, error_code="enforced_spend_limit_reached"), Fault.SPEND_LIMIT, "429"),
        (StatusError(429, error_code="contract_spend_limit_reached"), Fault.SPEND_LIMIT, "429"),
        (
            StatusError(429, error_code="linked_organization_spend_limit_reached"),
            Fault.SPEND_LIMIT,
            "429",
        ),
        (StatusError(500), Fault.TRANSIENT, "api_error"),
        (StatusError(502, body=b"<html>Bad gateway</html>"), Fault.TRANSIENT, "Bad gateway"),
        (StatusError(503, body=b""), Fault.TRANSIENT, "503"),
        (StatusError(504), Fault.TRANSIENT, "timeout_error"),
        (StatusError(529), Fault.OVERLOADED, "overloaded_error"),
        (StatusError(400, body=b'{"error": "prompt too long"}'), Fault.REJECTED, "prompt too long"),
        (StatusError(400, body=b'{"detail": [1]}'), Fault.REJECTED, "detail"),
        (StatusError(400, body=b'["odd"]'), Fault.REJECTED, "odd"),
        (StatusError(529, headers={"x-should-retry": "false"}), Fault.REJECTED, "529"),
        (StatusError(418, headers={"x-should-retry": "true"}), Fault.TRANSIENT, "418"),
    ],
)
@in_virtual_time
async def test_a_status_is_a_fault_of_its_kind(error: StatusError, fault: Fault, says: str) -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(error)
        seen = await ask(model)
    assert len(fake.requests) == 1, "the SDK must not retry by itself"
    assert seen.fault is not None
    assert seen.fault.fault is fault
    assert says in str(seen.fault)
    assert seen.fault.request_id == "req_1"
    assert seen.fault.retryable == (fault in PASSING)
    assert seen.events == []


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (StreamError("overloaded_error"), Fault.OVERLOADED),
        (StreamError("api_error"), Fault.TRANSIENT),
        (StreamError("timeout_error"), Fault.TRANSIENT),
        (StreamError("rate_limit_error"), Fault.RATE_LIMITED),
        (
            StreamError("rate_limit_error", error_code="enforced_spend_limit_reached"),
            Fault.SPEND_LIMIT,
        ),
        (StreamError("invalid_request_error"), Fault.REJECTED),
        (StreamError("authentication_error"), Fault.AUTH),
        (StreamError("billing_error"), Fault.SPEND_LIMIT),
        (StreamError("something_new"), Fault.REJECTED),
    ],
)
@pytest.mark.parametrize("call", [True, False])
@in_virtual_time
async def test_an_error_within_the_stream_is_a_fault_of_its_type(
    error: StreamError, fault: Fault, *, call: bool
) -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Answer(findings=[finding()], call=call, error=error))
        seen = await ask(model)
    assert seen.stopped is None
    assert seen.fault is not None
    assert seen.fault.fault is fault
    assert error.type in str(seen.fault)
    assert seen.fault.request_id == "req_stream"
    assert bool(seen.report) == call


@pytest.mark.parametrize("data", [b'"no object"', b"{}", b'{"type":"error","error":"odd"}', b"[]"])
@in_virtual_time
async def test_an_odd_error_event_is_a_fault_all_the_same(data: bytes) -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Script([b"event: error\ndata: " + data + b"\n\n"]))
        seen = await ask(model)
    assert seen.stopped is None
    assert seen.fault is not None


@pytest.mark.parametrize(
    "data",
    [
        b"data: {\n\n",
        b"data: " + b"[" * 100_000 + b"\n\n",
        b"data: \xff\xfe\n\n",
        b"event: content_block_delta\ndata: nonsense\n\n",
    ],
)
@in_virtual_time
async def test_a_broken_stream_is_unusable_and_no_crash(data: bytes) -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Script([data]))
        seen = await ask(model)
    assert seen.fault is not None
    assert seen.fault.fault is Fault.UNUSABLE
    assert seen.fault.request_id == "req_1"


@pytest.mark.parametrize(
    "events",
    [
        [{"type": "content_block_delta", "index": "x", "delta": 5}],
        [{"type": "content_block_start", "index": None, "content_block": []}],
        [{"type": "content_block_delta", "index": 9, "delta": {"partial_json": {"a": 1}}}],
        [{"type": "message_start", "message": "hello"}, {"type": "content_block_stop"}],
        [{"type": "message_delta", "delta": None, "usage": [1]}],
        [{"type": 5}, {}],
    ],
)
@in_virtual_time
async def test_events_of_the_wrong_shape_do_no_harm(events: list[dict[str, object]]) -> None:
    odd = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Script([odd, Answer(findings=[finding()]).wire()]))
        seen = await ask(model)
    assert seen.fault is None
    assert seen.stopped is not None
    assert seen.stopped.stop is Stop.COMPLETE


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json"])
@in_virtual_time
async def test_a_server_that_does_not_stream_is_told_apart_from_a_cut(kind: str) -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Script([b"<html>"], headers={"content-type": kind}))
        seen = await ask(model)
    assert seen.fault is not None
    assert seen.fault.fault is Fault.REJECTED
    assert "check the base URL" in str(seen.fault)


# retry-after

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)


def _http(date: datetime) -> str:
    return format_datetime(date, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e400"}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9),
        ({"retry-after": _http(NOW + timedelta(seconds=90)), "date": _http(NOW)}, 90),
        ({"retry-after": _http(NOW - timedelta(seconds=90)), "date": _http(NOW)}, 0),
        ({"retry-after": "Wed, 25 Nov 2026 12:00:30 -0000", "date": _http(NOW)}, 30),
        ({"retry-after": "Mon, 99 Foo 2026 99:99:99 GMT"}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers) == seconds


def test_a_date_without_the_servers_clock_is_compared_with_ours() -> None:
    later = datetime.now(UTC) + timedelta(seconds=100)
    seconds = retry_after({"retry-after": _http(later)})
    assert seconds is not None
    assert 90 < seconds <= 100


@in_virtual_time
async def test_retry_after_reaches_the_fault_from_a_status_and_from_a_stream() -> None:
    error = StatusError(429, retry_after=30)
    stream = Answer(error=StreamError("rate_limit_error"), headers={"retry-after-ms": "1500"})
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(error, stream)
        first, second = (await ask(model)).fault, (await ask(model)).fault
    assert first is not None
    assert first.retry_after == 30
    assert second is not None
    assert second.retry_after == 1.5


# What a message may hold


@pytest.mark.parametrize("place", ["message", "type", "body", "stream", "refusal", "stop_reason"])
@in_virtual_time
async def test_no_message_holds_the_key_or_control_characters(place: str) -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        echo = f"you sent Bearer {fake.key}\x1b[31m\n\u202e" + "x" * 5000
        replies: dict[str, Answer | StatusError] = {
            "message": StatusError(400, echo),
            "type": StatusError(400, "m", type=echo),
            "body": StatusError(502, body=echo.encode()),
            "stream": Answer(error=StreamError(echo, echo)),
            "refusal": Answer(
                stop_reason="refusal", stop_details={"category": echo, "explanation": echo}
            ),
            "stop_reason": Answer(stop_reason=echo),
        }
        fake.enqueue(replies[place])
        seen = await ask(model)
    text = str(seen.fault) if seen.fault else seen.stopped.detail if seen.stopped else ""
    assert text
    assert fake.key not in text
    assert "[key]" in text
    assert text.isprintable()
    assert len(text) < 3 * MAX_MESSAGE


@given(st.text(), st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8))
def test_cleaning_leaves_one_short_line_without_the_key(text: str, key: str) -> None:
    for said in (text, text + key + text, key * 200):
        clean = Faults("host", key).clean(said)
        assert key not in clean
        assert clean.isprintable()
        assert len(clean) <= MAX_MESSAGE
        clean.encode()
