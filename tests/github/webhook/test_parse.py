"""Deliveries, parsed into tasks."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from reviewbot.github.markers import Marker, write
from reviewbot.github.webhook.parse import MAX_COMMENT, MAX_PULLS
from reviewbot.github.webhook.payload import App
from reviewbot.github.webhook.tasks import (
    Commented,
    IgnoredDelivery,
    InstallationChanged,
    MergeGroupDestroyed,
    MergeGroupRequested,
    Ping,
    PullRequestInactive,
    ReplyContext,
    RepositoriesChanged,
    RepositoryRef,
    RerunWanted,
    ReviewRequested,
)
from tests.support.webhook_payloads import DELIVERY, on_pull_request, real, reason, rerun, sent

HELLO = RepositoryRef(installation=1, id=186853002, full_name="Codertocat/Hello-World")
HEAD = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"


@pytest.mark.parametrize("action", ["opened", "synchronize", "reopened", "ready_for_review"])
def test_a_pull_request_with_something_new_is_reviewed(action: str) -> None:
    task = sent("pull_request", real("pull_request", action))
    assert task == ReviewRequested(
        delivery=DELIVERY,
        repository=HELLO,
        action=action,  # type: ignore[arg-type]
        number=2,
        head_sha=task.head_sha,  # type: ignore[union-attr]
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
        author="Codertocat",
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


def replying(**changes: Any) -> dict[str, Any]:
    """A reply in a thread of an open pull request, with changes of the pull request."""
    payload: dict[str, Any] = real("pull_request_review_comment", "created")
    payload["comment"]["in_reply_to_id"] = 99
    payload["pull_request"] |= {"state": "open", **changes}
    return payload


def test_a_reply_has_the_commits_of_its_pull_request() -> None:
    payload = replying()
    task = sent("pull_request_review_comment", payload)
    assert isinstance(task, Commented)
    pull = payload["pull_request"]
    assert task.reply == ReplyContext(
        pull["head"]["sha"], pull["base"]["sha"], f"refs/heads/{pull['base']['ref']}"
    )
    assert task.author == pull["user"]["login"]


def test_a_reply_knows_that_its_pull_request_is_of_a_fork() -> None:
    payload = replying()
    for repo in ({"id": 7}, None):
        payload["pull_request"]["head"]["repo"] = repo
        task = sent("pull_request_review_comment", payload)
        assert isinstance(task, Commented)
        assert task.reply is not None
        assert task.reply.is_fork


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "closed"},
        {"head": {"sha": "HEAD"}},
        {"base": {"sha": "0" * 40, "ref": "a b"}},
        {"base": {"sha": "0" * 40, "ref": "../x?y"}},
        {"base": None},
    ],
)
def test_a_reply_without_its_context_is_only_searched_for_commands(changes: Any) -> None:
    task = sent("pull_request_review_comment", replying(**changes))
    assert isinstance(task, Commented)
    assert task.reply is None


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


def test_a_check_run_of_ours_can_be_run_again() -> None:
    payload = rerun("check_run")
    payload["check_run"]["external_id"] = "2:abc"
    assert sent("check_run", payload) == RerunWanted(
        delivery=DELIVERY,
        repository=RepositoryRef(1, 526, "github/hello-world"),
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


def test_a_merge_group_whose_checks_are_requested_is_checked() -> None:
    task = sent("merge_group", real("merge_group", "checks_requested"))
    repository = RepositoryRef(installation=1, id=17273051, full_name="octo-org/octo-repo")
    head = "2ffea6db159f6b6c47a24e778fb9ef40cf6b1c7d"
    assert task == MergeGroupRequested(DELIVERY, repository, head, "main")
    payload = real("merge_group", "checks_requested") | {"action": "destroyed"}
    assert sent("merge_group", payload) == MergeGroupDestroyed(DELIVERY, repository, head)


@pytest.mark.parametrize(
    "changed",
    [
        {"head_sha": "main"},
        {"head_sha": None},
        {"base_ref": "main"},
        {"base_ref": "refs/tags/main"},
        {"base_ref": "refs/heads/a b"},
        {"base_ref": "refs/heads/x\n::error::"},
    ],
)
def test_a_merge_group_without_commit_or_branch_is_ignored(changed: dict[str, object]) -> None:
    payload = real("merge_group", "checks_requested")
    payload["merge_group"] |= changed
    assert "no usable merge_group." in reason(sent("merge_group", payload))


def test_a_ping_is_a_ping() -> None:
    assert sent("ping", real("ping")) == Ping(DELIVERY)


def test_the_event_file_of_an_action_needs_no_installation() -> None:
    payload = real("pull_request", "opened")
    del payload["installation"]
    task = sent("pull_request", payload, None)
    assert isinstance(task, ReviewRequested)
    assert task.repository.installation is None
    assert "installation" in reason(sent("pull_request", payload))


def test_repositories_that_left_an_installation_are_named_by_id() -> None:
    removed = [{"id": 7, "name": "a"}, {"id": "8"}, {"name": "b"}, None, {"id": 9}]
    payload = {"action": "removed", "installation": {"id": 5}, "repositories_removed": removed}
    assert sent("installation_repositories", payload) == RepositoriesChanged(DELIVERY, 5, (7, 9))
    assert reason(sent("installation_repositories", payload | {"action": "added"}))


@pytest.mark.parametrize("action", ["deleted", "transferred", "privatized", "publicized"])
def test_a_repository_whose_readers_changed_is_named_by_id(action: str) -> None:
    payload = {"action": action, "installation": {"id": 5}, "repository": {"id": 7}}
    assert sent("repository", payload) == RepositoriesChanged(DELIVERY, 5, (7,))
    assert reason(sent("repository", payload | {"action": "edited"}))
    assert reason(sent("repository", payload | {"repository": {"id": "7"}}))
