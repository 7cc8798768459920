"""Signatures of deliveries."""

from __future__ import annotations

import hashlib
import hmac
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.github.webhook.parse import is_signed

VECTOR = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
SECRET = "It's a Secret to Everybody"


def test_the_example_that_github_documents_is_believed() -> None:
    assert is_signed(b"Hello, World!", VECTOR, (SECRET,))


def test_during_a_rotation_both_secrets_are_accepted() -> None:
    assert is_signed(b"Hello, World!", VECTOR, (SECRET, "new"))
    assert is_signed(b"Hello, World!", VECTOR, ("new", SECRET))
    assert not is_signed(b"Hello, World!", VECTOR, ("new", "newer"))


def test_a_secret_may_be_any_bytes_that_an_environment_can_hold() -> None:
    header = "sha256=" + hmac.new(b"\xff\x80", b"x", hashlib.sha256).hexdigest()
    assert is_signed(b"x", header, (os.fsdecode(b"\xff\x80"),))


def test_without_a_secret_no_signature_is_accepted() -> None:
    empty = "sha256=" + hmac.new(b"", b"Hello, World!", hashlib.sha256).hexdigest()
    for secrets in ((), ("",), ("", "")):
        assert not is_signed(b"Hello, World!", empty, secrets)
        assert not is_signed(b"Hello, World!", VECTOR, secrets)


DIGEST = VECTOR.removeprefix("sha256=")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        DIGEST,
        "sha256=",
        "sha256=" + DIGEST[:-1],
        VECTOR + "0",
        VECTOR + "\n",
        " " + VECTOR,
        "sha256:" + DIGEST,
        "SHA256=" + DIGEST,
        "sha256=" + DIGEST.upper(),
        "sha256=" + "\u0661" * 64,
        f"{VECTOR}, {VECTOR}",
        "sha1=" + hmac.new(SECRET.encode(), b"Hello, World!", "sha1").hexdigest(),
        "sha512=" + hmac.new(SECRET.encode(), b"Hello, World!", "sha512").hexdigest(),
    ],
)
def test_a_header_of_another_form_is_refused(header: str | None) -> None:
    assert not is_signed(b"Hello, World!", header, (SECRET,))


@given(st.binary(), st.binary(), st.text(min_size=1), st.text(min_size=1))
def test_a_signature_holds_for_these_bytes_and_this_secret_alone(
    body: bytes, other: bytes, secret: str, guess: str
) -> None:
    header = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    assert is_signed(body, header, (secret,))
    assert is_signed(other, header, (secret,)) == (other == body)
    # HMAC fills keys up with zeros: that is the only other key for the same signature.
    if guess.rstrip("\0") != secret.rstrip("\0"):
        assert not is_signed(body, header, (guess,))
