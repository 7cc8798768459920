"""A question about a pull request: what a model is told, and how the question is stored."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.diff.numbered_line import parse_line
from reviewbot.core.prompt.explanation import MOST_REMARKS, ThreadComment
from reviewbot.core.prompt.question import (
    PullQuestion,
    from_json,
    redacted,
    render_question,
    to_json,
)
from reviewbot.core.prompt.request import ManifestEntry
from tests.prompt_requests import ASKED, CHARGE, INQUIRY, MANIFEST
from tests.support.injections import INJECTIONS

TOKEN = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def asked(question: PullQuestion, **parts: Any) -> str:
    return render_question(question, **{"chunks": [CHARGE], "manifest": MANIFEST, **parts})[1]


def everywhere(text: str) -> str:
    """A prompt with ``text`` in every place that a stranger can fill."""
    thread = (ThreadComment(f"r{text}", ours=False),)
    question = PullQuestion(f"t{text}", f"d{text}", thread, f"p{text}", f"q{text}")
    entry = ManifestEntry(f"f{text}", "modified", 1, 2, shown=False)
    return asked(question, instructions=f"i{text}.", manifest=(entry,))


def skeleton(user: str) -> list[object]:
    return [
        (line.side, line.number, line.mark) if line else _STRING.sub('""', text)
        for text, line in ((text, parse_line(text)) for text in user.split("\n"))
    ]


@pytest.mark.parametrize("name", INJECTIONS)
def test_no_hostile_text_changes_the_shape_of_a_prompt(name: str) -> None:
    assert skeleton(everywhere(INJECTIONS[name])) == skeleton(everywhere("harmless"))


@given(st.text(st.characters(codec=None, exclude_categories=()), min_size=1, max_size=60))
def test_no_text_at_all_changes_the_shape_of_a_prompt(text: str) -> None:
    user = everywhere(text)
    assert skeleton(user) == skeleton(everywhere("harmless"))
    user.encode()


def test_a_question_has_its_own_system_prompt_and_says_what_is_not_shown() -> None:
    system, user = render_question(ASKED, chunks=[CHARGE], manifest=MANIFEST)
    assert system.startswith("You answer a question about a pull request")
    assert '"package-lock.json" modified +900 -880, not shown' in user
    assert 'in a thread at: "billing/charge.py:99"' in user
    assert "in a thread at" not in asked(replace(ASKED, place=""))
    assert "repository_instructions" not in user
    told = asked(ASKED, instructions="Money is Decimal.")
    assert told.startswith('<repository_instructions>\n"Money is Decimal."')


def test_a_question_about_a_finding_is_asked_as_an_explanation() -> None:
    system, user = render_question(INQUIRY, chunks=[CHARGE], manifest=MANIFEST)
    assert system.startswith("You answer a question about one finding")
    assert "package-lock.json" not in user


def test_of_many_comments_the_latest_are_shown() -> None:
    thread = tuple(ThreadComment(f"remark {n}", ours=n % 2 > 0) for n in range(MOST_REMARKS + 5))
    user = asked(replace(ASKED, thread=thread))
    assert "<comments>\n5 earlier, left out\na" not in user
    assert '5 earlier, left out\nreviewbot: "remark 5"' in user


def test_secrets_and_personal_data_are_not_sent() -> None:
    text = f"my token is {TOKEN}, mail me at jane.roe@corp.com"
    thread = (ThreadComment(text, ours=False),)
    clean = redacted(PullQuestion(text, text, thread, text, text))
    told = json.dumps(to_json(clean))
    assert TOKEN not in told
    assert "jane.roe" not in told
    assert told.count("[REDACTED:") == 2 * 5
    assert redacted(INQUIRY) == INQUIRY


@pytest.mark.parametrize("inquiry", [INQUIRY, ASKED])
def test_a_question_comes_back_equal_from_json(inquiry: Any) -> None:
    assert from_json(json.loads(json.dumps(to_json(inquiry)))) == inquiry


def test_data_that_is_no_question_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"inquiry\.description is missing"):
        from_json({"title": "x"})


def test_the_question_is_shown_as_one_safe_line() -> None:
    shown = replace(ASKED, question=f"Is\n{TOKEN}\u202e fine?").shown_question
    assert "\n" not in shown
    assert TOKEN not in shown
