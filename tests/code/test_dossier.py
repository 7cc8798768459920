"""The dossier: code beside a change, for models that cannot look it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.code import dossier
from reviewbot.code.dossier import Dossier, called_names
from reviewbot.code.git_files import GitFiles
from reviewbot.code.git_repository import open_repository
from reviewbot.code.quotable_code import QuotableCode
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.plan.policy import Policy
from reviewbot.core.prompt.numbered import chunk_lines
from reviewbot.models.offline.parser import ParserPool
from tests.support.lookups import commit, root
from tests.support.views import hunk, view

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from reviewbot.models.offline.parser import Parser

__all__ = ["root"]

BODY = "".join(f"    step_{number}()\n" for number in range(20))
SHOP = f"def charge(order):\n    due = order.net\n{BODY}    return due\n"
FILES = {
    "shop.py": SHOP,
    "lib/tax.py": "RATE = 2\n\n\ndef rate_of(due):\n    return due * RATE\n",
    "tests/test_shop.py": (
        "def test_charge():\n    assert charge(1) == 2\n\n\ndef rate_of(x):\n    pass\n"
    ),
}
CHANGED = hunk("     step_1()\n-    step_2()\n+    due = rate_of(due)\n     step_3()", old=4, new=4)


@pytest.fixture
async def parser() -> AsyncIterator[Parser]:
    pool = ParserPool()
    yield pool.for_tenant("a")
    pool.close()


async def compiled(root: Path, parser: Parser, chars: int = 20_000) -> str:
    commit(root, FILES)
    commit(root, {"shop.py": SHOP.replace("    step_2()", "    due = rate_of(due)")})
    repository = open_repository(root, span="HEAD~1..HEAD")
    files = parse_diff(repository.changes())
    code = QuotableCode(files, Policy(), source=GitFiles(repository))
    views = await Dossier(code, parser).views([view(CHANGED, path="shop.py")], chars)
    return "\n".join(line for one in views for line in chunk_lines(one))


async def test_it_has_the_function_the_called_definition_and_the_test(
    root: Path, parser: Parser
) -> None:
    text = await compiled(root, parser)
    assert '=== file "shop.py", modified' in text
    assert "R1 |def charge(order):" in text
    assert "R23 |    return due" in text
    assert "R4 |def rate_of(due):\nR5 |    return due * RATE" in text
    assert "R1 |def test_charge():\nR2 |    assert charge(1) == 2" in text
    assert "def rate_of(x)" not in text


async def test_it_stays_within_its_characters(root: Path, parser: Parser) -> None:
    text = await compiled(root, parser, 700)
    assert 0 < len(text) <= 700
    assert "due = rate_of(due)" in text


async def test_searches_that_take_too_long_are_left_out(
    root: Path, parser: Parser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dossier, "SECONDS", 0.0)
    text = await compiled(root, parser)
    assert "R1 |def charge(order):" in text
    assert "test_charge" not in text


def test_called_names_are_those_of_added_lines_without_keywords() -> None:
    change = hunk("+if (x): return foo(bar.baz(1), foo(2))\n-old_call()\n context_call()\n+a()")
    assert called_names(view(change)) == ["foo", "baz"]


async def test_a_change_without_code_has_no_dossier(root: Path, parser: Parser) -> None:
    commit(root, FILES)
    repository = open_repository(root)
    code = QuotableCode((), Policy(), source=GitFiles(repository))
    found = await Dossier(code, parser).views([view(path="a.md")], 1_000)
    assert found == ()
