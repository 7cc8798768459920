"""Files that cannot be read are listed with the reason, and hide no others."""

from __future__ import annotations

from typing import Any

import pytest

from reviewbot.config.settings import SecretText
from reviewbot.core.diff.parse import parse_diff
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.change import compare
from reviewbot.github.change.fetch import get_change
from reviewbot.github.client.errors import (
    BadCredentialsError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
)
from tests.fake_github import FakeGitHub, Fault, faults
from tests.support.github_changes import (
    EDITED,
    LARGE,
    REPO,
    by_list,
    by_path,
    large_ones,
    listing,
    lists,
    opened,
    reasons,
    texts,
)

# --- What cannot be had


async def test_a_content_above_the_limit_is_missing_and_the_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit = len(EDITED) + 100
    monkeypatch.setattr(compare, "MAX_FILE", limit)
    async with large_ones(a=EDITED, b=EDITED + "#" * 9_000) as (_, _pull, api):
        change = await get_change(api, REPO, 1)
        assert set(by_path(change)) == {"a.py", "s.py"}
        assert reasons(change) == {
            "b.py": "GitHub does not provide its diff, and its content has more than"
            f" {limit:,} bytes."
        }


async def test_a_content_that_github_itself_does_not_give_is_missing() -> None:
    async with large_ones(a=EDITED, b=EDITED + "#" * 9_000) as (github, _, api):
        github.rules.blob_bytes = len(EDITED) + 100
        change = await get_change(api, REPO, 1)
        assert set(by_path(change)) == {"a.py", "s.py"}
        assert "its content has more than" in (reasons(change)["b.py"] or "")


@pytest.mark.parametrize(("name", "limit"), [("MAX_FILES", 5), ("MAX_ALL", 5 * 2 * len(EDITED))])
async def test_no_more_is_fetched_than_the_limits_and_the_rest_is_missing(
    name: str, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, name, limit)
    many = {f"f{number}": EDITED for number in range(12)}
    async with large_ones(**many) as (github, _, api):
        change = await get_change(api, REPO, 1)
        fetched = len(github.called("GET", "/git/blobs"))
        assert fetched == (5 if name == "MAX_FILES" else 8)  # four at a time
        assert len(change.missing) == 12 - fetched
        assert len(by_path(change)) == fetched + 1
        assert "at most" in str(change.missing[0].reason)


async def test_what_would_be_missing_is_compared_before_what_only_is_not_certain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compare, "MAX_FILES", 1)
    images = {f"{number}.png": b"\0%d" % number for number in range(9)}
    changed = {name: content + b"!" for name, content in images.items()}
    base: dict[str, Any] = {"z.py": LARGE, "gone.py": LARGE, **images}
    async with opened(base, {"z.py": EDITED, **changed}) as (github, _, api):
        github.rules.patch_lines = 2
        by_list(github)
        change = await get_change(api, REPO, 1)
        found = by_path(change)
        assert change.missing == ()
        assert found["z.py"].hunks
        assert all(found[name].binary for name in images)
        assert found["gone.py"].status == "deleted"


async def test_without_git_what_must_be_compared_is_missing_and_nothing_is_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    async with large_ones(a=EDITED) as (github, _, api):
        await get_change(api, REPO, 1)  # the fake has made its own diffs
        before = len(github.called("GET", "/git/blobs"))
        monkeypatch.setenv("PATH", str(tmp_path))
        change = await get_change(api, REPO, 1)
        assert list(by_path(change)) == ["s.py"]
        assert reasons(change) == {
            "a.py": "GitHub does not provide its diff, and git is not installed here."
        }
        assert len(github.called("GET", "/git/blobs")) == before


@pytest.mark.parametrize(
    ("call", "status", "why"),
    [
        ("/git/blobs/", 404, "its content could not be fetched: GitHub does not show it"),
        ("/git/blobs/", 403, "its content could not be fetched: GitHub does not permit"),
        ("/contents/", 404, "its old content is missing"),
        ("/compare/", 404, "GitHub did not return its merge base"),
    ],
)
async def test_what_fails_of_one_file_is_its_reason(call: str, status: int, why: str) -> None:
    async with large_ones(a=EDITED) as (github, _, api):
        github.fail(faults.error("GET", call, status, times=None))
        change = await get_change(api, REPO, 1)
        assert list(by_path(change)) == ["s.py"]
        assert why in (reasons(change)["a.py"] or "")


