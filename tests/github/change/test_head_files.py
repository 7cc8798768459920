"""Files of the head of a pull request: where they are read, and how many requests they take."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from reviewbot.code.at_commit import FILE_BYTES, FilesWith, SearchError
from reviewbot.code.given_files import GivenFiles
from reviewbot.github.change.compare import ContentSource
from reviewbot.github.change.head_files import LOOKUP_REQUESTS, REQUESTS, HeadFiles
from tests.fake_github import SYMLINK, Blob, FakeGitHub, faults
from tests.support.github_changes import REPO, opened

if TYPE_CHECKING:
    from reviewbot.code.at_commit import CodeAtCommit
    from reviewbot.github.api.gateway import Api
    from tests.fake_github import PullRequest

CONTENTS = "/contents/"


def reader(api: Api, pull: PullRequest, checkout: CodeAtCommit | None = None) -> HeadFiles:
    return HeadFiles(ContentSource(api, REPO, None, pull.head_sha), checkout=checkout)


def asked_for(github: FakeGitHub) -> list[str]:
    return [one.path.rpartition(CONTENTS)[2] for one in github.called("GET", CONTENTS)]


TAX = b"def rate_of(due):\n    return due\n"


async def test_files_are_read_at_the_head_and_nothing_can_be_searched() -> None:
    base = {"shop/use.py": b"", "shop/tax.py": TAX}
    async with opened(base, base | {"shop/use.py": b"x"}) as (github, pull, api):
        files = reader(api, pull)
        assert await files.contents(["shop/tax.py", "shop/other.py"]) == {"shop/tax.py": TAX}
        assert await files.search("rate_of") is None
        assert sorted(asked_for(github)) == ["shop/other.py", "shop/tax.py"]
        assert {one.query["ref"] for one in github.called("GET", CONTENTS)} == {pull.head_sha}


async def test_a_review_takes_ten_requests_at_most() -> None:
    async with opened({"a.py": b""}, {"a.py": b"x"}) as (github, pull, api):
        files = reader(api, pull)
        for number in range(REQUESTS + 5):
            assert await files.contents([f"{number}.py"]) == {}
        assert len(asked_for(github)) == REQUESTS == 10


async def test_a_file_that_is_too_large_is_left_out_and_ends_nothing() -> None:
    head = {"a.py": b"x" * (FILE_BYTES + 1), "b.py": b"y"}
    async with opened({"a.py": b""}, head) as (_, pull, api):
        files = reader(api, pull)
        assert await files.contents(["a.py"]) == {}
        assert await files.contents(["b.py"]) == {"b.py": b"y"}


async def test_the_first_error_ends_the_requests() -> None:
    async with opened({"a.py": b""}, {"a.py": b"x"}) as (github, pull, api):
        files = reader(api, pull)
        github.fail(faults.error("GET", CONTENTS, status=403, times=None))
        assert await files.contents(["a.py"]) == {}
        before = len(asked_for(github))
        assert await files.contents(["a.py"]) == {}
        assert len(asked_for(github)) == before


async def test_a_checkout_takes_no_request() -> None:
    async with opened({"a.py": b""}, {"a.py": b"x"}) as (github, pull, api):
        files = reader(api, pull, GivenFiles({"lib.py": b"local"}))
        assert await files.contents(["lib.py"]) == {"lib.py": b"local"}
        assert asked_for(github) == []
        assert await files.contents(["a.py", "lib.py"]) == {"a.py": b"x", "lib.py": b"local"}
        assert asked_for(github) == ["a.py"]


@pytest.mark.parametrize("path", ["../a.py", "a/../../b.py", "", "/etc/passwd", "a\0b"])
async def test_a_hostile_path_reaches_no_other_repository(path: str) -> None:
    async with opened({"a.py": b""}, {"a.py": b"x"}) as (github, pull, api):
        assert await reader(api, pull).contents([path]) == {}
        assert asked_for(github) == []


BLOBS = "/git/blobs/"


async def test_a_look_up_reads_blobs_of_the_tree_and_both_versions() -> None:
    base = {"a.py": b"old\n", "lib/tax.py": TAX}
    async with opened(base, base | {"a.py": b"new\n"}) as (github, pull, api):
        files = HeadFiles(ContentSource(api, REPO, pull.base_sha, pull.head_sha))
        assert await files.read(["lib/tax.py", "a.py", "lib", "no.py"]) == {
            "lib/tax.py": TAX,
            "a.py": b"new\n",
            "lib": "missing",
            "no.py": "missing",
        }
        assert await files.read(["a.py"], base=True) == {"a.py": b"old\n"}
        assert len(github.called("GET", "/git/trees/")) == 2
        assert len(github.called("GET", BLOBS)) == 3
        assert not github.called("GET", CONTENTS)


async def test_a_look_up_through_github_follows_no_link_and_reads_no_large_file() -> None:
    link = Blob(b"a.py", SYMLINK)
    head = {"a.py": Blob(b"x"), "big.py": Blob(b"x" * (FILE_BYTES + 1)), "link.py": link}
    async with opened({"a.py": b""}, head) as (_, pull, api):
        files = reader(api, pull)
        assert await files.read(["link.py", "big.py", "link.py/a.py"]) == {
            "link.py": "link",
            "big.py": "large",
            "link.py/a.py": "missing",
        }
        assert await files.read(["a.py"], base=True) == {"a.py": "unavailable"}


async def test_without_a_checkout_a_search_says_that_it_cannot() -> None:
    async with opened({"a.py": b""}, {"a.py": b"x"}) as (_, pull, api):
        with pytest.raises(SearchError, match="no clone"):
            await reader(api, pull).files_with("x", word=True)
        searched = reader(api, pull, GivenFiles({"lib.py": b"local"}))
        assert await searched.files_with("local", word=True) == FilesWith(("lib.py",))


async def test_an_error_of_github_says_nothing_about_a_file() -> None:
    async with opened({"a.py": b""}, {"a.py": b"x"}) as (github, pull, api):
        files = reader(api, pull)
        github.fail(faults.error("GET", "/git/", status=403, times=None))
        assert await files.read(["a.py"]) == {"a.py": "unavailable"}


async def test_look_ups_of_a_review_take_a_limited_number_of_requests() -> None:
    async with opened({"a.py": b""}, {"a.py": b"x"}) as (github, pull, api):
        files = reader(api, pull)
        results = [(await files.read(["a.py"]))["a.py"] for _ in range(LOOKUP_REQUESTS + 5)]
        assert results == [b"x"] * (LOOKUP_REQUESTS - 1) + ["unavailable"] * 6
        assert len(github.called("GET", "/git/")) == LOOKUP_REQUESTS


async def test_look_ups_of_one_turn_fetch_the_tree_once() -> None:
    head = {f"{number}.py": b"x" for number in range(6)}
    async with opened({"a.py": b""}, head) as (github, pull, api):
        files = reader(api, pull)
        await asyncio.gather(*(files.read([path]) for path in head))
        assert len(github.called("GET", "/git/trees/")) == 1
