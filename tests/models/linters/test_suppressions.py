"""Comments that make a linter ignore a fault: old ones count, added ones only where they may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.models.linters.linters import Linters
from reviewbot.models.linters.programs import LINTERS
from reviewbot.models.linters.suppressions import disable_suppressions
from tests.models.linters.samples import SAMPLES, Sample, found, need
from tests.support.timing import cpu_at_most

OF = {sample.linter: sample for sample in SAMPLES}
PYTHON, SCRIPT, DOCKERFILE, WORKFLOW = (
    OF[name] for name in ("ruff", "shellcheck", "hadolint", "zizmor")
)
CASES = [
    # a sample, the line of the comment (None: at the end of the fault's line), and the comment
    *(
        (PYTHON, None, f"  {comment}")
        for comment in ("# noqa", "#noqa: F821", "# NoQA:F821", "# é # noqa")
    ),
    *((PYTHON, 1, comment) for comment in ("# ruff: noqa", "#ruff:noqa: F821", "# flake8: noqa")),
    (PYTHON, 1, "# ruff: disable[F821]"),
    (PYTHON, 1, "# ruff : disable[F821]"),
    (PYTHON, 1, "# ruff: file-ignore[F821]"),
    (PYTHON, 1, "# ruff : file-ignore[F821]"),
    (PYTHON, 1, "#ruff\u3000:\u00a0file-ignore [ F821, ]"),
    (PYTHON, 1, "# flake8 : NOQA"),
    (PYTHON, None, "  # ruff\u2028: ignore[F821]"),
    (PYTHON, 3, "    # ruff: ignore[F821]"),
    (OF["oxlint"], 1, "/* oxlint-disable */"),
    (OF["oxlint"], 1, "/*\neslint-disable no-debugger\n*/"),
    (OF["oxlint"], 2, "// eslint-disable-next-line no-debugger"),
    (OF["oxlint"], None, " // oxlint-disable-line"),
    (SCRIPT, 3, "# shellcheck disable=SC2164"),
    (SCRIPT, 3, "#shellcheck disable=all"),
    (DOCKERFILE, 3, "# hadolint ignore=DL3004"),
    (DOCKERFILE, 1, "#hadolint global ignore=DL3004"),
    (WORKFLOW, None, " # zizmor: ignore[template-injection]"),
]


def suppressed(sample: Sample, above: int | None, comment: str) -> tuple[str, set[int], int]:
    """Return the text with the comment, the lines of the comment, and the line of the fault."""
    lines = sample.text.split("\n")
    if above is None:
        lines[sample.line - 1] += comment
        return "\n".join(lines), {sample.line}, sample.line
    new = comment.split("\n")
    lines[above - 1 : above - 1] = new
    return "\n".join(lines), {*range(above, above + len(new))}, sample.line + len(new)


@pytest.mark.parametrize(("sample", "above", "comment"), CASES)
async def test_an_added_suppression_is_listed_and_hides_nothing(
    sample: Sample, above: int | None, comment: str
) -> None:
    need(sample.linter)
    text, commented, line = suppressed(sample, above, comment)
    linted = await Linters(heed_added=False).lint(sample.path, text, {*commented, line})
    assert found(linted) == [(line, sample.rule)]
    assert linted.added_suppressions
    assert {*linted.added_suppressions} <= commented


@pytest.mark.parametrize(("sample", "above", "comment"), CASES)
async def test_on_the_command_line_an_added_suppression_counts(
    sample: Sample, above: int | None, comment: str
) -> None:
    need(sample.linter)
    text, commented, line = suppressed(sample, above, comment)
    linted = await Linters(heed_added=True).lint(sample.path, text, {*commented, line})
    assert found(linted) == []
    assert {*linted.added_suppressions} <= commented


@pytest.mark.parametrize(("sample", "above", "comment"), [one for one in CASES if one[1]])
async def test_an_old_suppression_counts(sample: Sample, above: int, comment: str) -> None:
    need(sample.linter)
    text, _, line = suppressed(sample, above, comment)
    linted = await Linters(heed_added=False).lint(sample.path, text, {line})
    assert found(linted) == []
    assert linted.added_suppressions == ()


async def test_a_suggestion_never_changes_a_line_whose_suppression_was_disabled() -> None:
    need("ruff")
    text = 'def f(x):\n    return x is "a"  # noqa: F632\n'
    linters = Linters(heed_added=False)
    (hit,) = (await linters.lint("a.py", text, [2])).hits
    assert (hit.rule, hit.suggestion) == ("ruff/F632", None)


async def test_a_rule_that_the_change_adds_to_an_old_comment_hides_nothing() -> None:
    need("oxlint")
    text = "/* eslint-disable no-eval,\n   no-debugger\n*/\ndebugger;\n"
    linted = await Linters(heed_added=False).lint("a.js", text, {2, 4})
    assert found(linted) == [(4, "oxlint/no-debugger")]
    assert linted.added_suppressions == (2,)


async def test_a_suppression_inside_an_old_block_comment_hides_nothing() -> None:
    need("oxlint")
    text = "/*\neslint-disable\n*/\ndebugger;\n"
    linted = await Linters(heed_added=False).lint("a.js", text, {2, 4})
    assert found(linted) == [(4, "oxlint/no-debugger")]
    assert linted.added_suppressions == (2,)


async def test_an_old_suppression_counts_beside_other_added_comments() -> None:
    need("oxlint")
    text = "/* eslint-disable\n no-debugger */\n/* new\n*/\ndebugger;\n// eslint-disable-line\n"
    linted = await Linters(heed_added=False).lint("a.js", text, {3, 4, 5})
    assert found(linted) == []
    assert linted.added_suppressions == ()


async def test_an_added_comment_that_ends_an_old_suppression_counts() -> None:
    need("ruff")
    text = "# ruff: disable[F821]\na\n# ruff: enable[F821]\nb\n"
    linted = await Linters(heed_added=False).lint("a.py", text, {3, 4})
    assert found(linted) == [(4, "ruff/F821")]
    assert linted.added_suppressions == ()


def test_a_space_without_width_before_shellcheck_is_found() -> None:
    line = "#\u200bshellcheck disable=all"
    assert disable_suppressions("shellcheck", [line], [1]) == (
        ["#\u200bshellchec_ disable=all"],
        (1,),
    )


@pytest.mark.parametrize(
    ("linter", "line"),
    [
        ("ruff", "noqa = 1"),
        ("ruff", "# ruff: enable[F821]"),
        ("ruff", "ruff: int"),
        ("oxlint", "x = 'eslint'"),
        ("shellcheck", "shellcheck disable=all"),
        ("hadolint", "RUN hadolint ignore=DL3004"),
        ("zizmor", "name: 'zizmor: ignore[x]'"),
    ],
)
def test_other_text_stays(linter: str, line: str) -> None:
    assert disable_suppressions(linter, [line], [1]) == ([line], ())


WORDS = ("noqa", "NOQA", "#", " ", "ruff", ":", "flake8:", "eslint-disable", "oxlint-disable")
MORE = ("shellcheck", "hadolint", "zizmor:", "é", "x", "\t", "//", "/*", "*/", "enable")


@given(
    linter=st.sampled_from([one.name for one in LINTERS]),
    lines=st.lists(st.lists(st.sampled_from(WORDS + MORE)).map("".join), max_size=4),
    numbers=st.sets(st.integers(-1, 6)),
)
def test_disabling_keeps_all_lengths_and_other_lines_and_is_idempotent(
    linter: str, lines: list[str], numbers: set[int]
) -> None:
    edited, found = disable_suppressions(linter, lines, numbers)
    assert [len(line) for line in edited] == [len(line) for line in lines]
    changed = {n for n, pair in enumerate(zip(lines, edited, strict=True), 1) if pair[0] != pair[1]}
    assert {*found} <= numbers
    assert bool(changed) == bool(found)
    # A comment of several lines is disabled where it starts.
    assert changed & numbers <= {*found}
    assert linter == "oxlint" or changed == {*found}
    assert disable_suppressions(linter, edited, numbers) == (edited, ())


@pytest.mark.parametrize("linter", [one.name for one in LINTERS])
@pytest.mark.parametrize(
    "piece", ["#", "# ", "#\t\t", "eslint-", "noq", "# ruff", "#ruff   ", "#shellchec", "/*", "/* "]
)
def test_a_long_line_takes_linear_time(linter: str, piece: str) -> None:
    line = piece * (1_000_000 // len(piece))
    with cpu_at_most(20):
        disable_suppressions(linter, [line], [1])


def test_many_open_comments_take_linear_time() -> None:
    lines = ["/* eslint-disable"] * 50_000
    with cpu_at_most(50):
        disable_suppressions("oxlint", lines, range(1, len(lines), 2))
