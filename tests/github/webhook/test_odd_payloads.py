"""Payloads of any content make a task or a reason, and no error."""

from __future__ import annotations

import copy
import re
from collections import Counter
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.github.webhook.parse import MAX_COMMENT, read
from reviewbot.github.webhook.tasks import Commented, IgnoredDelivery, Ping, ReviewRequested
from tests.support.examples import examples
from tests.support.webhook_payloads import (
    DELIVERY,
    REAL,
    US,
    on_pull_request,
    real,
    reason,
    rerun,
    sent,
)


def test_every_real_payload_is_read() -> None:
    done = Counter(type(sent(event, payload, None)).__name__ for event, payload in REAL)
    assert sum(done.values()) == len(REAL) == 404
    assert done["ReviewRequested"] >= 8
    assert done["PullRequestInactive"] >= 5
    assert done["InstallationChanged"] >= 6
    assert done["Ping"] >= 4


def test_of_real_payloads_only_those_without_work_are_ignored() -> None:
    for event, payload in REAL:
        task = sent(event, payload | {"installation": {"id": 5}})
        if event == "ping":
            assert isinstance(task, Ping)
        elif event == "pull_request" and payload["action"] in ("opened", "synchronize"):
            assert isinstance(task, ReviewRequested)
        elif event == "pull_request_review_comment" and payload["action"] == "created":
            assert isinstance(task, Commented)
        elif not isinstance(task, IgnoredDelivery):
            assert event in (
                *("pull_request", "installation", "installation_repositories", "repository"),
                "merge_group",
            )


@pytest.mark.parametrize("event", ["push", "", "a" * 1_000, "\n::error::", "pull_request\n"])
def test_an_event_that_nobody_waits_for_is_acknowledged(event: str) -> None:
    task = read(event, DELIVERY, b"not read at all", US)
    assert re.fullmatch(r"[a-z ]{1,50}: nothing to do", reason(task))


@pytest.mark.parametrize("delivery", ["", "a b", "a\n", "x" * 65, "\u0661"])
def test_an_id_that_is_none_is_not_passed_on(delivery: str) -> None:
    assert read("ping", delivery, b"{}", US) == IgnoredDelivery(
        "", "the id of the delivery is invalid"
    )


BROKEN = [
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"7",
    b"NaN",
    b"{",
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b'{"action": "opened"}',
    b'{"action": {"opened": 1}}',
    b'{"action": ["opened"]}',
    b'{"pull_request": ' + b"[" * 200_000,
    b'{"pull_request": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
    b'{"action": "opened", "pull_request": {"number": ' + b"9" * 10_000 + b"}}",
]


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
def test_a_payload_that_is_none_is_ignored(body: bytes) -> None:
    for event in ("pull_request", "issue_comment", "check_run", "check_suite", "installation"):
        assert isinstance(read(event, DELIVERY, body, US), IgnoredDelivery)


FIELDS = [
    ("pull_request", "repository.full_name", ["a", "a/b/c", "a/..", "a/.", "-a/b", "a/b\n", 1]),
    ("pull_request", "repository.full_name", ["a/" + "b" * 101, "a" * 101 + "/b", "a/b?x", "ä/b"]),
    ("pull_request", "pull_request.head.sha", ["", "A" * 40, "a" * 39, "a" * 41, "a" * 40 + "\n"]),
    ("pull_request", "pull_request.number", [0, -1, True, 1.0, "1", 2**63, None]),
    ("pull_request", "installation.id", [0, -1, True, 1.0, "1", 2**63, None, {}]),
]


@pytest.mark.parametrize(("event", "path", "values"), FIELDS)
def test_an_odd_field_is_named_and_not_used(event: str, path: str, values: list[object]) -> None:
    for value in values:
        payload = real(event, "opened")
        place = payload
        *outer, key = path.split(".")
        for name in outer:
            place = place[name]
        place[key] = value
        assert path in reason(sent(event, payload))


OURS = [
    (event, payload)
    for event, payload in REAL
    if event in ("pull_request", "pull_request_review_comment", "installation", "ping")
] + [
    ("issue_comment", on_pull_request()),
    ("check_run", rerun("check_run")),
    ("check_suite", rerun("check_suite")),
]
USED = {
    *(
        "action",
        "updated_at",
        "installation",
        "id",
        "repository",
        "full_name",
        "sender",
        "login",
        "type",
    ),
    *("pull_request", "number", "draft", "state", "head", "base", "repo", "sha", "issue"),
    *("comment", "user", "body", "in_reply_to_id", "performed_via_github_app", "check_run"),
    *("check_suite", "app", "slug", "client_id", "external_id", "head_sha", "pull_requests"),
}
odd_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None, exclude_categories=()))
    | st.sampled_from(["", "opened", "x" * 100_000, "created", "a/b", 2**64, "\ud800"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(sorted(USED)), inner),
    max_leaves=8,
)


def slots(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a payload that is looked at."""
    if not isinstance(value, dict):
        return []
    found = [(value, key) for key in value if key in USED]
    return found + [slot for key in value if key in USED for slot in slots(value[key])]


def well_formed(value: object) -> None:
    match value:
        case str():
            assert len(value) <= MAX_COMMENT
            assert "\0" not in value
            value.encode()
        case bool() | None | datetime():
            pass
        case int():
            assert 0 < value < 2**63
        case dict():
            for each in value.values():
                well_formed(each)
        case _:
            assert isinstance(value, tuple)
            for each in value:
                well_formed(each)


@settings(deadline=None, max_examples=examples(300))
@given(st.data())
def test_a_real_payload_with_anything_in_its_place_makes_a_task_and_no_trouble(
    data: st.DataObject,
) -> None:
    event, original = data.draw(st.sampled_from(OURS))
    payload = copy.deepcopy(original)
    payload.setdefault("installation", {"id": 1})
    for _ in range(data.draw(st.integers(1, 4))):
        place, key = data.draw(st.sampled_from(slots(payload) or [(payload, "action")]))
        if data.draw(st.booleans()):
            place[key] = data.draw(odd_json)
        else:
            place.pop(key, None)
    for app in (US, None):
        task = sent(event, payload, app)
        well_formed(asdict(task))
        if isinstance(task, IgnoredDelivery):
            assert re.fullmatch(r"[\w :.'-]{5,120}", task.reason, re.ASCII)


@settings(deadline=None)
@given(st.sampled_from([event for event, _ in OURS]), st.binary())
def test_any_bytes_make_a_task(event: str, body: bytes) -> None:
    well_formed(asdict(read(event, DELIVERY, body, US)))
