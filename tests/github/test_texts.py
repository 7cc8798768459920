"""The page of the documentation with all texts is that of the code."""

from __future__ import annotations

from tests.github.github_rules import acting
from tests.github.texts import PAGE, SECTIONS, page


def test_the_page_of_texts_is_what_the_code_renders() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.github.texts"


def test_no_text_of_the_page_acts() -> None:
    for _, examples in SECTIONS:
        for example in examples():
            if example.language == "markdown":
                assert acting(example.text) == [], example.when
