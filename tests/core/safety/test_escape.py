"""What a shown line can never contain, and what stays as it was."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.safety.escape import cut, is_plain, quoted, show, show_line

DANGEROUS = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# Default_Ignorable_Code_Point in other categories (Unicode 17, DerivedCoreProperties.txt).
INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0\ufe00\U000e0100"

any_text = st.text(st.characters(codec=None, exclude_categories=()))


@given(any_text)
def test_what_is_shown_has_nothing_that_moves_hides_or_breaks(text: str) -> None:
    shown = show(text)
    assert not [c for c in shown if c != "\t" and unicodedata.category(c) in DANGEROUS]
    assert len(shown.splitlines()) <= 1
    shown.encode()


@given(any_text)
def test_showing_twice_changes_nothing_more(text: str) -> None:
    assert show(show(text)) == show(text)
    assert is_plain(show(text))


@given(any_text)
def test_text_is_plain_exactly_if_showing_leaves_it_alone(text: str) -> None:
    assert is_plain(text) == (show(text) == text)


@given(any_text, any_text)
def test_showing_works_character_by_character(left: str, right: str) -> None:
    assert show(left + right) == show(left) + show(right)


@given(st.binary())
def test_any_bytes_can_be_shown(data: bytes) -> None:
    show(data.decode(errors="surrogateescape")).encode()


def test_every_character_of_a_dangerous_category_in_this_pythons_unicode_is_escaped() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if char != "\t" and unicodedata.category(char) in DANGEROUS:
            assert not is_plain(char), f"U+{code:04X} is not escaped"


@pytest.mark.parametrize("char", INVISIBLE, ids=lambda c: f"U+{ord(c):04X}")
def test_letters_and_marks_that_nobody_sees_are_escaped(char: str) -> None:
    assert show(char).isascii()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\rb", r"a\x0db"),
        ("a\nb", r"a\x0ab"),
        ("\x00\x1b[31m\x7f", r"\x00\x1b[31m\x7f"),
        ("\u0085\u2028\u2029", r"\u0085\u2028\u2029"),
        ("a\u202eb\u2066", r"a\u202eb\u2066"),
        ("\u200b\u200d\ufeff\u00ad", r"\u200b\u200d\ufeff\u00ad"),
        ("\U000e0041\U000e0100", r"\U000e0041\U000e0100"),
        (b"\xff\x80".decode(errors="surrogateescape"), r"\xff\x80"),
        ("\ud800", r"\ud800"),
    ],
)
def test_escapes_are_the_ones_python_writes(text: str, shown: str) -> None:
    assert show(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "def f():",
        "\tif x:\t# tab",
        "größe = '漢字' # naïve",
        "print('🙂 ❤️ 🇫🇷 e\u0301')",
        "\u00a0\u3000",
        "\ue0b0",
        r"already \u202e and \x00 as text",
        "{{ x }} {% y %} <b> &amp;",
    ],
)
def test_ordinary_text_stays_byte_for_byte(text: str) -> None:
    assert show(text) is text or show(text) == text
    assert is_plain(text)


@given(any_text)
def test_a_quoted_text_is_one_line_of_json_that_closes_no_tag(text: str) -> None:
    line = quoted(text, limit=10_000)
    assert len(line.splitlines()) == 1
    assert "</" not in line
    assert show(json.loads(line)) == show(text)
    line.encode()


def test_line_breaks_of_a_quoted_text_survive_as_json() -> None:
    assert quoted('a\n"b"\r</x>', limit=99) == r'"a\n\"b\"\\x0d<\/x>"'


@given(any_text, st.integers(0, 50))
def test_a_cut_says_how_much_is_missing(text: str, limit: int) -> None:
    short = cut(text, limit)
    if len(text) <= limit:
        assert short == text
    else:
        assert short == f"{text[:limit]} [CUT {len(text) - limit} characters]"


@pytest.mark.parametrize(
    ("text", "shown"), [("a\r", "a"), ("a\r\r", r"a\x0d"), ("\ra", r"\x0da"), ("", ""), ("a", "a")]
)
def test_only_the_carriage_return_of_a_crlf_line_end_is_left_out(text: str, shown: str) -> None:
    assert show_line(text) == shown
