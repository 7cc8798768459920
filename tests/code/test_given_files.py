"""Files that a caller has, as code at a commit."""

from __future__ import annotations

from reviewbot.code.given_files import GivenFiles

FILES = GivenFiles({"a.py": b"charge(1)\ncharged = 2\n", "b.txt": b"x.charge\xff\n"})


async def test_given_files_are_read_by_path() -> None:
    assert await FILES.contents(["a.py", "c.py"]) == {"a.py": b"charge(1)\ncharged = 2\n"}


async def test_a_search_finds_whole_words_in_all_files() -> None:
    assert await FILES.search("charge") == [("a.py", "charge(1)"), ("b.txt", "x.charge\ufffd")]
    assert await FILES.search("missing") == []
