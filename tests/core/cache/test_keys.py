"""Hashes of chunks: equal for what is prompted alike, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.cache.keys import (
    SKETCH,
    ChunkKey,
    Scope,
    bands,
    chunk_key,
    examples_of,
    similarity,
)
from reviewbot.core.prompt.request import ManifestEntry
from tests.support.views import hunk, view

if TYPE_CHECKING:
    from reviewbot.core.plan.chunk_view import ChunkView

SCOPE = Scope(model="m", prompt_version="p1")
CODE = " def total(items):\n-    rate = 1\n+    rate = 2\n     return rate"
CHUNK = view(hunk(CODE, old=10, new=20))


def test_a_key_is_the_same_in_every_process() -> None:
    assert chunk_key(CHUNK, SCOPE).exact == (
        "288aaf2c8543c3d76fc6fddfb4ca29eed49ee815b190fd292182a7a9dda72ecb"
    )


def test_a_chunk_that_only_moved_keeps_its_key() -> None:
    assert chunk_key(view(hunk(CODE, old=11, new=31)), SCOPE).exact == chunk_key(CHUNK, SCOPE).exact
    assert (
        chunk_key(replace(CHUNK, id="c7", tokens=9), SCOPE).exact == chunk_key(CHUNK, SCOPE).exact
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "other"},
        {"prompt_version": "p2"},
        {"instructions": "Be strict."},
        {"guidelines": "AGENTS.md\nNever nest."},
        {"rules": {"docs": "off"}},
        {"examples": ("an example",)},
    ],
)
def test_another_scope_has_other_keys(changes: dict[str, Any]) -> None:
    ours, theirs = chunk_key(CHUNK, SCOPE), chunk_key(CHUNK, replace(SCOPE, **changes))
    assert ours.exact != theirs.exact
    assert ours.family != theirs.family
    assert not set(bands(ours)) & set(bands(theirs))
    assert similarity(ours, theirs) == 0


@pytest.mark.parametrize(
    "other",
    [
        view(hunk(CODE.replace("= 2", "= 3"))),
        view(hunk(CODE.replace("items", "things"))),
        view(hunk(CODE.replace("+ ", "  "))),
        view(replace(hunk(CODE), section="class A:")),
        view(replace(hunk(CODE), owned=(True, True, False, True))),
        view(hunk(CODE), hunk("+x = 1", new=90)),
        view(hunk(CODE), path="b.py"),
        replace(CHUNK, status="renamed", old_path="b.py"),
        replace(CHUNK, part=2, parts=2),
        replace(CHUNK, instructions=("No globals.",)),
    ],
)
def test_what_the_prompt_shows_otherwise_has_another_key(other: ChunkView) -> None:
    assert chunk_key(other, SCOPE).exact != chunk_key(CHUNK, SCOPE).exact


def test_a_path_in_bytes_that_are_no_text_has_a_key() -> None:
    assert chunk_key(view(hunk(CODE), path="\udcff.py"), SCOPE).exact


def test_a_renamed_file_is_of_the_family_and_a_copy_or_another_language_is_not() -> None:
    def family(path: str, **changes: Any) -> str:
        return chunk_key(replace(CHUNK, path=path, **changes), SCOPE).family

    ours = chunk_key(CHUNK, SCOPE).family
    assert family("b.py", status="renamed", old_path="a.py") == ours
    assert family("b.ts", status="renamed", old_path="a.py") != ours
    assert family("b.py", status="copied", old_path="a.py") != ours
    assert family("a.py", status="added", old_path=None) == ours
    assert family("x/a", status="modified", old_path="x/a") != family("x/b", old_path="x/b")
    assert family("a.py", instructions=("No globals.",)) != ours


def test_chunks_that_share_a_hunk_share_a_band() -> None:
    both = view(hunk(CODE), hunk("+x = 1\n y", new=90))
    ours, theirs = chunk_key(CHUNK, SCOPE), chunk_key(replace(both, part=2), SCOPE)
    assert set(bands(ours)) & set(bands(theirs))
    assert similarity(ours, theirs) == 0.5
    assert similarity(ours, ours) == 1
    nothing = ChunkKey("e", "f", ())
    assert similarity(nothing, nothing) == 0


def test_the_same_part_of_a_file_shares_a_band_without_a_common_hunk() -> None:
    def of(code: str, **changes: Any) -> set[str]:
        return set(bands(chunk_key(replace(view(hunk(code)), **changes), SCOPE)))

    assert of("+a", part=2, parts=3) & of("+b", part=2, parts=2)
    assert not of("+a", part=1, parts=3) & of("+b", part=2, parts=3)
    assert not of("+a") & of("+b", path="b.py", old_path="b.py")


@given(st.sets(st.integers(), max_size=200), st.sets(st.integers(), max_size=40))
def test_bands_are_few_and_huge_chunks_with_most_hunks_alike_meet(
    shared: set[int], more: set[int]
) -> None:
    def key(numbers: set[int], part: int) -> ChunkKey:
        hunks = tuple(f"{hash(number) % 2**64:064x}" for number in numbers)
        return ChunkKey("e", "f", hunks, part)

    one, two = key(shared, 1), key(shared | more, 2)
    assert len(bands(two)) <= SKETCH + 1
    if len(shared) > len(more):
        assert set(bands(one)) & set(bands(two))


def test_the_examples_are_those_of_the_languages() -> None:
    def examples(path: str) -> tuple[str, ...]:
        return examples_of([ManifestEntry(path, "modified", 1, 0, shown=True)])

    assert examples("a.py") == examples("b.py") != examples("a.ts")
