"""Setting up the App in a browser: the whole flow, and who may take part."""

from __future__ import annotations

import logging
import stat
from typing import TYPE_CHECKING

import pytest

from reviewbot.errors import ConfigError
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.app.credentials import read_app_config
from reviewbot.server.github.one_time_link import LIFE_S, OneTimeLink
from reviewbot.server.github.setup import COOKIE, GitHubSetup, SetupConfig
from tests.fake_github import FakeGitHub
from tests.support.setup_pages import PUBLIC, Html, back, browsing, no_variables

if TYPE_CHECKING:
    from pathlib import Path

    from reviewbot.github.app.credentials import AppConfig


# --- The whole flow


async def test_from_the_link_to_an_app_that_github_knows(tmp_path: Path) -> None:
    async with FakeGitHub() as github, browsing(tmp_path, github.url) as browser:
        form = await browser.enter()
        assert form.forms == [{"method": "get", "action": "setup"}]
        assert form.fields["public_url"] == browser.url
        confirm = await browser.page(
            **form.fields | {"name": "our-reviews", "public_url": PUBLIC, "step": "confirm"}
        )
        answer = await back(browser, github, confirm)
        done = await browser.page("/github/setup/done", **answer)
        assert "our-reviews was created" in done.text
        assert str(tmp_path / "github-app") in done.text
        assert "https://github.com/apps/our-reviews/installations/new" in done.links
        assert "Restart this server" in done.text
        config = read_app_config({"GITHUB_API_URL": github.url}.get, tmp_path)
        assert config is not None
        async with Gateway(config.credentials, base_url=config.base_url) as gateway:
            assert (await gateway.app.get()).slug == config.slug == "our-reviews"
        made = next(one for one in github.world.apps.values() if one.slug == "our-reviews")
        assert config.webhook_secrets[0].reveal() == made.webhook_secret


async def test_what_is_stored_is_for_the_server_alone(tmp_path: Path) -> None:
    async with FakeGitHub() as github, browsing(tmp_path, github.url) as browser:
        answer = await back(browser, github, await browser.confirm())
        await browser.page("/github/setup/done", **answer)
    folder = tmp_path / "github-app"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


async def test_once_there_is_an_app_there_is_no_set_up(tmp_path: Path) -> None:
    async with FakeGitHub() as github, browsing(tmp_path, github.url) as browser:
        answer = await back(browser, github, await browser.confirm())
        await browser.page("/github/setup/done", **answer)
        assert COOKIE not in browser.client.cookies
        for address in (browser.link, "/github/setup", "/github/setup/done?code=x&state=y"):
            assert (await browser.get(address)).status_code == 404
        assert len(github.called("POST", "/app-manifests")) == 1


async def test_no_page_and_no_log_has_a_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "reviewbot")
    async with FakeGitHub() as github, browsing(tmp_path, github.url) as browser:
        token = browser.link.partition("=")[2]
        confirm = await browser.confirm(public_url=PUBLIC)
        cookie = browser.client.cookies[COOKIE]
        answer = await back(browser, github, confirm)
        await browser.refused("/github/setup/done", 400, **answer | {"code": "no-such-code"})
        await browser.page("/github/setup/done", **answer)
        made = max(github.world.apps.values(), key=lambda app: app.id)
    pages = "".join(one.text for one in browser.seen)
    ours = (record for record in caplog.records if record.name.startswith("reviewbot"))
    logged = "".join(record.getMessage() for record in ours)
    assert "a GitHub App is set up" in logged
    secrets = [token, cookie, answer["code"], "no-such-code", made.client_secret]
    secrets += [str(made.webhook_secret), *made.private_key.splitlines()[1:-1]]
    for secret in secrets:
        assert secret not in pages
        assert secret not in logged
    assert answer["state"] not in logged
    stored = "".join(path.read_text() for path in (tmp_path / "github-app").iterdir())
    assert str(made.webhook_secret) in stored
    assert made.client_secret not in stored, "it is of no use here"


