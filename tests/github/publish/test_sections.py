"""Sections of a comment: whole items or none, the least important cut first, and said so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.github.publish.sections import Section, fitted, size

sections = st.builds(
    Section,
    st.sampled_from(("", "Heading:", "**T**")),
    st.lists(st.text("ab\U0001f308", min_size=1, max_size=30), max_size=12),
    st.integers(0, 3),
    st.just("file"),
    st.sampled_from(("\n", "\n\n")),
    st.sampled_from(("", "Fold", "Other fold")),
    st.sampled_from((0.5, 1.0)),
)


@given(st.lists(sections, max_size=5), st.integers(900, 2_000))
def test_the_text_is_never_longer_than_its_limit(parts: list[Section], limit: int) -> None:
    assert size(fitted(parts, limit)) <= limit


def test_the_least_important_is_cut_first_and_counted() -> None:
    rows = [f"- {number}" for number in range(10)]
    text = fitted([Section("Less:", rows, 1, "file"), Section("More:", rows, 2, "file")], 136)
    less, more = text.split("\n\nMore:\n\n")
    assert more == "\n".join(rows)
    assert less == "Less:\n\n- 0\n- 1\n- 2\n- 3\n\n6 more files: no room here."


def test_what_fits_is_whole_and_without_a_note() -> None:
    parts = [
        Section("", ["a", "b"], 1),
        Section("Empty:", [], 9),
        Section("", ["c"], 2, fold="Folded (1)"),
        Section("Heading:", ["d"], 3),
    ]
    assert fitted(parts, 999) == (
        "a\nb\n\n<details>\n<summary>Folded (1)</summary>\n\nc\n\n</details>\n\nHeading:\n\nd"
    )


def test_neighbours_with_one_label_share_a_fold() -> None:
    parts = [
        Section("A:", ["a"], 1, fold="F"),
        Section("Empty:", [], 1, fold="F"),
        Section("B:", ["b"], 1, fold="F"),
        Section("", ["c"], 1, fold="G"),
    ]
    first, second = fitted(parts, 999).split("\n\n<details>")
    assert first == "<details>\n<summary>F</summary>\n\nA:\n\na\n\nB:\n\nb\n\n</details>"
    assert second == "\n<summary>G</summary>\n\nc\n\n</details>"


def test_a_share_leaves_room_for_the_less_important() -> None:
    rows = ["x" * 9] * 99
    text = fitted([Section("A:", rows, 2, share=0.5), Section("B:", rows, 1)], 1_000)
    first, second = text.split("B:")
    assert 0.6 < first.count("x") / second.count("x") < 1.7


def test_one_line_left_is_one_line() -> None:
    assert (
        fitted([Section("", ["a" * 10, "b" * 90], 1)], 80)
        == f"{'a' * 10}\n\n1 more line: no room here."
    )


def test_a_limit_without_room_for_headings_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        fitted([Section("Heading", ["a"], 1)], 5)


def test_characters_are_counted_as_whoever_counts_most() -> None:
    assert (size("abc"), size("\u00fc"), size("\U0001f308"), size("\udcff")) == (3, 1, 2, 1)
