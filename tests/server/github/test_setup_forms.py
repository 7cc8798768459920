"""Setting up the App in a browser: the form, and what goes wrong after it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest
from starlette.applications import Starlette

from reviewbot.github.app.credentials import read_app_config
from reviewbot.server.github.setup import GitHubSetup, SetupConfig, setup_routes
from reviewbot.server.http.guard import Guard, GuardMiddleware
from tests.fake_github import FakeGitHub, Fault, faults
from tests.server import serving
from tests.support.setup_pages import PUBLIC, asked, back, browsing, no_variables
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from pathlib import Path


def nothing_in(folder: Path) -> bool:
    return not any(folder.iterdir())


# --- The forms


async def test_the_form_goes_to_github_with_what_was_said(tmp_path: Path) -> None:
    async with browsing(tmp_path) as browser:
        confirm = await browser.confirm(
            name=" reviews ", account="organization", organization="octo", public_url=f"{PUBLIC}/"
        )
        (form,) = confirm.forms
        assert form["method"] == "post"
        address, _, state = form["action"].partition("?state=")
        assert address == "https://github.com/organizations/octo/settings/apps/new"
        assert len(state) == 43
        manifest, _ = asked(confirm)
        assert manifest["name"] == "reviews"
        assert manifest["hook_attributes"] == {"url": f"{PUBLIC}/webhooks/github", "active": True}
        for said in ("reviews", "octo", f"{PUBLIC}/webhooks/github", "It cannot change code."):
            assert said in confirm.text
        for permission, level in manifest["default_permissions"].items():
            assert f"{permission} : {level}" in confirm.text


async def test_an_enterprise_server_is_asked_at_its_own_address(tmp_path: Path) -> None:
    async with FakeGitHub(enterprise=True) as github, browsing(tmp_path, github.url) as browser:
        web = github.url.removesuffix("/api/v3")
        confirm = await browser.confirm(public_url=PUBLIC)
        assert confirm.forms[0]["action"].startswith(f"{web}/settings/apps/new?state=")
        assert f"form-action {web}" in browser.seen[-1].headers["content-security-policy"]
        answer = await back(browser, github, confirm)
        done = await browser.page("/github/setup/done", **answer)
        assert [one for one in done.links if one.startswith(web)]
        config = read_app_config(no_variables, tmp_path)
        assert config is not None
        assert config.base_url == github.url


async def test_an_address_that_github_cannot_reach_is_told_and_can_be_kept(tmp_path: Path) -> None:
    async with FakeGitHub() as github, browsing(tmp_path, github.url) as browser:
        form = await browser.enter()
        assert "Only this machine can reach" in form.text
        assert "tunnel" in form.text
        confirm = await browser.page(**form.fields | {"step": "confirm"})
        assert "Only this machine can reach" in confirm.text
        manifest, _ = asked(confirm)
        assert manifest["hook_attributes"]["active"] is False
        answer = await back(browser, github, confirm)
        done = await browser.page("/github/setup/done", **answer)
        assert "turn its webhook on" in done.text


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://10.0.0.7:8000", "looks like an address of your own network"),
        ("http://reviews.example.com", "With http, anyone on the network path can read"),
        ("https://reviews.example.com", ""),
    ],
)
async def test_what_speaks_against_an_address_is_told(
    tmp_path: Path, address: str, said: str
) -> None:
    async with browsing(tmp_path) as browser:
        confirm = await browser.confirm(public_url=address)
        assert said in confirm.text
        assert "Only this machine" not in confirm.text


async def test_an_address_that_was_given_at_the_start_is_proposed(tmp_path: Path) -> None:
    async with browsing(tmp_path, public_url=f"{PUBLIC}/") as browser:
        await browser.get(f"{browser.url}/github/setup?{urlsplit(browser.link).query}")
        form = await browser.page()
        assert form.fields["public_url"] == PUBLIC
        confirm = await browser.page(**form.fields | {"step": "confirm"})
        # Where the browser is: a proxy may tell the server a name of its own.
        assert asked(confirm)[0]["redirect_url"] == f"{PUBLIC}/github/setup/done"


async def test_behind_a_proxy_the_browser_goes_back_to_the_address_that_it_has(
    tmp_path: Path,
) -> None:
    public = "https://127.0.0.1:{}/bot"
    async with browsing(tmp_path) as browser:
        address = public.format(urlsplit(browser.url).port)
        confirm = await browser.confirm(public_url=address)
        assert asked(confirm)[0]["redirect_url"] == f"{address}/github/setup/done"
        # Said at the start, it is known when the cookie is made.
        setup = GitHubSetup(SetupConfig(tmp_path, public_url=address))
    app = GuardMiddleware(Starlette(routes=setup_routes(setup)), Guard(loopback=True))
    async with serving(app) as port, httpx.AsyncClient(trust_env=False) as client:
        query = setup.invitation("").partition("?")[2]
        entered = await client.get(
            f"http://127.0.0.1:{port}/github/setup?{query}",
            headers={"Host": urlsplit(address).netloc},
        )
        assert "; Path=/bot/github/setup;" in entered.headers["set-cookie"]
        assert "; Secure" in entered.headers["set-cookie"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("name", "", "A name has 1 to 34 characters."),
        ("organization", "no such/thing", "This is not the name of an organization"),
        ("public_url", "reviews.example", "This is not an address; write one such as"),
        ("public_url", "https://[", "This is not an address; write one such as"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field_with_what_was_written(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    async with browsing(tmp_path) as browser:
        changed = {"account": "organization", "organization": "octo", name: value}
        form = await browser.confirm(**changed)
        assert said in form.text
        assert form.forms[0]["action"] == "setup", "nothing goes to GitHub"
        assert form.fields[name] == value
        assert form.fields["account"] == "organization"


async def test_going_back_keeps_what_was_written(tmp_path: Path) -> None:
    async with browsing(tmp_path) as browser:
        said = {"name": "a & b", "account": "organization", "organization": "octo"}
        confirm = await browser.confirm(**said, public_url=PUBLIC)
        (back_to,) = (link for link in confirm.links if link.startswith("setup?"))
        form = await browser.page(f"/github/{back_to}")
        assert form.forms[0]["action"] == "setup"
        assert {name: form.fields[name] for name in said} == said
        assert form.fields["public_url"] == PUBLIC


async def test_what_is_written_is_text_on_every_page(tmp_path: Path) -> None:
    evil = '"><b onclick=x>'
    async with browsing(tmp_path) as browser:
        confirm = await browser.confirm(name=evil, public_url=PUBLIC)
        assert "b" not in confirm.tags
        assert asked(confirm)[0]["name"] == evil
        form = await browser.page(name=evil, organization=evil, public_url=evil, step="confirm")
        assert "b" not in form.tags
        assert form.fields["public_url"] == evil


# --- What goes wrong


async def test_an_answer_that_was_not_asked_for_is_not_taken(tmp_path: Path) -> None:
    async with FakeGitHub() as github, browsing(tmp_path, github.url) as browser:
        answer = await back(browser, github, await browser.confirm())
        for state in ("", "x", answer["state"][:-1], "\u00e9"):
            changed = answer | {"state": state}
            said = await browser.refused("/github/setup/done", 403, **changed)
            assert "does not belong to this setup" in said
        assert "sent no code" in await browser.refused(
            "/github/setup/done", 400, state=answer["state"]
        )
        assert not github.called("POST")
        assert nothing_in(tmp_path)
        await browser.page("/github/setup/done", **answer)


async def test_a_code_that_is_not_known_or_too_old_can_be_had_anew(tmp_path: Path) -> None:
    async with FakeGitHub() as github, browsing(tmp_path, github.url) as browser:
        confirm = await browser.confirm(public_url=PUBLIC)
        answer = await back(browser, github, confirm)
        for code in ("0123456789abcdef", "..", "a/b"):
            said = await browser.refused("/github/setup/done", 400, **answer | {"code": code})
            assert "a code is valid once, for one hour" in said
        github.clock.ahead = 3_601
        await browser.refused("/github/setup/done", 400, **answer)
        assert nothing_in(tmp_path)
        again = await back(browser, github, confirm)
        await browser.page("/github/setup/done", **again)


@in_virtual_time
async def test_while_github_is_away_the_code_is_kept_for_later(tmp_path: Path) -> None:
    async with FakeGitHub() as github, browsing(tmp_path, "http://127.0.0.1:9") as browser:
        confirm = await browser.confirm(public_url=PUBLIC)
        browser.client.timeout = httpx.Timeout(None)
        answer = await back(browser, github, confirm)
        said = await browser.refused("/github/setup/done", 502, **answer)
        assert "http://127.0.0.1:9 does not answer this server. Reload this page" in said
        assert nothing_in(tmp_path)


async def test_an_answer_that_got_lost_is_told_and_never_asked_for_twice(tmp_path: Path) -> None:
    async with FakeGitHub() as github, browsing(tmp_path, github.url) as browser:
        answer = await back(browser, github, await browser.confirm())
        github.fail(faults.error_after("POST", "/conversions"))
        said = await browser.refused("/github/setup/done", 502, **answer)
        assert "GitHub's response was lost, and the key of the App with it. Delete the App" in said
        assert len(github.called("POST", "/conversions")) == 1
        assert nothing_in(tmp_path)


async def test_what_github_says_is_told_without_the_code(tmp_path: Path) -> None:
    async with FakeGitHub() as github, browsing(tmp_path, github.url) as browser:
        answer = await back(browser, github, await browser.confirm())
        github.fail(Fault("POST", "/conversions", 403, {"message": "Blocked <b>here</b>"}, times=2))
        said = await browser.refused("/github/setup/done", 502, **answer)
        assert "POST /app-manifests/CODE/conversions" in said
        assert "Blocked <b>here</b>" in said
        assert answer["code"] not in browser.seen[-1].text


async def test_where_nothing_can_be_stored_github_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "state"
    async with FakeGitHub() as github, browsing(folder, github.url) as browser:
        answer = await back(browser, github, await browser.confirm())
        said = await browser.refused("/github/setup/done", 500, **answer)
        assert f"{folder}/github-app: cannot be written: Not a directory." in said
        assert not github.called("POST")


async def test_an_app_whose_key_could_not_be_stored_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    async with FakeGitHub() as github, browsing(tmp_path, github.url) as browser:
        answer = await back(browser, github, await browser.confirm(name="lost"))
        monkeypatch.setattr("os.fsync", full)
        said = await browser.refused("/github/setup/done", 500, **answer)
    assert "GitHub created the App lost, but its key was lost" in said
    assert "No space left on device" in said
    assert "Delete the App in its settings on GitHub." in said
    assert nothing_in(tmp_path)
