"""The lines of code in results of look-ups, read back."""

from __future__ import annotations

from reviewbot.code.lookup_files import FileLines
from reviewbot.code.lookup_text import read_text, search_text
from reviewbot.core.findings.anchors import AnchorIndex
from reviewbot.core.prompt.shown_results import shown_in_results

HEADING = '    x = "=== file \\"b.py\\", modified"'
CODE = ("def rate():", "    return None", "", "def net():", HEADING)


def file(path: str = "a.py", *, is_base: bool = False) -> FileLines:
    return FileLines(path, "modified", is_base, CODE, frozenset(), frozenset({2}))


def test_a_read_file_is_found_by_its_quotes() -> None:
    index = AnchorIndex(shown_in_results([read_text(file(), 1, 4)]))
    anchor = index.find("a.py", "    return None", "RIGHT", 2)
    assert anchor is not None
    assert (anchor.side, anchor.line, anchor.whole) == ("RIGHT", 2, True)
    assert index.find("a.py", CODE[4], "RIGHT", 5) is None


def test_an_old_version_is_on_the_old_side() -> None:
    index = AnchorIndex(shown_in_results([read_text(file(is_base=True), 1, 5)]))
    anchor = index.find("a.py", "def net():", "RIGHT", 4)
    assert anchor is not None
    assert (anchor.side, anchor.line) == ("LEFT", 4)


def test_lines_of_a_search_belong_to_their_files() -> None:
    text = search_text("def", [(file(), [1, 4]), (file("b.py"), [4])], ["not searched: x"])
    views = list(shown_in_results([text]))
    assert [(view.path, len(view.hunks)) for view in views] == [("a.py", 2), ("b.py", 1)]


def test_a_line_that_was_shown_in_part_proves_nothing() -> None:
    result = read_text(file(), 1, 2).replace("    return None", "[CUT 9 characters]None")
    [view] = shown_in_results([result])
    assert [line.new_no for hunk in view.hunks for line in hunk.lines] == [1]


def test_text_of_a_file_is_no_heading() -> None:
    [view] = shown_in_results([read_text(file(), 5, 5)])
    assert view.path == "a.py"
    assert view.hunks[0].lines[0].text == CODE[4]


def test_a_refusal_shows_no_lines() -> None:
    refusal = "It is a folder; search_code can search in it.\nR1 |x = 1"
    assert list(shown_in_results([refusal, ""])) == []


def test_a_file_whose_path_is_shown_with_escapes_is_left_out() -> None:
    assert list(shown_in_results([read_text(file("a\u202e.py"), 1, 2)])) == []
