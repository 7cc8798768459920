"""The purpose of a change: what it states, and its texts without secrets."""

from __future__ import annotations

import pytest

from reviewbot.core.prompt.purpose import NO_PURPOSE, ClosingIssue, Purpose
from reviewbot.core.safety.leak_scan import MOST, engine

SECRET = "ghp" + "_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
ISSUE = ClosingIssue(7, "Orders lack VAT", "Charge it.")


def test_a_purpose_without_texts_is_false() -> None:
    assert not NO_PURPOSE
    assert Purpose("Charge VAT")
    assert Purpose(description="Charge VAT.")
    assert Purpose(issues=(ISSUE,))


def test_a_title_alone_asks_for_nothing() -> None:
    assert not Purpose("Charge VAT", " \n").asks_for_something
    assert Purpose("Charge VAT", "It is the law.").asks_for_something
    assert Purpose(issues=(ISSUE,)).asks_for_something


def test_secrets_are_redacted_in_every_text() -> None:
    text = f"token {SECRET} is it"
    redacted = Purpose(text, text, (ClosingIssue(7, text, text),)).redacted()
    assert SECRET not in repr(redacted)
    assert repr(redacted).count("[REDACTED:") == 4
    assert redacted.issues[0].number == 7


@pytest.mark.skipif(engine() is None, reason="only that engine refuses a text")
def test_a_text_that_cannot_be_searched_for_secrets_is_left_out() -> None:
    many = "\n".join(f"password = 'q{number:05}Zt8xK4mW2p'" for number in range(MOST + 500))
    assert Purpose("Charge VAT", many, (ISSUE,)).redacted() == Purpose("Charge VAT", "", (ISSUE,))
