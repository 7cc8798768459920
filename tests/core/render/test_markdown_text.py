"""Links of our own in Markdown: an address that is not plain is none."""

from __future__ import annotations

import pytest
from hypothesis import given

from reviewbot.core.render.markdown_text import link, linked
from reviewbot.core.safety.safe_text import safe_line
from tests.github.github_rules import flat
from tests.github.github_rules import links as links_in
from tests.review_strategies import texts


@given(texts)
def test_no_address_breaks_out_of_its_link(address: str) -> None:
    assert set(links_in(f"{linked('x', address)} y")) <= {address}


@pytest.mark.parametrize(
    "address",
    [None, "", "javascript:alert(1)", "https://x/)![i](https://evil.example", "https://x y", "/x"],
)
def test_what_is_no_plain_address_is_no_link(address: str | None) -> None:
    assert linked("a`b", address) == "`` a`b ``"


ADDRESS = "https://h.example/pull/1#r1"


def shown(markdown: str) -> str:
    return "".join(
        token.content for token in flat(markdown) if token.type in ("text", "code_inline")
    )


@given(texts)
def test_a_safe_line_is_shown_as_it_is_within_its_link(text: str) -> None:
    title = safe_line(text)
    made = f"- error: {link(title, ADDRESS)} `x`"
    assert links_in(made) == [ADDRESS]
    assert shown(made) == shown(f"- error: {title} `x`")


@pytest.mark.parametrize(
    ("title", "made"),
    [
        ("a[0] is read", r"a\[0\] is read"),
        ("] (x)", r"\] (x)"),
        (r"a\[0\]", r"a\[0\]"),
        ("`a[0]` is `b`]", r"`a[0]` is `b`\]"),
    ],
)
def test_brackets_of_a_title_cannot_end_its_link(title: str, made: str) -> None:
    assert link(title, ADDRESS) == f"[{made}]({ADDRESS})"
    assert link(title, None) == link(title, "javascript:x") == title