async def test_the_log_has_the_kind_of_a_failure_and_not_the_path(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with large_ones(a=EDITED) as (github, _, api):
        github.fail(faults.error("GET", "/contents/", 403, times=None))
        await get_change(api, REPO, 1)
    assert "could not be fetched: ForbiddenError 403" in caplog.text
    assert "a.py" not in caplog.text


async def test_contents_that_do_not_fit_to_the_change_are_not_taken_for_it() -> None:
    """The contents API follows a symbolic link: it gives what another file has."""
    async with large_ones(a=EDITED) as (github, _, api):
        github.fail(Fault("GET", "/contents/", 200, b"some other file\n"))
        change = await get_change(api, REPO, 1)
        reason = reasons(change)["a.py"] or ""
        assert "do not match the numbers of lines that GitHub reports" in reason


@pytest.mark.parametrize("odd", [{"filename": "\ud800.py"}, {"sha": "no id"}])
async def test_a_content_that_cannot_be_asked_for_is_missing(odd: dict[str, str]) -> None:
    async with large_ones(a=EDITED) as (github, _, api):
        listed = await listing(github, api)
        listed[0] |= odd
        lists(github, listed)
        change = await get_change(api, REPO, 1)
        assert list(by_path(change)) == ["s.py"]
        (reason,) = reasons(change).values()
        assert "that cannot be requested" in (reason or "")


async def test_a_file_whose_new_content_has_no_id_is_read_at_the_head() -> None:
    async with large_ones(a=EDITED) as (github, pull, api):
        listed = await listing(github, api)
        del listed[0]["sha"]
        lists(github, listed)
        change = await get_change(api, REPO, 1)
        assert change.missing == ()
        assert {path: texts(file) for path, file in by_path(change).items()} == {
            file.path: texts(file) for file in parse_diff(pull.diff_text)
        }
        assert github.called("GET", "/contents/")[-1].query["ref"] == pull.head_sha


# --- Attributes that the change brings


@pytest.mark.parametrize("in_one_piece", [True, False])
async def test_a_change_cannot_hide_its_code_by_attributes_that_it_brings(
    in_one_piece: bool,
) -> None:
    base: dict[str, Any] = {
        "a.py": "x = 1\n",
        "i.png": b"\0" + b"1",
        "run.py": "y\n",
        "m.py": LARGE,
    }
    head: dict[str, Any] = {
        "a.py": "x = eval(input())\n", "i.png": b"\0" + b"2", ".gitattributes": "*.py -diff\n",
        "moved.py": LARGE, "real.bin": b"\0binary", "run.py": "y\n", "empty.py": "",
    }  # fmt: skip
    async with opened(base, head) as (github, pull, api):
        told = parse_diff(pull.diff_text)
        sections = pull.diff_text.split(b"diff --git ")
        if in_one_piece:
            at = next(n for n, one in enumerate(sections) if one.startswith(b"a/a.py"))
            header, _, _ = sections[at].partition(b"--- ")
            sections[at] = header + b"Binary files a/a.py and b/a.py differ\n"
            hidden = b"diff --git ".join(sections)

            async def diff(*_: Any, **__: Any) -> bytes:
                return hidden

            api.pulls.compare_diff = diff  # type: ignore[method-assign]  # the fake knows no attributes
        else:
            by_list(github)
            listed = await listing(github, api)
            one = next(one for one in listed if one["filename"] == "a.py")
            del one["patch"]
            one |= {"additions": 0, "deletions": 0}
            lists(github, listed)
        change = await get_change(api, REPO, 1)
        found = by_path(change)
        assert change.missing == ()
        assert set(found) == {file.path for file in told}
        assert texts(found["a.py"]) == ["-x = 1", "+x = eval(input())"]
        assert [path for path, file in found.items() if file.binary] == ["i.png", "real.bin"]
        assert change.notices[-1].startswith(
            "GitHub shows no lines of a.py, perhaps because of .gitattributes"
        )
        github.fail(faults.error("GET", "/contents/a.py", 404, times=None))
        assert list(reasons(await get_change(api, REPO, 1))) == ["a.py"]


# --- GitHub's refusals


async def test_a_pull_request_that_is_not_there_is_githubs_error() -> None:
    async with opened({"a.py": "x\n"}, {"a.py": "y\n"}) as (_, _pull, api):
        with pytest.raises(NotFoundError, match="GitHub has nothing for GET /repos/octo/hello"):
            await get_change(api, REPO, 2)


async def test_a_missing_permission_is_githubs_error() -> None:
    async with FakeGitHub() as github:
        pull = github.pull({"a.py": "x\n"}, {"a.py": "y\n"})
        token = github.token(pull.repo, {"issues": "read"})
        async with Gateway(SecretText(token.value), base_url=github.url) as gateway:
            with pytest.raises(ForbiddenError, match="needs the permission"):
                await get_change(gateway.holder(), REPO, 1)


@pytest.mark.parametrize("call", ["/pulls/1$", "/files$", "/compare/", "/git/blobs/"])
async def test_a_limit_that_lasts_is_githubs_error_wherever_it_comes(call: str) -> None:
    async with large_ones(a=EDITED, b=EDITED) as (github, _, api):
        github.rules.compared_files = 0
        github.fail(faults.primary("GET", call, reset=github.clock.now() + 3_000, times=9))
        with pytest.raises(RateLimitedError, match="rate limit is used up"):
            await get_change(api, REPO, 1)


async def test_a_token_that_ends_on_the_way_is_githubs_error() -> None:
    async with large_ones(a=EDITED) as (github, _, api):
        github.fail(faults.error("GET", "/git/blobs/", 401, times=None))
        with pytest.raises(BadCredentialsError):
            await get_change(api, REPO, 1)
