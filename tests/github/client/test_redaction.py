"""Messages of errors show no token."""

from __future__ import annotations

import pytest

from reviewbot.github.client.redaction import MARK, MAX_MESSAGE, sanitize_message, without_tokens

LONG = "ghs_12345_eyJ" + "hbGciOi-_" * 4 + ".eyJ" + "pc3MiOiI" * 40 + "." + "Zm9v-_" * 20
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2ln-_bmF0dXJl"


@pytest.mark.parametrize(
    "token",
    [
        LONG,
        "ghs_16C7e42F292c6912E7710c838347Ae178B4a",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "gho_16C7e42F292c6912E7710c838347Ae178B4a",
        "ghu_16C7e42F292c6912E7710c838347Ae178B4a",
        "ghr_16C7e42F292c6912E7710c838347Ae178B4a",
        "ghs_x",
        "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz",
        JWT,
        "v1." + "0f" * 20,
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nAAAA\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nMIIEow",
    ],
)
def test_text_that_looks_like_a_token_is_never_shown(token: str) -> None:
    assert without_tokens(f"before {token}") == f"before {MARK}"
    assert without_tokens(f"'{token}'").startswith(f"'{MARK}")
    assert sanitize_message(f"Bad credentials for {token}") == f"Bad credentials for {MARK}"


def test_a_header_is_never_shown_even_with_a_token_of_an_old_kind() -> None:
    assert "0123456789abcdef" not in without_tokens(
        "Authorization: Bearer 0123456789abcdef01234567"
    )
    assert "0123456789abcdef" not in without_tokens("'token 0123456789abcdef01234567'")


@pytest.mark.parametrize(
    "text",
    ["Bad credentials", "the token is missing", "ghost_writer", "a/b#1: v1.2.3 bearer of news"],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert sanitize_message(text) == text


def test_a_message_is_one_bounded_line() -> None:
    assert sanitize_message("a\r\nb\x1b[31mc\u2028d") == "a b [31mc d"
    assert len(sanitize_message("x" * 100_000)) == MAX_MESSAGE


def test_a_token_is_not_cut_into_something_that_no_longer_looks_like_one() -> None:
    assert "eyJ" not in sanitize_message("x" * (MAX_MESSAGE - 20) + " " + LONG)
