"""The transport sends whole requests to the right server, and no token elsewhere."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING

import pytest

from reviewbot.config.settings import SecretText
from reviewbot.errors import ConfigError
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.client.errors import (
    BadCredentialsError,
    GitHubError,
    NotFoundError,
    TooLargeError,
    UnavailableError,
)
from reviewbot.github.client.rate_limit import Pace
from tests.fake_github.wire import Answer
from tests.github.scripted import IMPATIENT, SHA, TOKEN, comment, pull, scripted
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from tests.fake_github.wire import Recorded


@pytest.mark.slow
async def test_many_at_once_on_two_installations_never_get_each_others_requests() -> None:
    def script(request: Recorded) -> Answer:
        parts = request.path.split("/")
        if parts[1] == "app":
            token = {"token": f"ghs_of_{parts[3]}", "expires_at": "2099-01-01T00:00:00Z"}
            return Answer(token, 201)
        # /repos/o/INSTALLATION/pulls/NUMBER and /repos/o/INSTALLATION/issues/NUMBER/comments
        assert request.headers["authorization"] == f"Bearer ghs_of_{parts[3]}"
        number = int(parts[5])
        if request.method == "GET":
            return Answer(pull(number, title=request.path))
        assert request.body == {"body": request.path}
        return Answer(comment(number, request.body["body"]))

    async def reads(gateway: Gateway, installation: int, worker: int) -> None:
        api = gateway.installation(installation)
        for number in range(worker * 100, worker * 100 + 25):
            found = await api.pulls.get(f"o/{installation}", number)
            assert (found.number, found.title) == (
                number,
                f"/repos/o/{installation}/pulls/{number}",
            )

    async def writes(gateway: Gateway, installation: int, worker: int) -> None:
        api = gateway.installation(installation)
        for number in range(worker * 100, worker * 100 + 25):
            path = f"/repos/o/{installation}/issues/{number}/comments"
            found = await api.comments.create(f"o/{installation}", number, path)
            assert (found.id, found.body) == (number, path)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        pace = Pace(readers=8, gap_s=0.0)
        async with scripted(script, app=True, pace=pace) as (server, gateway):
            await asyncio.gather(
                *(
                    work(gateway, installation, worker)
                    for installation in (7, 8)
                    for worker in range(4)
                    for work in (reads, writes)
                )
            )
    finally:
        sys.setswitchinterval(interval)
    assert len(server.requests) == 2 + 2 * 4 * 2 * 25
    assert len({request.connection for request in server.requests}) > 2


async def test_a_diff_comes_as_the_bytes_it_is() -> None:
    diff = b"diff --git a/x b/x\n+caf\xe9 \xff\xfe\r\n"
    async with scripted(lambda _: Answer(diff)) as (server, gateway):
        assert await gateway.holder().pulls.compare_diff("o/r", SHA, SHA, max_bytes=1_000) == diff
    assert server.requests[0].headers["accept"] == "application/vnd.github.diff"


async def test_an_answer_above_the_limit_is_not_read_on() -> None:
    async with scripted(lambda _: Answer(b"x" * 5_000_000)) as (server, gateway):
        with pytest.raises(TooLargeError, match="more than 1,000 bytes"):
            await gateway.holder().pulls.compare_diff("o/r", SHA, SHA, max_bytes=1_000)
        assert len(server.requests) == 1


async def test_a_refusal_is_one_however_much_it_says() -> None:
    long = {"message": "Not Found", "more": "x" * 2_000_000}
    async with scripted(lambda _: Answer(long, 404)) as (_, gateway):
        with pytest.raises(NotFoundError):
            await gateway.holder().pulls.compare_diff("o/r", SHA, SHA, max_bytes=10)


async def test_every_request_says_who_asks_and_which_version_of_the_api() -> None:
    async with scripted(lambda _: Answer(pull(1))) as (server, gateway):
        await gateway.holder().pulls.get("o/r", 1)
    headers = server.requests[0].headers
    assert headers["user-agent"].startswith("reviewbot/")
    assert headers["x-github-api-version"] == "2022-11-28"
    assert headers["accept"] == "application/vnd.github+json"


async def test_without_a_token_none_is_sent() -> None:
    async with (
        scripted(lambda _: Answer(pull(1))) as (server, _),
        Gateway(None, base_url=server.url) as gateway,
    ):
        await gateway.holder().pulls.get("o/r", 1)
    assert "authorization" not in server.requests[0].headers


async def test_an_enterprise_server_has_its_paths_below_its_address() -> None:
    graph = {"data": {"viewer": {"login": "mona"}}}

    def script(request: Recorded) -> Answer:
        return Answer(graph if request.path.endswith("graphql") else pull(1))

    async with scripted(script, prefix="/api/v3") as (server, gateway):
        await gateway.holder().pulls.get("o/r", 1)
        assert await gateway.login() == "mona"
    assert server.calls == ["GET /api/v3/repos/o/r/pulls/1", "POST /api/graphql"]


# --- Redirects


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_renamed_repository_is_followed_with_the_whole_request(status: int) -> None:
    def script(request: Recorded) -> Answer:
        if request.path.startswith("/repos/"):
            place = f"/repositories/9{request.path.removeprefix('/repos/o/r')}?page=2&per_page=100"
            return Answer({"message": "Moved"}, status, {"location": place})
        return Answer(comment(5) if request.method == "POST" else [comment(5)])

    async with scripted(script) as (server, gateway):
        api = gateway.holder()
        assert [one.id for one in await api.comments.all("o/r", 1)] == [5]
        assert (await api.comments.create("o/r", 1, "text")).id == 5
    _, listed, _, created = server.requests
    assert listed.query == {"page": "2", "per_page": "100"}
    assert created.key == "POST /repositories/9/issues/1/comments"
    assert created.body == {"body": "text"}
    assert created.headers["authorization"] == f"Bearer {TOKEN}"


async def test_a_redirect_to_another_server_is_not_followed_and_gets_no_token() -> None:
    async with scripted(lambda _: Answer(pull(1))) as (elsewhere, _):
        moved = Answer({}, 301, {"location": f"{elsewhere.url}/repos/o/r/pulls/1"})
        async with scripted(lambda _: moved) as (_, gateway):
            with pytest.raises(GitHubError, match="GITHUB_API_URL"):
                await gateway.holder().pulls.get("o/r", 1)
        assert elsewhere.requests == []


async def test_redirects_in_a_circle_end() -> None:
    moved = Answer({}, 307, {"location": "/repos/o/r/pulls/2"})
    async with scripted(lambda _: moved) as (server, gateway):
        with pytest.raises(GitHubError, match="redirect"):
            await gateway.holder().pulls.get("o/r", 1)
        assert len(server.requests) < 6


# --- What is no GitHub


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer({}), "has an unexpected form"),
        (Answer("text"), "has an unexpected form"),
        (Answer(b"<html>", headers={"content-type": "text/html"}), "is a web page"),
        (Answer(None), "has an unexpected form"),
        (Answer({"number": 1, "head": None}), "has an unexpected form"),
    ],
)
async def test_a_response_that_is_not_from_github_is_one_clear_error(
    answer: Answer, problem: str
) -> None:
    async with scripted(lambda _: answer) as (_, gateway):
        with pytest.raises(UnavailableError, match=problem):
            await gateway.holder().pulls.get("o/r", 1)
        with pytest.raises(UnavailableError, match=problem):
            await gateway.holder().checks.get("o/r", 1)


@pytest.mark.parametrize("status", [200, 404])
async def test_a_web_page_is_neither_a_file_nor_that_there_is_none(status: int) -> None:
    page = Answer(b"<html>", status, {"content-type": "text/html; charset=utf-8"})
    async with scripted(lambda _: page) as (_, gateway):
        for asked in (
            gateway.holder().contents.file("o/r", ".reviewbot.yml", "main", max_bytes=100),
            gateway.holder().contents.blob("o/r", "a" * 40, max_bytes=100),
        ):
            with pytest.raises(UnavailableError, match="web page, not a response of GitHub's API"):
                await asked


@pytest.mark.parametrize("body", ["text", [1], [{}], {"message": "hm"}])
async def test_a_list_that_is_not_from_github_is_one_clear_error(body: object) -> None:
    async with scripted(lambda _: Answer(body)) as (_, gateway):
        with pytest.raises(UnavailableError, match="has an unexpected form"):
            await gateway.holder().comments.all("o/r", 1)


# --- Tokens stay where they belong


def whole_text(error: BaseException) -> str:
    """An error with all that led to it and all variables of all frames but the test's own."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown.stack = traceback.StackSummary.from_list(
        frame for frame in shown.stack if frame.filename != __file__
    )
    assert shown.stack
    return "".join(shown.format()) + repr(error) + str(error) + repr(vars(error))


