"""The fake GitHub: webhooks and their deliveries."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from tests.support.github_clients import BASE, RUN, app_jwt, http, receive

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub, PullRequest


async def test_all_that_happens_is_delivered_signed(github: FakeGitHub) -> None:
    got = await receive(github, lambda _: 202)
    github.organization("octo")
    repo = github.repository("octo/hello", BASE)
    github.install(repo)
    pull = repo.open_pull({"new.py": "x = 1\n"}, by="mona")
    pull.comment("/review", by="mona")
    pull.push({"new.py": "x = 2\n"})
    pull.review_comment("new.py", 1, "Why?", by="mona")
    token = github.token(repo)
    async with http(github, token) as client:
        await client.post("/repos/octo/hello/check-runs", json=RUN | {"head_sha": pull.head_sha})
        await client.post("/repos/octo/hello/issues/1/comments", json={"body": "Mine"})
    pull.close()
    await github.deliver_all()
    seen = [f"{one.headers['x-github-event']}.{json.loads(one.content)['action']}" for one in got]
    assert seen == [
        "installation.created",
        "pull_request.opened",
        "check_suite.requested",
        "issue_comment.created",
        "pull_request.synchronize",
        "check_suite.requested",
        "pull_request_review.submitted",
        "pull_request_review_comment.created",
        "check_run.created",
        "issue_comment.created",
        "pull_request.closed",
    ]
    for one in got:
        digest = hmac.new(b"hush", one.content, hashlib.sha256).hexdigest()
        assert one.headers["x-hub-signature-256"] == f"sha256={digest}"
        assert "installation" in json.loads(one.content)
    bots = [json.loads(one.content)["sender"]["type"] == "Bot" for one in got]
    assert bots == [False] * 8 + [True, True, False]
    await github.postman.client.aclose()  # type: ignore[union-attr]


def keys_of(value: Any, path: str = "") -> set[str]:
    """All paths of an object."""
    found: set[str] = set()
    if isinstance(value, dict):
        for key, inner in value.items():
            found |= {f"{path}.{key}"} | keys_of(inner, f"{path}.{key}")
    return found


async def test_payloads_have_what_handlers_read(github: FakeGitHub, pull: PullRequest) -> None:
    github.install(pull.repo)
    run_token = github.token(pull.repo)
    async with http(github, run_token) as client:
        await client.post("/repos/octo/hello/check-runs", json=RUN | {"head_sha": pull.head_sha})
    run = next(iter(pull.repo.check_runs.values()))
    talk = pull.comment("/review", by="mona")
    thread = pull.review_comment("new.py", 1, "Why?", by="mona")
    expected = {
        ("pull_request", "reopened", "pull"): ".number .pull_request.draft .pull_request.head.sha "
        ".pull_request.base.repo.full_name .installation.id .sender.type .repository.private",
        ("issue_comment", "created", "talk"): ".issue.pull_request.url .comment.author_association "
        ".comment.user.login .comment.performed_via_github_app",
        ("pull_request_review_comment", "created", "thread"): ".comment.in_reply_to_id "
        ".comment.pull_request_review_id .pull_request.head.sha .comment.side",
        ("check_run", "rerequested", "run"): ".check_run.external_id .check_run.app.id "
        ".check_run.check_suite.head_branch",
        ("check_suite", "rerequested", "suite"): ".check_suite.head_sha .check_suite.pull_requests",
    }
    answer = pull.reply(thread, "Because", by="mona")
    about: dict[str, Any] = {"pull": {"pull": pull}, "talk": {"comment": talk}}
    about |= {"thread": {"comment": answer}, "run": {"run": run}, "suite": {"suite": run.suite}}
    for (event, action, what), paths in expected.items():
        payload = github.delivery(event, action, **about[what]).payload
        assert set(paths.split()) <= keys_of(payload), event
    pressed = github.delivery("check_run", "requested_action", run=run, requested_action="fix")
    assert pressed.payload["requested_action"] == {"identifier": "fix"}
    assert github.delivery("ping").payload["hook"]["type"] == "App"


async def test_failed_deliveries_are_listed_and_sent_again_with_the_same_id(
    github: FakeGitHub, pull: PullRequest
) -> None:
    github.install(pull.repo)
    statuses = iter([500, 202, 202])
    got = await receive(github, lambda _: next(statuses))
    await github.deliver(github.delivery("pull_request", "opened", pull=pull))
    await github.deliver(github.delivery("ping"))
    async with http(github, app_jwt(github.app)) as client:
        first = await client.get("/app/hook/deliveries?per_page=1")
        assert 'rel="next"' in first.headers["link"]
        rest = (await client.get(first.headers["link"].split(">")[0][1:])).json()
        assert (rest[0]["status_code"], rest[0]["event"]) == (500, "pull_request")
        one = (await client.get(f"/app/hook/deliveries/{rest[0]['id']}")).json()
        again = await client.post(f"/app/hook/deliveries/{one['id']}/attempts")
        assert again.status_code == 202
        await asyncio.gather(*github._redeliveries)
        listed = (await client.get("/app/hook/deliveries")).json()
    ids = [request.headers["x-github-delivery"] for request in got]
    assert ids[2] == ids[0] == one["guid"] != ids[1]
    assert got[2].content == got[0].content
    assert [(row["redelivery"], row["status_code"]) for row in listed] == [
        (True, 202),
        (False, 202),
        (False, 500),
    ]
    await github.postman.client.aclose()  # type: ignore[union-attr]


async def test_a_delivery_with_another_secret_and_one_to_nobody(
    github: FakeGitHub, pull: PullRequest
) -> None:
    got = await receive(github, lambda _: 401)
    ping = github.delivery("ping")
    assert not (await github.deliver(ping, secret="other")).ok
    digest = hmac.new(b"other", ping.body, hashlib.sha256).hexdigest()
    assert got[0].headers["x-hub-signature-256"] == f"sha256={digest}"
    await github.postman.client.aclose()  # type: ignore[union-attr]
    github.postman.client = None
    sent = await github.deliver(ping, "http://127.0.0.1:9/")
    assert (sent.ok, sent.status) == (False, "failed to connect to host")
    assert pull.number == 1


async def test_a_manifest_becomes_an_app_once(github: FakeGitHub) -> None:
    manifest = {
        "name": "Review Bot 2",
        "url": "https://bot.test",
        "redirect_url": "https://bot.test/setup",
        "hook_attributes": {"url": "https://bot.test/webhooks/github"},
        "default_permissions": {"checks": "write", "pull_requests": "write", "issues": "read"},
        "default_events": ["pull_request", "issue_comment", "check_run"],
    }
    code = github.manifest_code(manifest, owner="octo")
    async with http(github, None) as client:
        made = (await client.post(f"/app-manifests/{code}/conversions")).json()
        again = await client.post(f"/app-manifests/{code}/conversions")
    assert again.status_code == 404
    assert made["slug"] == "review-bot-2"
    now = int(time.time())
    token = jwt.encode(
        {"iss": str(made["id"]), "iat": now, "exp": now + 60}, made["pem"], algorithm="RS256"
    )
    async with http(github, token) as client:
        assert (await client.get("/app")).json()["name"] == "review-bot-2"
        hook = (await client.get("/app/hook/config")).json()
        assert hook["url"] == "https://bot.test/webhooks/github"
    granted = {"checks": "write", "pull_requests": "write"}
    with pytest.raises(AssertionError, match="issue_comment needs issues"):
        github.manifest_code(manifest | {"default_permissions": granted})
