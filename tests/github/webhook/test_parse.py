"""Only GitHub is believed, every real payload is read, and no payload at all makes trouble."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import lzma
import os
import re
from collections import Counter
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.github.markers import Marker, write
from reviewbot.github.webhook.parse import MAX_COMMENT, MAX_PULLS, is_signed, read
from reviewbot.github.webhook.payload import App
from reviewbot.github.webhook.tasks import (
    Commented,
    IgnoredDelivery,
    InstallationChanged,
    Ping,
    PullRequestInactive,
    RepositoryRef,
    RerunWanted,
    ReviewRequested,
    Task,
)
from tests.support.examples import examples

PAYLOADS = Path(__file__).parents[3] / "fixtures" / "github" / "webhooks" / "payloads.jsonl.xz"
REAL: list[tuple[str, Any]] = [
    (delivery["event"], delivery["payload"])
    for delivery in map(json.loads, lzma.decompress(PAYLOADS.read_bytes()).splitlines())
]
DELIVERY = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
US = App(id="29310", slug="octocoders-linter")
HELLO = RepositoryRef(installation=1, id=186853002, full_name="Codertocat/Hello-World")
HEAD = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"
BASE = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"


def sent(event: str, payload: object, app: App | None = US) -> Task:
    return read(event, DELIVERY, json.dumps(payload).encode(), app)


def real(event: str, action: str | None = None) -> Any:
    """A real payload, of our App."""
    found = next(p for name, p in REAL if name == event and p.get("action") == action)
    return copy.deepcopy(found) | {"installation": {"id": 1, **found.get("installation", {})}}


def on_pull_request() -> Any:
    payload = real("issue_comment", "created")
    payload["issue"]["pull_request"] = {"url": "https://api.github.com/repos/a/b/pulls/1"}
    return payload


def reason(task: Task) -> str:
    assert isinstance(task, IgnoredDelivery), task
    return task.reason


# --- The signature

VECTOR = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
SECRET = "It's a Secret to Everybody"


def test_the_example_that_github_documents_is_believed() -> None:
    assert is_signed(b"Hello, World!", VECTOR, (SECRET,))


def test_while_the_secret_is_changed_both_are_believed() -> None:
    assert is_signed(b"Hello, World!", VECTOR, (SECRET, "new"))
    assert is_signed(b"Hello, World!", VECTOR, ("new", SECRET))
    assert not is_signed(b"Hello, World!", VECTOR, ("new", "newer"))


def test_a_secret_may_be_any_bytes_that_an_environment_can_hold() -> None:
    header = "sha256=" + hmac.new(b"\xff\x80", b"x", hashlib.sha256).hexdigest()
    assert is_signed(b"x", header, (os.fsdecode(b"\xff\x80"),))


def test_nobody_is_believed_without_a_secret() -> None:
    empty = "sha256=" + hmac.new(b"", b"Hello, World!", hashlib.sha256).hexdigest()
    for secrets in ((), ("",), ("", "")):
        assert not is_signed(b"Hello, World!", empty, secrets)
        assert not is_signed(b"Hello, World!", VECTOR, secrets)


DIGEST = VECTOR.removeprefix("sha256=")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        DIGEST,
        "sha256=",
        "sha256=" + DIGEST[:-1],
        VECTOR + "0",
        VECTOR + "\n",
        " " + VECTOR,
        "sha256:" + DIGEST,
        "SHA256=" + DIGEST,
        "sha256=" + DIGEST.upper(),
        "sha256=" + "\u0661" * 64,
        f"{VECTOR}, {VECTOR}",
        "sha1=" + hmac.new(SECRET.encode(), b"Hello, World!", "sha1").hexdigest(),
        "sha512=" + hmac.new(SECRET.encode(), b"Hello, World!", "sha512").hexdigest(),
    ],
)
def test_a_header_of_another_form_is_refused(header: str | None) -> None:
    assert not is_signed(b"Hello, World!", header, (SECRET,))


@given(st.binary(), st.binary(), st.text(min_size=1), st.text(min_size=1))
def test_a_signature_holds_for_these_bytes_and_this_secret_alone(
    body: bytes, other: bytes, secret: str, guess: str
) -> None:
    header = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    assert is_signed(body, header, (secret,))
    assert is_signed(other, header, (secret,)) == (other == body)
    # HMAC fills keys up with zeros: that is the only other key for the same signature.
    if guess.rstrip("\0") != secret.rstrip("\0"):
        assert not is_signed(body, header, (guess,))


# --- What there is to do


@pytest.mark.parametrize("action", ["opened", "synchronize", "reopened", "ready_for_review"])
def test_a_pull_request_with_something_new_is_reviewed(action: str) -> None:
    task = sent("pull_request", real("pull_request", action))
    assert task == ReviewRequested(
        delivery=DELIVERY,
        repository=HELLO,
        sender="Codertocat",
        action=action,  # type: ignore[arg-type]
        number=2,
        head_sha=task.head_sha,  # type: ignore[union-attr]
        base_sha=BASE,
        updated_at=task.updated_at,  # type: ignore[union-attr]
    )
    assert task.updated_at is not None
    assert re.fullmatch("[0-9a-f]{40}", task.head_sha)


def test_a_draft_is_not_reviewed_before_it_is_ready() -> None:
    payload = real("pull_request", "synchronize")
    payload["pull_request"]["draft"] = True
    assert "draft" in reason(sent("pull_request", payload))


def test_a_closed_pull_request_is_not_reviewed() -> None:
    payload = real("pull_request", "synchronize")
    payload["pull_request"]["state"] = "closed"
    assert "closed" in reason(sent("pull_request", payload))


@pytest.mark.parametrize("action", ["closed", "converted_to_draft"])
def test_a_review_that_nobody_wants_any_more_is_cancelled(action: str) -> None:
    task = sent("pull_request", real("pull_request", action))
    assert isinstance(task, PullRequestInactive)
    assert isinstance(task.updated_at, datetime)
    assert replace(task, updated_at=None) == PullRequestInactive(
        DELIVERY,
        HELLO,
        "Codertocat",
        action,  # type: ignore[arg-type]
        2,
    )


@pytest.mark.parametrize("odd", [None, 7, "soon", "2026-02-31T00:00:00Z", "2026-11-28T00:00:00"])
def test_a_time_that_is_none_keeps_nothing_from_being_reviewed(odd: object) -> None:
    payload = real("pull_request", "opened")
    payload["pull_request"]["updated_at"] = odd
    task = sent("pull_request", payload)
    assert isinstance(task, ReviewRequested)
    assert task.updated_at is None


@pytest.mark.parametrize("head", [{"id": 7}, {"id": None}, {}, None, "odd"])
def test_it_does_not_count_what_repository_a_change_comes_from(head: object) -> None:
    payload = real("pull_request", "opened")
    payload["pull_request"]["head"]["repo"] = head
    task = sent("pull_request", payload)
    assert isinstance(task, ReviewRequested)


def test_what_a_bot_pushed_is_reviewed_like_any_other_change() -> None:
    payload = real("pull_request", "synchronize")
    payload["sender"] = {"login": "dependabot[bot]", "type": "Bot"}
    task = sent("pull_request", payload)
    assert isinstance(task, ReviewRequested)
    assert task.sender == "dependabot[bot]"


def test_a_comment_below_a_pull_request_is_handed_on() -> None:
    payload = on_pull_request()
    assert sent("issue_comment", payload) == Commented(
        delivery=DELIVERY,
        repository=HELLO,
        sender="Codertocat",
        number=1,
        comment=payload["comment"]["id"],
        thread=None,
        body="You are totally right! I'll get this fixed right away.",
    )


def test_a_comment_on_an_issue_is_not_ours_to_read() -> None:
    assert "pull request" in reason(sent("issue_comment", real("issue_comment", "created")))


@pytest.mark.parametrize(("reply_to", "thread"), [(None, 284312630), (99, 99)])
def test_a_comment_in_a_thread_knows_the_first_one(reply_to: int | None, thread: int) -> None:
    payload = real("pull_request_review_comment", "created")
    payload["comment"] |= {"id": 284312630, "in_reply_to_id": reply_to}
    task = sent("pull_request_review_comment", payload)
    assert isinstance(task, Commented)
    assert (task.comment, task.thread, task.number) == (284312630, thread, 2)


@pytest.mark.parametrize("action", ["edited", "deleted"])
@pytest.mark.parametrize("event", ["issue_comment", "pull_request_review_comment"])
def test_a_comment_counts_once_when_it_is_written(event: str, action: str) -> None:
    payload = real(event, action)
    payload.get("issue", {})["pull_request"] = {}
    assert action in reason(sent(event, payload))


APP_USER = {"login": "octocoders-linter[bot]", "type": "Bot"}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"sender": APP_USER, "comment.user": APP_USER}, "bot"),
        ({"comment.user": APP_USER}, "bot"),
        ({"sender": {"login": "Codertocat", "type": "Bot"}}, "bot"),
        ({"sender": {"login": "x[bot]"}, "comment.user": {"login": "x[bot]"}}, "sender"),
        ({"sender": {"login": "somebody-else", "type": "User"}}, "sender"),
        ({"sender": None}, "sender"),
        ({"sender": {"login": "-\n"}, "comment.user": {"login": "-\n"}}, "sender"),
        ({"comment.performed_via_github_app": {"slug": "helper"}}, "app"),
    ],
)
@pytest.mark.parametrize("event", ["issue_comment", "pull_request_review_comment"])
def test_only_people_are_listened_to(event: str, changed: dict[str, object], why: str) -> None:
    payload = on_pull_request() if event == "issue_comment" else real(event, "created")
    for path, value in changed.items():
        *outer, key = path.split(".")
        place = payload
        for name in outer:
            place = place[name]
        place[key] = value
    assert why in reason(sent(event, payload))


def test_what_we_wrote_ourselves_with_somebodys_token_is_not_obeyed() -> None:
    payload = on_pull_request()
    payload["comment"]["body"] = "/review\n\n" + write(Marker("reply"), "Codertocat/Hello-World#1")
    assert "ours" in reason(sent("issue_comment", payload))


def test_a_comment_is_bounded_and_fits_into_any_database() -> None:
    payload = on_pull_request()
    payload["comment"]["body"] = "\0\ud800" + "x" * MAX_COMMENT
    task = sent("issue_comment", payload)
    assert isinstance(task, Commented)
    assert task.body.encode().startswith("\ufffd\ufffdx".encode())
    assert len(task.body) == MAX_COMMENT


@pytest.mark.parametrize("body", [None, 7, ["/review"], {"text": "/review"}])
def test_a_comment_without_text_is_none(body: object) -> None:
    payload = on_pull_request()
    payload["comment"]["body"] = body
    assert "comment.body" in reason(sent("issue_comment", payload))


def rerun(event: str, action: str = "rerequested") -> Any:
    payload = real(event, action)
    payload[event]["app"] = {"id": 29310, "slug": "octocoders-linter"}
    payload[event]["pull_requests"] = [
        {"number": 2, "base": {"repo": {"id": payload["repository"]["id"]}}},
        {"number": 3, "base": {"repo": {"id": 4711}}},
    ]
    payload["sender"] = {"login": "octocat", "type": "User"}
    return payload


def test_a_check_run_of_ours_can_be_run_again() -> None:
    payload = rerun("check_run")
    payload["check_run"]["external_id"] = "2:abc"
    assert sent("check_run", payload) == RerunWanted(
        delivery=DELIVERY,
        repository=RepositoryRef(1, 526, "github/hello-world"),
        sender="octocat",
        head_sha="d6fde92930d4715a2b49857d24b940956b26d2d3",
        external_id="2:abc",
        button=None,
        numbers=(2,),
    )


def test_a_click_on_a_button_of_ours_says_which() -> None:
    payload = rerun("check_run", "requested_action")
    payload["requested_action"] = {"identifier": "review-full"}
    task = sent("check_run", payload)
    assert isinstance(task, RerunWanted)
    assert task.button == "review-full"
    payload["requested_action"] = {"identifier": "lgtm|26764"}
    assert "requested_action.identifier" in reason(sent("check_run", payload))


def test_all_checks_of_a_commit_can_be_run_again() -> None:
    payload = rerun("check_suite")
    assert sent("check_suite", payload) == RerunWanted(
        delivery=DELIVERY,
        repository=replace(HELLO, installation=957387),
        sender="octocat",
        head_sha=HEAD,
        external_id=None,
        button=None,
        numbers=(2,),
    )


@pytest.mark.parametrize("event", ["check_run", "check_suite"])
def test_checks_of_others_and_our_own_wishes_are_no_work(event: str) -> None:
    payload = rerun(event)
    assert "another app" in reason(sent(event, payload, App("1", "other")))
    assert "another app" in reason(sent(event, payload, None))
    payload["sender"] = APP_USER
    assert "ourselves" in reason(sent(event, payload))


@pytest.mark.parametrize(
    "app", [App("29310", ""), App("Iv1.x", "octocoders-linter"), App("Iv1.a", "")]
)
def test_our_app_is_known_by_its_id_its_client_id_or_its_name(app: App) -> None:
    payload = rerun("check_run")
    payload["check_run"]["app"]["client_id"] = "Iv1.a"
    assert isinstance(sent("check_run", payload, app), RerunWanted)
    payload["check_run"]["app"] = {"id": {"a": "29310"}, "slug": ""}
    assert isinstance(sent("check_run", payload, app), IgnoredDelivery)


@pytest.mark.parametrize("external_id", ["", "a b", "x" * 201, "a\n", None, 7])
def test_an_external_id_that_we_would_not_write_is_none(external_id: object) -> None:
    payload = rerun("check_run")
    payload["check_run"]["external_id"] = external_id
    task = sent("check_run", payload)
    assert isinstance(task, RerunWanted)
    assert task.external_id is None


def test_no_more_than_some_pull_requests_of_a_commit_are_looked_at() -> None:
    payload = rerun("check_suite")
    payload["check_suite"]["pull_requests"] *= 10_000
    task = sent("check_suite", payload)
    assert isinstance(task, RerunWanted)
    assert len(task.numbers) <= MAX_PULLS


@pytest.mark.parametrize("action", ["created", "deleted", "suspend", "unsuspend"])
def test_installations_come_and_go(action: str) -> None:
    task = sent("installation", real("installation", action))
    assert isinstance(task, InstallationChanged)
    assert task.action == action
    assert task.installation > 1


def test_a_ping_is_a_ping() -> None:
    assert sent("ping", real("ping")) == Ping(DELIVERY)


def test_the_event_file_of_an_action_needs_no_installation() -> None:
    payload = real("pull_request", "opened")
    del payload["installation"]
    task = sent("pull_request", payload, None)
    assert isinstance(task, ReviewRequested)
    assert task.repository.installation is None
    assert "installation" in reason(sent("pull_request", payload))


# --- Whatever comes


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
            assert event in ("pull_request", "installation")


@pytest.mark.parametrize("event", ["push", "", "a" * 1_000, "\n::error::", "pull_request\n"])
def test_an_event_that_nobody_waits_for_is_acknowledged(event: str) -> None:
    task = read(event, DELIVERY, b"not read at all", US)
    assert re.fullmatch(r"[a-z ]{1,50}: nothing to do", reason(task))


@pytest.mark.parametrize("delivery", ["", "a b", "a\n", "x" * 65, "\u0661"])
def test_an_id_that_is_none_is_not_passed_on(delivery: str) -> None:
    assert read("ping", delivery, b"{}", US) == IgnoredDelivery(
        "", "the id of the delivery is none"
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
    ("pull_request", "pull_request.base.sha", [None, 7, [], "main", "a" * 64 + "a"]),
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
