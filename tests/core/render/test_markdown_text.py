"""Links of our own in Markdown: an address that is not plain is none."""

from __future__ import annotations

import pytest
from hypothesis import given

from reviewbot.core.render.markdown_text import linked
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
