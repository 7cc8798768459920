"""Files of the head of a pull request: where they are read, and how many requests they take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.code.at_commit import FILE_BYTES
from reviewbot.code.given_files import GivenFiles
from reviewbot.github.change.compare import ContentSource
from reviewbot.github.change.head_files import REQUESTS, HeadFiles
from tests.fake_github import FakeGitHub, faults
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
