"""Files of a fetched commit can be looked up; what could not be fetched is never "not found"."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from reviewbot.code.at_commit import SearchError, problem_of
from reviewbot.code.clones import CloneKey, Clones
from reviewbot.code.fetched_files import FetchedFiles
from reviewbot.code.git_fetch import WITHHELD_BYTES, FetchError, Origin
from reviewbot.config.settings import SecretText
from tests.support.git_server import GitServer, basic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reviewbot.code.git_repository import GitRepository

REF = "refs/pull/7/head"
KEY = CloneKey("127.0.0.1", 1, 10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "remote") as made:
        yield made


def files_of(server: GitServer, clones: Clones) -> FetchedFiles:
    """Return the files of a change of ``a.py``, with a large file beside it."""
    remote = server.repository("octo/hello", token="t")
    large = "needle\n" + "x" * WITHHELD_BYTES
    base = remote.commit({"a.py": "old = 1\n", "lib/b.py": "needle = 1\n", "large.txt": large})
    head = remote.commit({"a.py": "new = 1\n"}, ref=REF)
    token = SecretText(basic("t"))
    origin = Origin(server.url("octo/hello"), token, REF, head, base)

    async def fetch() -> GitRepository:
        return await asyncio.to_thread(clones.fetch, KEY, origin, private=True)

    return FetchedFiles(fetch)


async def test_both_sides_are_read_after_one_fetch(server: GitServer, tmp_path: Path) -> None:
    files = files_of(server, Clones(tmp_path / "clones", 100_000_000))
    new, old = await asyncio.gather(files.read(["a.py"]), files.read(["a.py"], base=True))
    assert (new["a.py"], old["a.py"]) == (b"new = 1\n", b"old = 1\n")
    requests = len(server.requests)
    assert (await files.read(["lib/none.py"]))["lib/none.py"] == "missing"
    assert (await files.contents(["lib/b.py"])) == {"lib/b.py": b"needle = 1\n"}
    assert len(server.requests) == requests
    assert problem_of(files) is None


async def test_a_large_file_is_not_searched_like_every_large_file(
    server: GitServer, tmp_path: Path
) -> None:
    files = files_of(server, Clones(tmp_path / "clones", 100_000_000))
    found = await files.files_with("needle", word=False)
    assert (found.paths, found.absent) == (("lib/b.py",), 0)
    assert (await files.read(["large.txt"]))["large.txt"] == "unavailable"


async def test_a_removal_in_the_middle_is_an_error_and_not_an_absence(
    server: GitServer, tmp_path: Path
) -> None:
    clones = Clones(tmp_path / "clones", 100_000_000)
    files = files_of(server, clones)
    assert (await files.read(["a.py"]))["a.py"] == b"new = 1\n"
    await asyncio.to_thread(clones.remove, KEY.host, account=KEY.account)
    assert (await files.read(["a.py"]))["a.py"] == "unavailable"
    assert await files.contents(["a.py"]) == {}
    assert await files.search("needle") is None
    with pytest.raises(SearchError):
        await files.files_with("needle", word=False)


@pytest.mark.parametrize("error", [FetchError("it is down"), OSError("/secret/path: no space")])
async def test_a_failed_fetch_is_tried_once_and_told_without_paths(error: Exception) -> None:
    calls = 0

    async def fetch() -> GitRepository:
        nonlocal calls
        calls += 1
        raise error

    files = FetchedFiles(fetch)
    assert problem_of(files) is None
    assert (await files.read(["a.py"]))["a.py"] == "unavailable"
    assert await files.search("needle") is None
    with pytest.raises(SearchError):
        await files.files_with("needle", word=True)
    assert calls == 1
    told = problem_of(files) or ""
    assert told.startswith("The code beyond the change was not searched: ")
    assert "/secret" not in told


async def test_a_look_up_that_gives_up_leaves_the_one_fetch_to_the_next(
    server: GitServer, tmp_path: Path
) -> None:
    ready, calls = asyncio.Event(), 0
    whole = files_of(server, Clones(tmp_path / "clones", 100_000_000))

    async def fetch() -> GitRepository:
        nonlocal calls
        calls += 1
        await ready.wait()
        return await whole._fetch()

    files = FetchedFiles(fetch)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await files.read(["a.py"])
    ready.set()
    assert (await files.read(["a.py"]))["a.py"] == b"new = 1\n"
    assert calls == 1
