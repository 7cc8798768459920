"""Suppressions in the code: which comments count, for which lines, and who added them."""

from __future__ import annotations

import pytest

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.findings.suppressions import (
    MOST_IN_LINE,
    MOST_NAMED,
    Suppression,
    added_notice,
    suppressions_in,
)
from tests.support.views import hunk

NAMES = frozenset({"python/eval"})


def found(text: str) -> list[Suppression]:
    return list(suppressions_in(hunk(text).lines))


@pytest.mark.parametrize(
    "comment",
    [
        "# reviewbot: ignore[python/eval] trusted",
        "#reviewbot:ignore[python/eval]",
        "// reviewbot: ignore[python/eval] trusted",
        "-- reviewbot: ignore[ python/eval ]",
        "/* reviewbot: ignore[python/eval] trusted */",
        "<!-- reviewbot: ignore[python/eval] trusted -->",
        "%\treviewbot: ignore[python/eval]",
        "; reviewbot: ignore[python/eval]",
    ],
)
def test_every_comment_sign_begins_a_suppression(comment: str) -> None:
    assert found(f" {comment}") == [Suppression(1, NAMES, alone=True, added=False)]
    assert found(f" eval(x)  {comment}") == [Suppression(1, NAMES, alone=False, added=False)]


@pytest.mark.parametrize(
    "text",
    [
        "reviewbot: ignore[python/eval]",
        "# reviewbot: ignore",
        "# reviewbot: ignore[]",
        "# reviewbot: ignore(python/eval)",
        "# reviewbot ignore[python/eval]",
        "# see reviewbot: ignore[python/eval]",
        "# reviewbot: ignore[" + "x" * 1_001 + "]",
    ],
)
def test_other_text_is_no_suppression(text: str) -> None:
    assert found(f" {text}") == []


def test_a_suppression_names_several_rules_and_categories() -> None:
    names = frozenset({"python/eval", "security", "ruff/F821"})
    assert found(" # reviewbot: ignore[python/eval, security,ruff/F821,]")[0].names == names


def test_a_line_may_hold_several_suppressions() -> None:
    both = found(" /* reviewbot: ignore[a] */ f(); // reviewbot: ignore[b]")
    assert [(one.names, one.alone) for one in both] == [
        (frozenset("a"), False),
        (frozenset("b"), False),
    ]


def test_a_comment_in_the_braces_of_jsx_is_a_line_of_its_own() -> None:
    assert found("   {/* reviewbot: ignore[a] why */}")[0].alone
    assert not found("   {/* reviewbot: ignore[a] why */} <b/>")[0].alone


def test_a_suppression_covers_the_lines_of_a_finding() -> None:
    beside = Suppression(5, NAMES, alone=False, added=False)
    assert beside.covers(5, 5)
    assert beside.covers(4, 6)
    assert not beside.covers(6, 6)
    assert not beside.covers(3, 4)


def test_a_comment_line_covers_the_line_below_and_no_other() -> None:
    above = Suppression(5, NAMES, alone=True, added=False)
    assert above.covers(6, 8)
    assert not above.covers(7, 7)
    assert not above.covers(4, 4)


def test_suppressions_on_added_lines_are_added_and_those_of_the_context_are_not() -> None:
    text = " # reviewbot: ignore[a]\n+x\n+y  # reviewbot: ignore[a]\n-z  # reviewbot: ignore[b]"
    assert [(one.line, one.added) for one in found(text)] == [(1, False), (3, True)]


def test_a_suppression_on_a_line_whose_code_changes_is_added() -> None:
    text = "-f(1)  # reviewbot: ignore[a]\n+g(2)  # reviewbot: ignore[a]"
    assert [one.added for one in found(text)] == [True]


def test_a_line_that_is_only_indented_anew_keeps_its_suppression() -> None:
    text = (
        "-f(1)  # reviewbot: ignore[a]\n"
        "+    f(1)  # reviewbot: ignore[a]\n"
        "+    f(1)  # reviewbot: ignore[a]"
    )
    assert [one.added for one in found(text)] == [False, True]


def test_a_suppression_removed_elsewhere_accounts_for_none() -> None:
    text = "-f(1)  # reviewbot: ignore[a]\n same\n+f(2)  # reviewbot: ignore[a]"
    assert [one.added for one in found(text)] == [True]


def diff(path: str, *rows: str) -> bytes:
    body = "".join(f"+{row}\n" for row in rows)
    return f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(rows)} @@\n{body}".encode()


def test_the_notice_names_what_the_change_adds() -> None:
    mark = "f()  # reviewbot: ignore[a]"
    assert added_notice(parse_diff(diff("a.py", "x = 1"))) is None
    one = added_notice(parse_diff(diff("a.py", "x = 1", mark)))
    assert one == "This change adds 1 suppression: a.py:2. Added suppressions hide no errors."
    both = added_notice(parse_diff(diff("a.py", mark) + diff("b.py", mark)))
    assert both == (
        "This change adds 2 suppressions: a.py:1, b.py:1. Added suppressions hide no errors."
    )


def test_a_long_notice_counts_the_others() -> None:
    many = ["f()  # reviewbot: ignore[a]"] * (MOST_NAMED + 3)
    notice = added_notice(parse_diff(diff("a.py", *many)))
    assert notice is not None
    assert notice.startswith("This change adds 13 suppressions: a.py:1, ")
    assert f", a.py:{MOST_NAMED} and 3 more. " in notice


def test_a_line_full_of_comments_is_read_as_far_as_the_limit() -> None:
    comment = "/*reviewbot:ignore[a]"
    assert len(found(" " + comment * 20_000)) == MOST_IN_LINE
