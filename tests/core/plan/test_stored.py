"""Stored plans: damaged ones and those of another diff are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.core.plan.stored import check_fits, plan_from_json
from tests.support.chunk_plans import stored

if TYPE_CHECKING:
    from reviewbot.core.plan.chunks import Chunk


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.clear(),
        lambda data: data.update(version=1),
        lambda data: data.pop("files"),
        lambda data: data.update(chunks=3),
        lambda data: data["files"][0].pop("path"),
        lambda data: data["files"][0].update(status="moved"),
        lambda data: data["files"][0].update(added=True),
        lambda data: data["files"][0].update(reason=1),
        lambda data: data["chunks"][0].update(tokens="9"),
        lambda data: data["chunks"][0].update(line_limit=1.5),
        lambda data: data["chunks"][0].update(segments=[[0, 1, 2]]),
        lambda data: data["chunks"][0]["segments"][0].pop("stop"),
        lambda data: data["chunks"][0]["segments"][0].update(hunk=True),
        lambda data: data["batches"][0].update(chunks=[1]),
        lambda data: data["batches"].append("b"),
        lambda data: data["batches"][0].update(chain={"models": "a"}),
        lambda data: data["files"][0].update(routed_by=0),
    ],
)
def test_a_damaged_stored_plan_is_refused(damage: Any) -> None:
    data, _ = stored()
    damage(data)
    with pytest.raises(ValueError, match="stored plan"):
        plan_from_json(data)


def test_what_is_not_an_object_is_no_stored_plan() -> None:
    with pytest.raises(ValueError, match="not a stored plan"):
        plan_from_json([])


def move(chunk: Chunk, **change: int) -> Chunk:
    first, *others = chunk.segments
    return replace(chunk, segments=(replace(first, **change), *others))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: replace(p, files=p.files[1:]), "1 files, the diff 2"),
        (lambda p: replace(p, files=(replace(p.files[0], added=1), p.files[1])), "not the diff's"),
        (lambda p: replace(p, chunks=(p.chunks[0], *p.chunks)), "same id"),
        (lambda p: replace(p, batches=p.batches[1:]), "batches"),
        (lambda p: replace(p, batches=(*p.batches, p.batches[0])), "batches"),
        (
            lambda p: replace(
                p,
                batches=(replace(p.batches[0], chunks=p.batches[0].chunks[::-1]), *p.batches[1:]),
            ),
            "in order",
        ),
        (lambda p: replace(p, files=(replace(p.files[0], chunks=()), p.files[1])), "files do not"),
        (
            lambda p: replace(p, files=(p.files[0], replace(p.files[1], reason="Lockfile."))),
            "both skips and reviews",
        ),
        (
            lambda p: replace(p, chunks=(replace(p.chunks[0], file=1), *p.chunks[1:])),
            "is not one of",
        ),
        (lambda p: replace(p, chunks=(move(p.chunks[0], hunk=1), *p.chunks[1:])), "does not fit"),
        (lambda p: replace(p, chunks=(move(p.chunks[0], start=1), *p.chunks[1:])), "does not fit"),
        (
            lambda p: replace(p, chunks=(move(p.chunks[0], show_stop=301), *p.chunks[1:])),
            "does not fit",
        ),
        (
            lambda p: replace(p, chunks=(replace(p.chunks[0], segments=()), *p.chunks[1:])),
            "does not fit",
        ),
        (
            lambda p: replace(p, chunks=(*p.chunks[:-1], replace(p.chunks[-1], segments=()))),
            "leaves out lines",
        ),
    ],
)
def test_a_plan_of_another_diff_or_with_a_gap_does_not_fit(damage: Any, message: str) -> None:
    data, files = stored()
    whole = plan_from_json(data)
    check_fits(whole, files)
    with pytest.raises(ValueError, match=message):
        check_fits(damage(whole), files)
