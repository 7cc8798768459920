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


def test_a_rule_added_to_an_old_comment_is_named() -> None:
    diff = (
        "diff --git a/a.js b/a.js\n--- a/a.js\n+++ b/a.js\n@@ -1,3 +1,4 @@\n"
        " /* eslint-disable no-eval,\n+   no-debugger,\n    no-alert */\n x();\n"
    )
    assert notice(diff) == (
        "This change adds 1 comment that would silence a linter: a.js:2. They have no effect."
    )