async def test_a_server_that_can_take_the_app_into_use_needs_no_new_start(tmp_path: Path) -> None:
    taken: list[AppConfig] = []

    async def on_app(config: AppConfig) -> None:
        taken.append(config)

    async with FakeGitHub() as github, browsing(tmp_path, github.url, on_app=on_app) as browser:
        answer = await back(browser, github, await browser.confirm())
        done = await browser.page("/github/setup/done", **answer)
    assert "Restart this server" not in done.text
    assert taken == [read_app_config(no_variables, tmp_path)]


async def test_an_app_that_cannot_be_taken_into_use_is_there_after_a_new_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def on_app(_config: AppConfig) -> None:
        raise ConfigError("no room for an App")

    async with FakeGitHub() as github, browsing(tmp_path, github.url, on_app=on_app) as browser:
        answer = await back(browser, github, await browser.confirm())
        done = await browser.page("/github/setup/done", **answer)
    assert "Restart this server" in done.text
    assert "the GitHub App is not in use yet: no room for an App" in caplog.messages


# --- Who comes in


async def test_the_token_does_not_stay_in_the_address(tmp_path: Path) -> None:
    async with browsing(tmp_path) as browser:
        entered = await browser.get(browser.link)
        assert entered.status_code == 303
        assert entered.headers["location"] == "setup"
        assert entered.headers["referrer-policy"] == "no-referrer"
        assert entered.headers["cache-control"] == "no-store"
        cookie = entered.headers["set-cookie"]
        assert "; HttpOnly" in cookie
        assert "; SameSite=lax" in cookie
        assert "; Path=/github/setup;" in cookie
        assert "Secure" not in cookie, "it is http on loopback"
        assert browser.link.partition("=")[2] not in cookie


async def test_the_link_lets_one_browser_in(tmp_path: Path) -> None:
    async with browsing(tmp_path) as browser:
        await browser.enter()
        again = await browser.get(browser.link)
        assert again.status_code == 303, "who is in already comes in by it, too"
        assert "set-cookie" not in again.headers
        browser.client.cookies.clear()
        said = await browser.refused(browser.link, 403)
        assert "The link was already opened. Continue in the browser that opened it" in said
        assert "already opened" in await browser.refused("/github/setup", 403)


async def test_who_only_looks_at_the_link_does_not_use_it_up(tmp_path: Path) -> None:
    async with browsing(tmp_path) as browser:
        assert (await browser.client.head(browser.link)).status_code == 405
        assert (await browser.client.post(browser.link)).status_code == 405
        await browser.enter()


@pytest.mark.parametrize("token", ["", "x", "\u00e9\ud800".encode("utf-8", "replace").decode()])
async def test_a_wrong_token_opens_nothing_and_leaves_the_link_as_it_is(
    tmp_path: Path, token: str
) -> None:
    async with browsing(tmp_path) as browser:
        said = await browser.refused("/github/setup", 403, token=token)
        assert "Open the link that reviewbot serve printed" in said
        assert COOKIE not in browser.client.cookies
        await browser.enter()


async def test_without_the_cookie_no_page_opens(tmp_path: Path) -> None:
    async with FakeGitHub() as github, browsing(tmp_path, github.url) as browser:
        assert "Open the link" in await browser.refused("/github/setup", 403)
        assert "Open the link" in await browser.refused("/github/setup/done", 403, code="x")
        answer = await back(browser, github, await browser.confirm())
        for cookie in ("", "wrong"):
            browser.client.cookies.clear()
            browser.client.cookies.set(COOKIE, cookie, path="/github/setup")
            await browser.refused("/github/setup", 403)
            await browser.refused("/github/setup/done", 403, **answer)
        assert not github.requests


