"""The manifest: which permissions and events the App asks for, and at which address."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.github.api.gateway import API_URL, Gateway
from reviewbot.github.app.manifest import (
    CLONE_EVENTS,
    EVENTS,
    PERMISSIONS,
    QUEUE_EVENTS,
    QUEUE_PERMISSIONS,
    REASONS,
    WEBHOOK_PATH,
    Registration,
    form_action,
    manifest,
    queue_shortfalls,
    reach,
    shortfalls,
    web_address,
)
from reviewbot.server.github.webhook import webhook_routes
from tests.fake_github import FakeGitHub

OURS = Registration("reviewbot-1", None, "https://reviews.example")
REDIRECT = "http://127.0.0.1:8000/github/setup/done"


async def test_github_makes_the_app_that_the_manifest_describes() -> None:
    async with FakeGitHub() as github, Gateway(None, base_url=github.url) as gateway:
        code = github.manifest_code(manifest(OURS, REDIRECT))
        new = await gateway.new_app(code)
        (made,) = (app for app in github.world.apps.values() if app.id == new.id)
        assert made.permissions == {**PERMISSIONS, **QUEUE_PERMISSIONS}
        assert made.events == [*EVENTS, *QUEUE_EVENTS, *CLONE_EVENTS]
        assert made.webhook_url == "https://reviews.example/webhooks/github"
        assert new.private_key.reveal() == made.private_key
        assert new.webhook_secret.reveal() == made.webhook_secret


def test_the_manifest_asks_for_what_a_review_needs_and_no_more() -> None:
    assert manifest(OURS, REDIRECT) == {
        "name": "reviewbot-1",
        "url": "https://reviews.example",
        "description": "Reviews pull requests while the model is still writing.",
        "hook_attributes": {"url": "https://reviews.example/webhooks/github", "active": True},
        "redirect_url": REDIRECT,
        "public": False,
        "default_permissions": {
            "checks": "write",
            "contents": "read",
            "issues": "read",
            "merge_queues": "read",
            "metadata": "read",
            "pull_requests": "write",
        },
        "default_events": [
            *("issue_comment", "pull_request", "pull_request_review_comment"),
            "merge_group",
            "repository",
        ],
    }
    assert REASONS.keys() == {**PERMISSIONS, **QUEUE_PERMISSIONS}.keys()


def test_what_comes_to_every_app_is_not_subscribed_to() -> None:
    """GitHub refuses a manifest that names these."""
    assert not {"installation", "installation_repositories", "ping"} & set(EVENTS)


def test_github_delivers_to_where_the_server_listens() -> None:
    [route] = webhook_routes(lambda: None)
    assert route.path == WEBHOOK_PATH
    behind = Registration("x", None, "https://example.com/reviews/")
    assert behind.webhook_url == "https://example.com/reviews/webhooks/github"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000", "http://0.0.0.0"]
)
def test_deliveries_to_this_machine_alone_are_not_turned_on(url: str) -> None:
    hook = manifest(Registration("x", None, url), REDIRECT)["hook_attributes"]
    assert hook == {"url": f"{url}/webhooks/github", "active": False}


@pytest.mark.parametrize(
    ("api", "web"),
    [
        (API_URL, "https://github.com"),
        ("https://api.github.com/", "https://github.com"),
        ("https://github.example/api/v3", "https://github.example"),
        ("https://github.example:8443/api/v3/", "https://github.example:8443"),
        ("https://api.github.example/api/v3", "https://api.github.example"),
        ("https://api.octocorp.ghe.com", "https://octocorp.ghe.com"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
    ],
)
def test_the_address_of_github_follows_from_that_of_its_api(api: str, web: str) -> None:
    assert web_address(api) == web


@pytest.mark.parametrize(
    ("organization", "web", "action"),
    [
        (None, "https://github.com", "https://github.com/settings/apps/new?state=s%26t"),
        (
            "octo",
            "https://github.com",
            "https://github.com/organizations/octo/settings/apps/new?state=s%26t",
        ),
        (None, "https://ghe.example", "https://ghe.example/settings/apps/new?state=s%26t"),
        (
            "octo_corp",
            "https://ghe.example",
            "https://ghe.example/organizations/octo_corp/settings/apps/new?state=s%26t",
        ),
    ],
)
def test_the_form_goes_to_the_account_that_is_to_own_the_app(
    organization: str | None, web: str, action: str
) -> None:
    registration = Registration("x", organization, "https://reviews.example")
    assert form_action(registration, web, "s&t") == action


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8000", "loopback"),
        ("http://app.localhost", "loopback"),
        ("http://127.9.9.9", "loopback"),
        ("http://[::1]", "loopback"),
        ("http://10.1.2.3", "private"),
        ("http://[fd00::1]:80", "private"),
        ("http://169.254.1.1", "private"),
        ("https://build-box", "private"),
        ("https://reviews.corp.internal", "private"),
        ("https://nas.local.", "private"),
        ("https://140.82.121.3", "public"),
        ("https://reviews.example.com/path", "public"),
    ],
)
def test_an_address_tells_from_where_it_can_be_reached(url: str, expected: str) -> None:
    assert reach(url) == expected


def test_a_registration_without_problems_has_none() -> None:
    assert OURS.problems() == {}
    assert Registration("ä" * 34, "octo-corp_x", "http://[::1]:8000/a/b").problems() == {}


@pytest.mark.parametrize("name", ["", "x" * 35, "a\nb", "a\u202eb"])
def test_a_name_that_github_would_refuse_is_told(name: str) -> None:
    assert Registration(name, None, OURS.public_url).problems() == {
        "name": "A name has 1 to 34 characters."
    }


@pytest.mark.parametrize("organization", ["", "a b", "../../x", "-a", "a/b", "ö", "a?b", "a" * 101])
def test_an_organization_that_is_none_is_told(organization: str) -> None:
    assert list(Registration("x", organization, OURS.public_url).problems()) == ["organization"]


@pytest.mark.parametrize(
    "url",
    [
        *("", "reviews.example", "ftp://reviews.example", "https://", "https://user@host.example"),
        *("https://a.example?x", "https://a.example#x", "https://[::1", "https://a.example:x"),
        *(
            "https://a.example:99999",
            "https://a example",
            "https://a.example\n",
            "https://ä.example",
        ),
        *(
            "https://a.example/" + "x" * 200,
            "javascript:alert(1)",
            'https://a.example/"',
            "https://:8",
        ),
    ],
)
def test_an_address_that_is_none_is_told(url: str) -> None:
    assert list(Registration("x", None, url).problems()) == ["public_url"]


@given(st.text(), st.none() | st.text(), st.text() | st.text().map("https://{}".format))
def test_what_is_accepted_makes_a_manifest_that_goes_nowhere_else(
    name: str, organization: str | None, url: str
) -> None:
    registration = Registration(name, organization, url)
    if not registration.problems():
        made = json.loads(json.dumps(manifest(registration, REDIRECT)))
        assert made["hook_attributes"]["url"].startswith(url.rstrip("/"))
        action = form_action(registration, "https://github.com", "s")
        assert action.startswith("https://github.com/")
        assert action.endswith("settings/apps/new?state=s")
        assert ".." not in action


def test_an_app_that_has_all_it_needs_lacks_nothing() -> None:
    assert shortfalls(PERMISSIONS, EVENTS) == []
    more = {**PERMISSIONS, "contents": "write", "actions": "read", "checks": "admin"}
    assert shortfalls(more, ("push", *EVENTS)) == []


def test_an_app_from_before_merge_queues_is_complete_for_reviews() -> None:
    assert shortfalls(PERMISSIONS, EVENTS) == []
    assert queue_shortfalls(PERMISSIONS, EVENTS) == [
        "the permission merge_queues must be read, not none",
        "the event merge_group is not subscribed to",
    ]
    assert queue_shortfalls({**PERMISSIONS, **QUEUE_PERMISSIONS}, (*EVENTS, *QUEUE_EVENTS)) == []


def test_what_an_app_lacks_is_named() -> None:
    less = {"checks": "read", "contents": "read", "metadata": "read", "pull_requests": "odd"}
    assert shortfalls(less, ("pull_request",)) == [
        "the permission checks must be write, not read",
        "the permission issues must be read, not none",
        "the permission pull_requests must be write, not odd",
        "the event issue_comment is not subscribed to",
        "the event pull_request_review_comment is not subscribed to",
    ]
