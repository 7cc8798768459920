"""No markup brings back what was redacted, and no redaction brings back what would act."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reviewbot.core.safety import shown_text
from reviewbot.core.safety.redact import redact_text
from reviewbot.core.safety.safe_text import safe_line, safe_markdown
from reviewbot.core.safety.shown_text import WITHHELD, shown_line, shown_markdown

REST = "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5"
TOKEN = "ghp" + "_" + REST
HOSTS = ("github.com",)


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        "ghp\\_" + REST,
        "&#103;hp_" + REST,
        "&#x67;hp&lowbar;" + REST,
        "ghp\\_" + REST[:20] + "&#" + f"{ord(REST[20])};" + REST[21:],
        f"use <b>ghp\\_{REST}</b> here",
        "[x](https://github.com/?t=ghp\\_" + REST + ")",
        "![ghp\\_" + REST + "](https://evil.example)",
        "grace\\@navy.mil",
    ],
)
def test_markup_hides_no_secret(text: str) -> None:
    for shown in (shown_markdown(text, link_hosts=HOSTS), shown_line(text)):
        assert REST[4:] not in shown
        assert "grace" not in shown
        assert "REDACTED:" in shown  # in a link, the bracket is %5B


def test_ordinary_text_is_kept() -> None:
    text = "`close()` is not called when **read** raises."
    assert shown_markdown(text, link_hosts=HOSTS) == text
    assert shown_line("`close()` is not called.") == "`close()` is not called."


def test_links_lead_only_to_the_hosts_given() -> None:
    text = "[a](https://git.corp.example/x)"
    assert shown_markdown(text, link_hosts=("git.corp.example",)) == text
    assert shown_markdown(text, link_hosts=()) == "a (`https://git.corp.example/x`)"


def test_what_comes_to_no_rest_is_withheld() -> None:
    marks = iter(range(100))
    result = shown_text._settled("x", lambda _: f"{next(marks)} {TOKEN}")
    assert result == WITHHELD == redact_text(WITHHELD) == safe_markdown(WITHHELD)


@given(
    st.lists(
        st.sampled_from(
            [
                TOKEN,
                "ghp",
                "\\_",
                "_",
                REST,
                "&#103;hp",
                "&lowbar;",
                "grace",
                "@",
                "\\@",
                "&#64;",
                "navy.mil",
                "*",
                "`",
                "\n",
                " ",
                "\\",
                "[",
                "](",
                ")",
                "<",
                ">",
                "&amp;",
                "# ",
                "://u:",
            ]
        ),
        max_size=12,
    ).map("".join)
)
@example(f"*&#103;hp_{REST}*")
def test_what_is_shown_is_both_redacted_and_safe(text: str) -> None:
    markdown = shown_markdown(text, link_hosts=HOSTS)
    assert redact_text(markdown) == markdown == safe_markdown(markdown, link_hosts=HOSTS)
    line = shown_line(text)
    assert redact_text(line) == line == safe_line(line)
