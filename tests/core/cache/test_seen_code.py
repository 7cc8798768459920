"""Digests of code outside of the diff that a model saw."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reviewbot.core.cache.seen_code import (
    DOSSIER,
    INPUT_CHARS,
    NOT_COMPARABLE,
    SeenCode,
    can_be_stored,
    seen_dossier,
    seen_lookup,
)
from reviewbot.core.prompt.lookup_tools import LookupCall, LookupResult
from tests.support.views import hunk, view

READ = LookupCall("read_code", {"path": "b.py", "first": 1, "last": 9})
RESULT = LookupResult("R1 |code of b", "reading b.py 1-9")


def test_a_look_up_is_its_input_and_a_digest_of_the_result() -> None:
    seen = seen_lookup(READ, RESULT)
    assert (seen.tool, json.loads(seen.input)) == ("read_code", READ.input)
    assert "code of b" not in repr(seen)
    assert seen == seen_lookup(
        LookupCall("read_code", {"last": 9, "first": 1, "path": "b.py"}), RESULT
    )
    assert seen != seen_lookup(READ, LookupResult("R1 |code of b, changed"))
    assert seen_lookup(READ, LookupResult("R1 |not UTF-8: \udcff")).digest
    assert can_be_stored([seen])


@pytest.mark.parametrize(
    ("call", "result"),
    [
        (READ, LookupResult("Could not search.", failed=True, is_certain=False)),
        (LookupCall("read_code", {"path": "x" * INPUT_CHARS}), RESULT),
    ],
)
def test_a_failed_look_up_and_one_with_a_long_input_cannot_be_stored(
    call: LookupCall, result: LookupResult
) -> None:
    assert seen_lookup(call, result) == NOT_COMPARABLE
    assert not can_be_stored([seen_lookup(READ, RESULT), seen_lookup(call, result)])


@pytest.mark.parametrize("field", ["text", "path"])
def test_an_input_with_a_secret_cannot_be_stored(field: str) -> None:
    secret: dict[str, Any] = {field: "ghp_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"}
    assert not can_be_stored([seen_lookup(LookupCall("search_code", secret), RESULT)])


def test_a_dossier_is_a_digest_of_all_of_its_lines() -> None:
    views = [view(hunk(" def f():\n     return 1", old=1, new=1), path="b.py")]
    seen = seen_dossier(views)
    assert seen == SeenCode(DOSSIER, "{}", seen.digest)
    assert seen_dossier(views) == seen
    moved = [view(hunk(" def f():\n     return 1", old=2, new=2), path="b.py")]
    assert len({seen, seen_dossier(moved), seen_dossier([])}) == 3
    assert can_be_stored([seen, seen_dossier([])])
