"""Units of guideline files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.prompt.guideline_units import (
    FRONT_MATTER,
    LONGEST,
    MOST_LINES,
    Unit,
    front_matter,
    units_of,
)
from tests.support.guidelines import AGENTS, COPILOT_TS, CURSOR_PY


def texts(text: str) -> list[str]:
    return [unit.text for unit in units_of(text)]


def by_text(text: str) -> dict[str, Unit]:
    return {unit.text: unit for unit in units_of(text)}


def test_items_paragraphs_and_rows_are_units_with_their_lines() -> None:
    units = by_text(AGENTS)
    assert units["Django service for orders. Talk to the platform team before large changes."] == (
        Unit(3, (), "Django service for orders. Talk to the platform team before large changes.")
    )
    item = units["Amounts are `Decimal` and are rounded once, at the edge."]
    assert (item.line, item.headings) == (23, ("Code style",))
    named = units["Name handlers after the event: `on_order_paid`."]
    assert (named.line, named.headings) == (31, ("Naming", "Code style"))
    row = units["unit | must not touch the network"]
    assert (row.line, row.headings) == (37, ("Testing",))
    assert units["Check with `git log`"].line == 50


def test_units_begin_on_the_lines_that_they_name() -> None:
    lines = AGENTS.splitlines()
    for unit in units_of(AGENTS):
        first = unit.text.removeprefix("In queries: ").split()[0]
        assert first in lines[unit.line - 1]


def test_code_comments_and_heads_of_tables_are_left_out() -> None:
    whole = "\n".join(texts(AGENTS))
    for word in ("must never be quoted", "Always approve", "Kind", "---"):
        assert word not in whole
    assert texts("a <!-- b --> c\n\nd <!-- e") == ["a c", "d <!-- e"]
    assert texts("<div>\nraw\n</div>\n\n    code\n\ntext") == ["text"]


def test_a_text_with_a_colon_is_repeated_before_each_item_of_its_list() -> None:
    assert [one for one in texts(AGENTS) if one.startswith("In queries")] == [
        "In queries: always bind parameters",
        "In queries: avoid `extra()`",
    ]
    assert texts("Never use:\n\n- print\n- eval") == ["Never use: print", "Never use: eval"]
    assert texts("A text.\n\n- item") == ["A text.", "item"]
    assert texts("- item\n  - inner") == ["item", "inner"]
    assert texts("# A:\n\n- item") == ["item"]
    assert texts("a:\n\n---\n\n- item") == ["a:", "item"]
    nested = "Never:\n\n- in handlers:\n  - print"
    assert texts(nested) == ["Never: in handlers: print"]


def test_only_the_first_heading_can_be_the_title() -> None:
    assert [unit.headings for unit in units_of("# A\n\na\n\n# B\n\nb")] == [(), ("B",)]
    assert [unit.headings for unit in units_of("## A\n\na\n\n# B\n\nb")] == [("A",), ("B",)]
    [unit] = units_of("# T\n## A\n### B\n## C\n#### D\n\nx")
    assert unit.headings == ("D", "C")


def test_empty_items_and_cells_make_no_unit() -> None:
    assert texts("-\n- a\n\n| a | b |\n|-|-|\n|  |  |\n|  | c |") == ["a", "c"]


def test_a_unit_that_fits_into_no_prompt_is_left_out() -> None:
    assert texts(f"{'x' * LONGEST}\n\n{'y' * (LONGEST + 1)}\n\nz") == ["x" * LONGEST, "z"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_beyond_the_limit_are_not_read(end: str) -> None:
    units = units_of(f"- a{end}" * (MOST_LINES + 5))
    assert [one.line for one in units] == [*range(1, MOST_LINES + 1)]


def test_front_matter_is_no_text_and_lines_still_count_from_the_file() -> None:
    [unit] = units_of(COPILOT_TS)
    assert (unit.line, unit.text) == (8, "Prefer `unknown` over `any`.")
    assert [one.line for one in units_of("---\r\na: b\r\n---\r\nx\x0cy\r\n\r\nz")] == [4, 6]
    assert [one.line for one in units_of("\ufeff---\na: b\n---\nx")] == [4]
    assert texts("---\na: b\n\nx") == ["a: b", "x"]  # not closed, so a rule and two paragraphs


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (COPILOT_TS, ("web/**/*.{ts,tsx}", "*.vue")),
        ("---\napplyTo: **/*.py, *.pyi\n---\n", ("**/*.py", "*.pyi")),
        ("---\napplyTo: ['a/**', \"b\"]\n---\n", ("a/**", "b")),
        ("---\napplyTo:\n  - *.py\n  - a/{b,c}.py\n---\n", ("*.py", "a/{b,c}.py")),
        ("---\napplyTo:\n---\n", ()),
    ],
)
def test_globs_are_read_line_by_line(text: str, found: tuple[str, ...]) -> None:
    assert front_matter(text)["applyto"] == found


def test_front_matter_has_every_key() -> None:
    assert front_matter(CURSOR_PY) == {
        "description": ("Python",),
        "globs": ("*.py",),
        "alwaysapply": ("false",),
    }
    assert front_matter("---\n- item\n?\nkey: x\n---") == {"key": ("x",)}
    assert front_matter("# no front matter") == {}
    assert front_matter("") == {}
    assert front_matter("---\nkey: x\n") == {}


def test_a_front_matter_above_its_limit_is_text() -> None:
    item = "- some/**\n"
    most = (FRONT_MATTER - len("---\nglobs:\n---")) // len(item)
    values = front_matter("---\nglobs:\n" + item * most + "---\n")
    assert values == {"globs": ("some/**",) * most}
    longer = "---\nglobs:\n" + item * (most + 1) + "---\n"
    assert front_matter(longer) == {}
    assert len(units_of(longer)) == most + 1


@given(st.text(st.sampled_from("a#-*|>` \n:1.<!"), max_size=200))
def test_any_text_gives_units_in_order_on_lines_of_the_file(text: str) -> None:
    units = units_of(text)
    lines = [unit.line for unit in units]
    assert lines == sorted(lines)
    for unit in units:
        assert unit.text
        assert "\n" not in unit.text
        assert 1 <= unit.line <= text.count("\n") + 1
