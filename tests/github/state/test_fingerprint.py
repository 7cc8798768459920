"""The same code has the same fingerprint, wherever it is and however it is indented."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reviewbot.github.state.fingerprint import Fingerprint, SearchedLines, normal

lines = st.lists(st.sampled_from(["a", "b", "  a", "", " ", "a  b"]), max_size=12)


def of(*code: str) -> Fingerprint:
    found = Fingerprint.of(code)
    assert found
    return found


def searched(*code: str) -> SearchedLines:
    return SearchedLines((number, normal(text)) for number, text in enumerate(code, start=1))


@given(lines)
def test_a_fingerprint_is_read_as_it_was_written(code: list[str]) -> None:
    found = Fingerprint.of(code)
    assert (found is None) == (not any(text.strip() for text in code))
    assert found is None or Fingerprint.parse(str(found)) == found


def test_an_invalid_fingerprint_is_not_parsed() -> None:
    for text in ("", "1", "0.abcd.0123456789abcdef", "1.abcd.0123456789ABCDEF", f"{of('a')} "):
        assert Fingerprint.parse(text) is None


def test_white_space_and_empty_lines_do_not_count() -> None:
    assert of("if x:", "    y()") == of("  if  x:", "", "\ty()", "")
    assert of("if x:", "    y()") != of("if x: y()")


@given(lines, lines, lines)
def test_code_is_found_where_it_is(before: list[str], code: list[str], after: list[str]) -> None:
    fingerprint = Fingerprint.of(code)
    if fingerprint is None:
        return
    text = [*before, *code, *after]
    places = searched(*text).find(fingerprint)
    assert places
    for place in places:
        assert Fingerprint.of(text[place[0] - 1 : place[-1]]) == fingerprint
    first = next(index for index, line in enumerate(code) if line.strip())
    assert any(place[0] == len(before) + first + 1 for place in places)


def test_code_is_not_found_across_lines_that_are_not_known() -> None:
    assert SearchedLines([(1, "a"), (2, "b")]).find(of("a", "b")) == [range(1, 3)]
    assert SearchedLines([(1, "a"), (2, ""), (3, "b")]).find(of("a", "b")) == [range(1, 4)]
    assert SearchedLines([(1, "a"), (3, "b")]).find(of("a", "b")) == []


def test_a_search_in_a_file_of_equal_lines_is_given_up() -> None:
    code = of(*["x"] * 5_000)
    lines = SearchedLines((number, "x") for number in range(1, 100_001))
    assert lines.find(code)
    assert lines.is_exhausted