@in_virtual_time
async def test_no_error_shows_a_token_whatever_goes_wrong() -> None:
    def script(request: Recorded) -> Answer | None:
        says = {"message": f"Bad credentials: {request.headers['authorization']}"}
        status = int(request.path.rpartition("/")[2])
        return None if status == 0 else Answer(says, status, {"location": "http://x.invalid/"})

    async with scripted(script, patience=IMPATIENT) as (_, gateway):
        for status in (0, 301, 400, 401, 403, 404, 406, 410, 422, 451, 502):
            with pytest.raises(GitHubError) as caught:
                await gateway.holder().pulls.get("o/r", status)
            assert TOKEN not in whole_text(caught.value), status
            with pytest.raises(GitHubError) as caught:
                await gateway.holder().comments.update("o/r", status, "text")
            assert TOKEN not in whole_text(caught.value), status


@in_virtual_time
async def test_no_error_shows_a_token_when_nobody_answers() -> None:
    async with scripted(lambda _: None) as (server, _):
        url = server.url
    async with Gateway(SecretText(TOKEN), base_url=url) as gateway:
        with pytest.raises(
            UnavailableError, match=r"no connection \(New.* GITHUB_API_URL$"
        ) as caught:
            await gateway.holder().pulls.get("o/r", 1)
    assert TOKEN not in whole_text(caught.value)


