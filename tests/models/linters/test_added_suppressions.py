"""The notice about comments that would silence a linter."""

from __future__ import annotations

from reviewbot.core.diff.parse import parse_diff
from reviewbot.models.linters.added_suppressions import MOST_NAMED, added_linter_notice
from tests.support.reviews import added


def notice(*files: str) -> str | None:
    return added_linter_notice(parse_diff("".join(files).encode()))


def test_comments_on_added_lines_are_named() -> None:
    files = (
        added("a.py", "x = 1", "y = z  # noqa: F821"),
        added("b.sh", "# shellcheck disable=SC2086"),
        added("c.md", "x  # noqa"),
    )
    assert notice(*files) == (
        "This change adds 2 comments that would silence a linter: a.py:2, b.sh:1."
        " They have no effect."
    )
    assert notice(added("a.py", "x = 1")) is None


def test_a_long_notice_counts_the_others() -> None:
    text = notice(added("a.py", *["x  # noqa"] * (MOST_NAMED + 3))) or ""
    assert f"a.py:{MOST_NAMED} and 3 more. They" in text
