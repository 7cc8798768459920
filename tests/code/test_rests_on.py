"""Quotes that a finding rests on are checked against the reviewed commit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from reviewbot.code import rests_on
from reviewbot.code.given_files import GivenFiles
from reviewbot.code.rests_on import QUOTES, checked_quotes
from reviewbot.core.findings.finding import RawQuote, RestsOn
from tests.support.lookups import commit, files_of, git, of_diff, root

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from reviewbot.code.lookup_files import LookupFiles

__all__ = ["root"]

TOKEN = "ghp" + "_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"


def reviewed(root: Path) -> LookupFiles:
    commit(
        root,
        {
            "old.py": "def charge(order):\n    due = order.net\n    return due\n" + "# same\n" * 40,
            "lib/tax.py": f"def rate_of(due):\n    return due * 2\n\ntoken = '{TOKEN}'\n",
            "private/a.py": "def hidden():\n    pass\n",
        },
    )
    git(root, "mv", "old.py", "new.py")
    text = "def charge(order):\n    due = order.gross\n    return due\n" + "# same\n" * 40
    commit(root, {"new.py": text + "def tail_of_file(): pass\n"})
    return files_of(root, exclude=["private/"], span="HEAD~1..HEAD")


async def test_a_quote_of_unchanged_code_becomes_its_lines(root: Path) -> None:
    value = [RawQuote("./lib/tax.py", "def rate_of(due):\n  return due * 2")] * 2
    assert await checked_quotes(value, reviewed(root)) == (
        RestsOn("lib/tax.py", 1, 2, "def rate_of(due):\n    return due * 2", False, False),
    )


async def test_a_quote_of_the_old_version_has_the_old_path(root: Path) -> None:
    value = [RawQuote("new.py", "due = order.net", base=True)]
    assert await checked_quotes(value, reviewed(root)) == (
        RestsOn("old.py", 2, 2, "    due = order.net", True, True),
    )


async def test_code_that_the_diff_shows_was_not_looked_up(root: Path) -> None:
    files = reviewed(root)
    (shown,) = await checked_quotes([RawQuote("new.py", "due = order.gross")], files)
    assert shown.is_shown


async def test_quotes_that_the_commit_does_not_have_are_dropped(root: Path) -> None:
    value = [
        RawQuote("lib/tax.py", "def rate_of(due, country):"),
        RawQuote("lib/other.py", "def rate_of(due):"),
        RawQuote("../x.py", "def rate_of(due):"),
        RawQuote("private/a.py", "def hidden():"),
        RawQuote("lib/tax.py", "def rate_of(due):"),
    ]
    files = reviewed(root)
    found = await checked_quotes(value, files)
    assert [(one.path, one.line) for one in found] == [("lib/tax.py", 1)]
    assert await checked_quotes((), files) == ()
    many = [RawQuote("lib/tax.py", "nothing here")] + [
        RawQuote("lib/tax.py", f"nothing here {number}") for number in range(QUOTES)
    ]
    assert await checked_quotes([*many, value[-1]], files) == ()


async def test_a_quote_neither_confirms_nor_shows_a_secret(root: Path) -> None:
    files = reviewed(root)
    assert await checked_quotes([RawQuote("lib/tax.py", f"token = '{TOKEN}'")], files) == ()
    (found,) = await checked_quotes([RawQuote("lib/tax.py", "token = '[REDACTED")], files)
    assert TOKEN not in found.quote


async def test_a_quote_that_cannot_be_checked_never_costs_the_finding_or_its_other_quotes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Unreliable(GivenFiles):
        async def read(self, paths: Sequence[str], *, base: bool = False) -> Any:
            if "broken.py" in paths:
                raise OSError
            if "slow.py" in paths:
                await asyncio.Event().wait()
            return await super().read(paths, base=base)

    monkeypatch.setattr(rests_on, "QUOTES_S", 1.0)
    files = of_diff("", Unreliable({"a.py": b"RATE = None\n"}))
    names = ("broken.py", "a.py", "slow.py")
    quotes = [RawQuote(name, "RATE = None", base=False) for name in names]
    assert [one.path for one in await checked_quotes(quotes, files)] == ["a.py"]