async def test_link_and_cookie_are_good_for_an_hour(tmp_path: Path) -> None:
    now = [0.0]
    late = OneTimeLink(lambda: now[0])
    async with FakeGitHub() as github, browsing(tmp_path, github.url, link=late) as browser:
        now[0] = LIFE_S - 1
        answer = await back(browser, github, await browser.confirm())
        now[0] = LIFE_S
        said = await browser.refused(browser.link, 403)
        assert "The link was valid for one hour. Restart the server for another one." in said
        assert "valid for one hour" in await browser.refused("/github/setup", 403)
        await browser.refused("/github/setup/done", 403, **answer)
        assert not github.requests


def test_no_text_is_too_odd_to_be_compared() -> None:
    link = OneTimeLink()
    assert link.enter("\u00e9") is None
    cookie = link.enter(link.address("").partition("=")[2])
    assert cookie is not None
    assert link.knows(cookie)
    assert link.expects(link.state)
    for text in ("\u00e9", "\ud800", "", cookie[:-1], link.state):
        assert not link.knows(text)
    for text in ("\u00e9", "\ud800", "", cookie):
        assert not link.expects(text)


def test_the_state_is_known_to_nobody_before_somebody_came_in() -> None:
    link = OneTimeLink()
    assert not link.expects("")
    with pytest.raises(ValueError, match="nobody has opened"):
        link.state  # noqa: B018 - it is asked for


@pytest.mark.parametrize(
    ("address", "public_url", "page"),
    [
        ("http://127.0.0.1:8000", None, "http://127.0.0.1:8000/github/setup?"),
        ("http://0.0.0.0:8000", None, "http://127.0.0.1:8000/github/setup?"),
        ("http://[::]:8000", None, "http://[::1]:8000/github/setup?"),
        ("http://0.0.0.0:8000", f"{PUBLIC}/bot/", f"{PUBLIC}/bot/github/setup?"),
    ],
)
def test_the_invitation_leads_to_where_a_browser_gets(
    tmp_path: Path, address: str, public_url: str | None, page: str
) -> None:
    setup = GitHubSetup(SetupConfig(tmp_path, public_url=public_url))
    line = setup.invitation(address)
    before, link, token = line.rpartition(f"{page}token=")
    assert (before, link) == (
        "to review pull requests, set up a GitHub App: ",
        f"{page}token=",
    )
    assert len(token) == 43, "32 bytes"


@pytest.mark.parametrize(
    ("addresses", "said"),
    [
        ({"public_url": "reviews.example"}, "--public-url: must be an address such as https://"),
        ({"api_url": "http://ghe.example/api/v3"}, "GITHUB_API_URL: tokens would be sent unenc"),
        ({"api_url": "ghe.example"}, "GITHUB_API_URL: must be an http or https address"),
    ],
)
def test_what_could_not_work_in_the_end_is_told_at_the_start(
    tmp_path: Path, addresses: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        GitHubSetup(SetupConfig(tmp_path, **addresses))
    assert str(caught.value).startswith(said)


async def test_no_page_may_be_framed_kept_or_run_a_script(tmp_path: Path) -> None:
    async with FakeGitHub() as github, browsing(tmp_path, github.url) as browser:
        await browser.refused("/github/setup", 403)
        confirm = await browser.confirm(public_url=PUBLIC)
        answer = await back(browser, github, confirm)
        await browser.refused("/github/setup/done", 403, **answer | {"state": "x"})
        await browser.page("/github/setup/done", **answer)
    pages = [one for one in browser.seen if one.status_code != 303]
    assert [one.status_code for one in pages] == [403, 200, 200, 403, 200]
    actions = []
    for one in pages:
        policy = dict(
            part.split(" ", 1) for part in one.headers["content-security-policy"].split("; ")
        )
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "script-src" not in policy
        actions.append(policy["form-action"])
        assert one.headers["cache-control"] == "no-store"
        assert one.headers["referrer-policy"] == "no-referrer"
        assert one.headers["x-content-type-options"] == "nosniff"
        assert not Html(one.text).tags & {"script", "style", "iframe", "base", "object"}
    assert actions == ["'none'", "'self'", github.url, "'none'", "'none'"]
