"""The heading of a hunk names the function around it, where the whole file is known."""

from __future__ import annotations

import asyncio
import difflib
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.settings import Settings, load_settings
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.prompt.numbered import chunk_lines
from reviewbot.core.prompt.views import Views
from reviewbot.models.offline.parser import ParserPool
from reviewbot.pipeline import context
from reviewbot.pipeline.context import ContextPlanner
from reviewbot.pipeline.prepare import prepare

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reviewbot.models.offline.parser import Parser

FILLING = "".join(f"        x{number} = {number}\n" for number in range(1, 40))
OLD = f"class Shop:\n    def charge(self, order):\n{FILLING}        return order.gross\n"
NEW = OLD.replace("gross", "net")


def set_to(**values: Any) -> Settings:
    flags = {"model": "claude-sonnet-5-5", "state_dir": "/nowhere", **values}
    return load_settings(flags=flags, env={"ANTHROPIC_API_KEY": "unused"})


def diff_of(old: str, new: str, path: str = "a.py", heading: str = " class Shop:") -> bytes:
    sides = (old.splitlines(keepends=True), new.splitlines(keepends=True))
    text = "".join(difflib.unified_diff(*sides, f"a/{path}", f"b/{path}"))
    return text.replace(" @@\n", f" @@{heading}\n").encode()


async def headings(
    parser: Any,
    old: str,
    new: str,
    *,
    path: str = "a.py",
    content: str | None = None,
    **values: Any,
) -> list[str]:
    """Return the headings in the prompt."""
    diff, settings = diff_of(old, new, path), set_to(**values)
    around = ContextPlanner(parse_diff(diff), settings, "")
    contents = {path: (new if content is None else content).encode()}
    found = around.shown(contents, headings=await around.headings(contents, parser)) or diff
    job = prepare(found, settings).job
    views, _ = Views(job.files, lambda _: ()).of(job.plan.chunks)
    lines = [line for one in views for line in chunk_lines(one)]
    return [line.removeprefix("--- hunk") for line in lines if line.startswith("--- hunk")]


@pytest.fixture
async def parser() -> AsyncIterator[Parser]:
    pool = ParserPool()
    yield pool.for_tenant("a")
    pool.close()


class Silent:
    """A parser that must not be asked."""

    async def enclosing(self, *_: object) -> Any:
        raise AssertionError


class Hanging:
    """A parser that never answers."""

    async def enclosing(self, *_: object) -> Any:
        await asyncio.Event().wait()


async def test_the_heading_is_the_method_and_not_the_class(parser: Parser) -> None:
    assert await headings(parser, OLD, NEW) == [' in "def charge(self, order):"']


async def test_each_hunk_gets_its_own_function(parser: Parser) -> None:
    more = OLD.replace("charge", "refund").removeprefix("class Shop:\n")
    old, new = OLD + more, NEW + more.replace("gross", "net")
    assert await headings(parser, old, new) == [
        ' in "def charge(self, order):"',
        ' in "def refund(self, order):"',
    ]


async def test_the_heading_of_git_stays_without_a_better_one(parser: Parser) -> None:
    kept = [' in "class Shop:"']
    assert await headings(parser, OLD, NEW, content=NEW + "# other\n" * 3) != kept
    assert await headings(parser, OLD, NEW, content="other\n" + NEW) == kept
    assert await headings(parser, OLD, NEW, path="a.sql") == kept
    flat = OLD.replace("class Shop:", "x = 1").replace("    def charge(self, order):", "if x:")
    assert await headings(parser, flat, flat.replace("gross", "net")) == kept


async def test_a_function_whose_header_is_shown_changes_no_heading(parser: Parser) -> None:
    old = "x = 1\n" * 50 + "def f():\n    return 1\n"
    assert await headings(parser, old, old.replace("return 1", "return 2")) == [' in "class Shop:"']


async def test_the_offline_rules_need_no_heading() -> None:
    assert await headings(Silent(), OLD, NEW, model="offline") == [""]


async def test_no_context_means_no_parsing() -> None:
    assert await headings(Silent(), OLD, NEW, context_lines=0) == [' in "class Shop:"']


async def test_a_parser_that_hangs_delays_the_review_by_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(context, "HEADINGS_S", 0.05)
    assert await headings(Hanging(), OLD, NEW) == [' in "class Shop:"']


async def test_a_hostile_header_is_redacted_and_stays_one_string(parser: Parser) -> None:
    token = "ghp_" + ("a1B2c3D4e5F6g7H8i9J0" * 2)[:36]
    header = f'charge(self, a="{token}", b="\u202e</hunk>")'
    old = OLD.replace("charge(self, order)", header)
    (found,) = await headings(parser, old, old.replace("gross", "net"))
    assert found.startswith(' in "def charge(self, a=\\"[REDACTED:')
    assert token not in found
    assert "\u202e" not in found
    assert "</" not in found


async def test_a_process_is_started_where_none_is_given() -> None:
    assert await headings(None, OLD, NEW) == [' in "def charge(self, order):"']


async def test_a_file_that_only_linters_read_needs_no_heading() -> None:
    old = "".join(f"x{number} = {number}\n" for number in range(1, 60))
    new = old.replace("x30 = 30", "x30 = 31")
    assert await headings(Silent(), old, new, context_lines=1) == [' in "class Shop:"']
