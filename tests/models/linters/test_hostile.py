"""Files that are made to crash, stall or bloat a linter: each ends as a problem, in time."""

from __future__ import annotations

import time

import pytest

from reviewbot.models.linters import process
from reviewbot.models.linters.linters import Linters
from reviewbot.models.linters.process import WALL_S
from tests.models.linters.samples import need

pytestmark = pytest.mark.slow

BOMBS = {
    "oxlint-parentheses": ("a.js", "x = " + "(" * 50_000 + ")" * 50_000, "crashed"),
    "ruff-brackets": ("a.py", "x = " + "[" * 50_000, ""),
    "ruff-results": ("a.py", "undefined\n" * 90_000, "reported more than 4 MiB"),
    "shellcheck-substitutions": ("a.sh", "#!/bin/sh\necho " + "$(" * 2_000 + ")" * 2_000, ""),
    "hadolint-substitutions": ("Dockerfile", "FROM x\nRUN " + "$(" * 2_000 + ")" * 2_000, ""),
    "zizmor-nesting": ("action.yml", "a: " + "[" * 20_000 + "]" * 20_000, ""),
}


@pytest.mark.parametrize(("path", "text", "problem"), BOMBS.values(), ids=BOMBS)
async def test_a_bomb_is_a_problem_and_ends_in_time(path: str, text: str, problem: str) -> None:
    linters = Linters(heed_added=False)
    need(linters.linter_of(path) or "a linter of the file")
    started = time.monotonic()
    linted = await linters.lint(path, text, range(1, 100_000))
    assert time.monotonic() - started < WALL_S + 10
    assert linted.problem is not None
    assert problem in linted.problem
    assert not linted.ran
    assert not linted.hits


async def test_a_linter_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "WALL_S", 0.2)
    linters = Linters(heed_added=False)
    need(linters.linter_of("a.sh") or "a linter of the file")
    linted = await linters.lint("a.sh", "#!/bin/sh\n" + "a;" * 24_000, [2])
    assert linted.problem == "shellcheck did not read this file: it took longer than 0.2 s."
    assert linted.failed


@pytest.mark.parametrize("piece", ["(lambda: ", "[", "f(", "{1: ", "not ", "a if b else "])
async def test_deep_python_ends_in_time_with_or_without_a_result(piece: str) -> None:
    need("ruff")
    started = time.monotonic()
    linted = await Linters(heed_added=False).lint("a.py", "x = " + piece * 50_000, [1])
    assert time.monotonic() - started < WALL_S + 10
    assert bool(linted.ran) != bool(linted.problem)


@pytest.mark.parametrize("path", ["a.py", "a.js"])
async def test_the_largest_line_that_is_read_takes_seconds_at_most(path: str) -> None:
    linters = Linters(heed_added=False)
    need(linters.linter_of(path) or "a linter of the file")
    started = time.monotonic()
    linted = await linters.lint(path, "x = [" + "1," * 499_000 + "]\n", [1])
    assert linted.ran
    assert time.monotonic() - started < WALL_S
