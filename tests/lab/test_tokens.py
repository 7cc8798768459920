"""Tokens: nothing of the text is lost, and the sums are those of the request."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.lab.subject import demo_subject
from reviewbot.lab.tokens import by_line, count_pieces, cut_text, study_tokens
from reviewbot.models.tokens import PIECE, TokenCounter
from tests.support.settings import load


@given(st.text())
def test_the_pieces_of_a_text_are_the_text(text: str) -> None:
    assert "".join(cut_text(text)) == text


def test_a_character_of_several_tokens_is_one_piece() -> None:
    assert list(cut_text("\U0001f9ff")) == ["\U0001f9ff"]
    assert count_pieces("\U0001f9ff") > 1


def test_a_text_longer_than_one_piece_of_the_tokenizer_is_cut_whole() -> None:
    text = "word " * PIECE
    assert "".join(cut_text(text)) == text


def test_a_token_that_spans_lines_has_one_number() -> None:
    lines = list(by_line(iter(["a", "\n\n", "b", ";\nc"])))
    assert [[(piece.text, piece.number) for piece in line] for line in lines] == [
        [("a", 0)],
        [],
        [("b", 2), (";", 3)],
        [("c", 3)],
    ]


def test_the_parts_are_those_of_the_first_request() -> None:
    subject = demo_subject(load())
    study, prompt = study_tokens(subject), subject.prompt
    count = TokenCounter(subject.info.token_factor).count
    texts = [json.dumps(REPORT_TOOL), prompt.system, prompt.shared, prompt.body]
    assert [part.estimated for part in study.parts] == list(map(count, texts))
    assert study.estimated == sum(map(count, texts))
    shown = ["".join(piece.text for piece in line) for line in study.lines]
    assert shown == prompt.body.split("\n")[: len(shown)]
    assert len(shown) + study.more == prompt.body.count("\n") + 1
