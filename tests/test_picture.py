"""The picture of a review in the docs is what the renderers make today."""

from __future__ import annotations

from tests.draw_review import PICTURE, WORDS, drawn, words_of


async def test_the_picture_of_a_review_is_not_out_of_date() -> None:
    drawn_now = words_of(await drawn())
    assert drawn_now == WORDS.read_text(encoding="utf-8"), "python -m tests.draw_review"
    assert PICTURE.stat().st_size > 10_000
