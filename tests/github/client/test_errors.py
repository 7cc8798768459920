"""Errors of GitHub: a sentence for operators, and one for the author of a pull request."""

from __future__ import annotations

import pytest

from reviewbot.github.client import errors
from reviewbot.github.client.errors import ForbiddenError, GitHubError, RateLimitedError, for_author

DETAIL = "GitHub did not complete GET /repos/o/r: ghe.internal:8443 closed the connection"
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, GitHubError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_author_reads_no_request_and_no_host(kind: type[GitHubError]) -> None:
    error = RateLimitedError(DETAIL, seconds=9) if kind is RateLimitedError else kind(DETAIL)
    assert str(error) == DETAIL
    sentence = for_author(error)
    assert sentence
    assert not sentence.endswith(".")
    assert "/repos" not in sentence
    assert "internal" not in sentence


def test_a_missing_permission_is_named() -> None:
    assert "the permission for it" in ForbiddenError(DETAIL).for_author
    assert "the permission checks: write" in ForbiddenError(DETAIL, "checks: write").for_author