async def test_no_log_holds_a_token_or_a_word_of_what_is_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def script(request: Recorded) -> Answer:
        if request.path.startswith("/app"):
            return Answer({"token": TOKEN, "expires_at": "2099-01-01T00:00:00Z"}, 201)
        return Answer(comment(1, "the answer's text"))

    with caplog.at_level(logging.DEBUG):
        async with scripted(script, app=True) as (_, gateway):
            await gateway.installation(7).comments.create("o/r", 1, "the request's text")
    assert TOKEN not in caplog.text
    assert "eyJ" not in caplog.text
    assert "'s text" not in caplog.text


def test_credentials_do_not_show() -> None:
    assert TOKEN not in repr(Gateway(SecretText(TOKEN)).__dict__)


@pytest.mark.parametrize("token", ["", " ", f"{TOKEN}\n", f"{TOKEN} x", "gh\u00f6"])
async def test_a_token_that_cannot_be_sent_is_refused_without_being_shown(token: str) -> None:
    async with Gateway(SecretText(token)) as gateway:
        with pytest.raises(ConfigError, match="GITHUB_TOKEN") as caught:
            gateway.holder()
    assert TOKEN not in str(caught.value)


async def test_an_invalid_key_is_refused_without_being_shown() -> None:
    from reviewbot.github.client.auth import AppCredentials

    key = "-----BEGIN RSA PRIVATE KEY-----\nsecret\n-----END RSA PRIVATE KEY-----"
    async with (
        scripted(lambda _: Answer({})) as (server, _),
        Gateway(AppCredentials("1", SecretText(key)), base_url=server.url) as gateway,
    ):
        with pytest.raises(ConfigError, match="PEM") as caught:
            await gateway.app.get()
    assert "secret" not in whole_text(caught.value)
    assert server.requests == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://github.example/api/v3", "unencrypted"),
        ("ftp://github.example", "http or https"),
        ("https://user@github.example", "http or https"),
        ("github.example", "http or https"),
    ],
)
def test_a_token_never_goes_out_unencrypted_or_to_no_address(url: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        Gateway(SecretText(TOKEN), base_url=url)


# --- Paths stay in their place


@pytest.mark.parametrize(
    "name", ["o", "o/r/x", "../..", "o/..", "o/r?x", "o/r#x", "o r/x", "o/\n", ""]
)
async def test_a_repositorys_name_cannot_lead_elsewhere(name: str) -> None:
    async with scripted(lambda _: Answer(pull(1))) as (server, gateway):
        with pytest.raises(ConfigError, match="OWNER/REPO"):
            await gateway.holder().pulls.get(name, 1)
        with pytest.raises(ConfigError, match="OWNER/REPO"):
            await gateway.holder().threads.all(name, 1)
        assert server.requests == []


@pytest.mark.parametrize("path", ["../../user", "a/../b", "./a", "a//b", "/a", "", "a/.", "a\0b"])
async def test_a_files_path_cannot_lead_elsewhere(path: str) -> None:
    async with scripted(lambda _: Answer(b"text")) as (server, gateway):
        assert await gateway.holder().contents.file("o/r", path, "main", max_bytes=99) is None
        assert server.requests == []


@pytest.mark.parametrize("path", ["a b?c#d%2e%2e/e;f=g", "..a/b..", "\u00fc/\U0001f600", "[x]/{y}"])
async def test_a_files_path_arrives_as_it_is(path: str) -> None:
    from urllib.parse import unquote

    async with scripted(lambda _: Answer(b"text")) as (server, gateway):
        api = gateway.holder()
        assert await api.contents.file("o/r", path, "a&b=c#d", max_bytes=99) == b"text"
    (request,) = server.requests
    assert unquote(request.path) == f"/repos/o/r/contents/{path}"
    assert request.query == {"ref": "a&b=c#d"}


@pytest.mark.parametrize("sha", ["main", "../x", "0" * 39, "0" * 41, "G" * 40])
async def test_a_commit_is_one_or_nothing_is_sent(sha: str) -> None:
    async with scripted(lambda _: Answer(b"")) as (server, gateway):
        api = gateway.holder()
        with pytest.raises(ValueError, match="is not a commit"):
            await api.contents.blob("o/r", sha, max_bytes=9)
        with pytest.raises(ValueError, match="is not a commit"):
            await api.pulls.compare("o/r", "0" * 40, sha)
        assert server.requests == []


@pytest.mark.parametrize("login", ["..", ".", "", "a\nb"])
async def test_an_invalid_login_has_no_permission(login: str) -> None:
    async with scripted(lambda _: Answer({"permission": "admin"})) as (server, gateway):
        assert await gateway.holder().pulls.permission("o/r", login) == "none"
        assert server.requests == []


# --- The extra


def test_importing_the_gateway_loads_neither_pygithub_nor_requests() -> None:
    code = (
        "import json, sys, reviewbot.github.api.gateway;"
        "print(json.dumps([n for n in ('github', 'requests', 'jwt', 'nacl') if n in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert json.loads(done.stdout) == []


def test_without_the_extra_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "github", None)
    with pytest.raises(ConfigError, match=r"\[github\]"):
        Gateway(SecretText(TOKEN))


async def test_bad_credentials_say_what_to_check() -> None:
    async with scripted(lambda _: Answer({"message": "Bad credentials"}, 401)) as (_, gateway):
        with pytest.raises(BadCredentialsError, match="whether it has expired"):
            await gateway.holder().pulls.get("o/r", 1)
