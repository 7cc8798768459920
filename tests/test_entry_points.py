"""Every entry point reviews the same change alike, with the same settings and model."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest

from tests.fake_anthropic import FakeAnthropic
from tests.github.action_runs import find_marked
from tests.models.linters.samples import need
from tests.support import custom_rules
from tests.support.entry_points import CONFIG, DIFF_ALONE, GITHUB, WITH_FILES, Change

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

LINES: Final = [f"line_{number} = {number}\n" for number in range(1, 61)]
TOKEN: Final = "ghp" + "_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1234567"


@pytest.fixture(autouse=True)
def _no_linters() -> None:
    """The installed linters run."""
    for name in ("ruff", "shellcheck", "zizmor"):
        need(name)


@dataclass(frozen=True)
class Fixture:
    """A change, and the result of its review.

    Places of findings are ``path:line``. The three last attributes are the differences between
    entry points and models that are intended; there are no others.

    Attributes:
        base: files of the base.
        head: files of the head that are new or changed.
        coverage: status of each file.
        outcome: the outcome.
        found: findings of every review.
        offline: coverage and outcome without a model, if they differ.
        by_model: findings of the scripted model.
        in_full: findings that need a changed file in full. An API caller, a diff file and a case
            without its repository have only the hunks.
        silenced: findings that a comment of the change suppresses. The comment counts for its
            author, but not on GitHub.
    """

    base: dict[str, str]
    head: dict[str, str]
    coverage: dict[str, str]
    outcome: str = "findings"
    found: set[str] = field(default_factory=set)
    offline: tuple[dict[str, str], str] | None = None
    by_model: set[str] = field(default_factory=set)
    in_full: set[str] = field(default_factory=set)
    silenced: set[str] = field(default_factory=set)

    def lines(self, entry: str, *, offline: bool) -> set[str]:
        """Return the places of the findings that an entry point reports."""
        return (
            self.found
            | (set() if offline else self.by_model)
            | (self.in_full if entry in WITH_FILES else set())
            | (self.silenced if entry in GITHUB else set())
        )


def changed(*changes: tuple[int, str]) -> str:
    lines = [*LINES]
    for number, text in changes:
        lines[number - 1] = f"{text}\n"
    return "".join(lines)


PYTHON: Final = Fixture(
    base={"app.py": changed()},
    head={
        "app.py": changed(
            (30, "line_30 = unknown_name"), (50, "line_50 = None  # BUG warning None is returned")
        ),
        "new.py": "import os\n\nx = 1 / 0  # BUG error Division by zero\nprint(os, x, undefined)\n",
    },
    coverage={"app.py": "reviewed", "new.py": "reviewed"},
    found={"new.py:4"},
    by_model={"new.py:3", "app.py:50"},
    in_full={"app.py:30"},
)
SHELL: Final = Fixture(
    base={"app.py": changed()},
    head={
        "clean.sh": '#!/bin/bash\ncd /tmp\nrm -rf "$1"  # BUG note Any folder is removed\n',
        ".github/workflows/greet.yml": (
            "on: issues\njobs:\n  greet:\n    runs-on: ubuntu-latest\n    permissions: {}\n"
            "    steps:\n      - run: echo ${{ github.event.issue.title }}\n"
        ),
    },
    coverage={".github/workflows/greet.yml": "reviewed", "clean.sh": "reviewed"},
    found={".github/workflows/greet.yml:7", "clean.sh:2"},
    by_model={"clean.sh:3"},
)
LOOP: Final = Fixture(
    base={"app.py": changed()},
    head={"app.py": changed((30, "for key in line_29:"), (31, "    del line_29[key]"))},
    coverage={"app.py": "reviewed"},
    found={"app.py:31"},
)
SECRET: Final = Fixture(
    base={"app.py": changed(), "package-lock.json": '{"lockfileVersion": 3}\n'},
    head={
        "package-lock.json": '{"lockfileVersion": 4}\n',
        "settings.py": f'TOKEN = "{TOKEN}"\n',
        "main.zig": "const x = 1; // BUG warning Nothing uses x\n",
        "logo.png": "\0\1\2",
    },
    coverage={
        "logo.png": "skipped",
        "main.zig": "reviewed",
        "package-lock.json": "skipped",
        "settings.py": "reviewed",
    },
    found={"settings.py:1"},
    offline=(
        {
            "logo.png": "skipped",
            "main.zig": "unread",
            "package-lock.json": "skipped",
            "settings.py": "reviewed",
        },
        "findings",
    ),
    by_model={"main.zig:1"},
)
UNREAD: Final = Fixture(
    base={"app.py": changed()},
    head={"app.py": changed((30, "line_30 = 31")), "main.zig": "const x = 1;\n"},
    coverage={"app.py": "reviewed", "main.zig": "reviewed"},
    outcome="clean",
    offline=({"app.py": "reviewed", "main.zig": "unread"}, "shallow"),
)
SILENCED: Final = Fixture(
    base={"app.py": changed()},
    head={
        "app.py": changed((30, "line_30 = unknown_name  # noqa: F821")),
        "new.py": "print(undefined)\nprint(unknown)  # noqa: F821\n",
    },
    coverage={"app.py": "reviewed", "new.py": "reviewed"},
    found={"new.py:1"},
    silenced={"app.py:30", "new.py:2"},
)
FIXTURES: Final = {
    "python": PYTHON,
    "shell": SHELL,
    "loop": LOOP,
    "secret": SECRET,
    "unread": UNREAD,
    "silenced": SILENCED,
}
CASES: Final = [(name, offline) for name in FIXTURES for offline in (False, True)]
"""Fixtures, and whether they are reviewed without a model."""
ALL: Final = WITH_FILES | DIFF_ALONE
IN_THIS_PROCESS: Final = ("action", "app", "eval with repositories", "eval", "lab")


@asynccontextmanager
async def review_of(
    fixture: Fixture, folder: Path, monkeypatch: pytest.MonkeyPatch, *, offline: bool
) -> AsyncIterator[Change]:
    """Yield the change of a fixture, with a model that finds the marked lines."""
    base = {".reviewbot.yml": CONFIG, **fixture.base}
    async with FakeAnthropic(find_marked) as model:
        yield Change(base, base | fixture.head, folder, model, offline, monkeypatch)


async def compare(change: Change, fixture: Fixture, entries: Iterable[str]) -> None:
    """Review a change with each entry point, and compare the results.

    Entry points with the same places of findings have the same findings, and send as many requests.
    """
    offline = change.offline
    coverage, outcome = fixture.coverage, fixture.outcome
    if offline and fixture.offline:
        coverage, outcome = fixture.offline
    alike: dict[frozenset[str], tuple[str, dict[str, str], int]] = {}
    for entry in entries:
        before = len(change.model.requests)
        result = await ALL[entry](change)
        requests = len(change.model.requests) - before
        assert (entry, result.outcome, result.coverage) == (entry, outcome, coverage)
        lines = fixture.lines(entry, offline=offline)
        assert (entry, result.lines) == (entry, lines)
        first, *same = alike.setdefault(frozenset(lines), (entry, result.findings, requests))
        assert [result.findings, requests] == same, f"{entry} differs from {first}"


@pytest.mark.slow
@pytest.mark.real_time
@pytest.mark.parametrize(("name", "offline"), CASES)
async def test_every_entry_point_finds_the_same(
    name: str, offline: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with review_of(FIXTURES[name], tmp_path, monkeypatch, offline=offline) as change:
        await compare(change, FIXTURES[name], ALL)


@pytest.mark.real_time
@pytest.mark.sample(1)
@pytest.mark.parametrize("offline", [False, True], ids=["model", "offline"])
async def test_entry_points_in_one_process_find_the_same(
    offline: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with review_of(PYTHON, tmp_path, monkeypatch, offline=offline) as change:
        await compare(change, PYTHON, IN_THIS_PROCESS)


@pytest.mark.slow
@pytest.mark.real_time
async def test_entry_points_with_a_repository_heed_its_rules_and_attributes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = {
        "app.py": changed(),
        ".gitattributes": "gen/* linguist-generated\n",
        **custom_rules.FILES,
    }
    head = {"app.py": changed((30, "print(line_29)")), "gen/api.py": "print(undefined)\n"}
    fixture = Fixture(base, head, coverage={"app.py": "reviewed", "gen/api.py": "skipped"})
    async with review_of(fixture, tmp_path, monkeypatch, offline=True) as change:
        for entry, review in WITH_FILES.items():
            result = await review(change)
            assert (entry, result.coverage) == (entry, fixture.coverage)
            found = ["error custom/no-print app.py:30-30 RIGHT inline, held: False, none"]
            assert (entry, [*result.findings.values()]) == (entry, found)
