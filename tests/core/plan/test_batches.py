"""Batches: which chunks share a request, and how each model's files are packed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.plan.chunks import (
    CHUNK_BUDGET,
    MAX_CHECKED_FILES,
    MIN_BUDGET,
    SECRETS_ALONE,
    Plan,
    SplitLimits,
    budget_for,
    plan_routed,
)
from reviewbot.core.plan.policy import Exclusion
from reviewbot.core.plan.routing import SECRETS_ONLY, UNREAD, Chain, Routed
from reviewbot.core.plan.stored import check_fits, plan_from_json, plan_to_json
from tests.support.chunk_plans import Bytes, diffs, plan, planned, small

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.diff.parse import FileDiff


def test_small_chunks_share_a_batch_in_the_order_of_the_diff() -> None:
    files = [small(number) for number in range(7)]
    made = planned(*files, max_batch_chunks=3)
    assert [batch.id for batch in made.batches] == ["b1", "b2", "b3"]
    assert [batch.chunks for batch in made.batches] == [
        ("c1", "c2", "c3"),
        ("c4", "c5", "c6"),
        ("c7",),
    ]
    assert made.tokens == sum(chunk.tokens for chunk in made.chunks)


def test_a_batch_keeps_to_its_budget_unless_one_chunk_alone_is_larger() -> None:
    files = [small(0, 3_000), small(1, 2_000), small(2), small(3, 5_000), small(4)]
    made = planned(*files, batch_budget=2_000)
    assert [batch.chunks for batch in made.batches] == [("c1",), ("c2", "c3"), ("c4",), ("c5",)]


def grouped(
    *numbers: int, budget: int, most: int = 10, tested: Sequence[int] | None = None
) -> list[tuple[str, ...]]:
    """The chunks of each batch of files whose groups have these numbers; each has 200 tokens.

    ``tested`` has the numbers of their sources with tests; by default, each file has its own.
    """
    limits = SplitLimits(Bytes(), batch_budget=budget, batch_chunks=most)
    made = plan_routed(
        [small(number) for number in range(len(numbers))],
        exclusions=[None] * len(numbers),
        route=lambda some: [Routed(CHAINS[0])] * len(some),
        sizes=lambda _: limits,
        group=lambda _: list(zip(numbers, tested or range(len(numbers)), strict=True)),
    )
    check_fits(made, [small(number) for number in range(len(numbers))])
    return [batch.chunks for batch in made.batches]


def test_files_of_a_group_share_a_batch_if_they_fit() -> None:
    size = planned(small(0)).tokens
    assert grouped(0, 1, 0, 1, budget=2 * size) == [("c1", "c3"), ("c2", "c4")]
    assert grouped(0, 1, 1, 1, budget=3 * size) == [("c1",), ("c2", "c3", "c4")]
    assert grouped(0, 1, 1, 1, budget=9 * size, most=3) == [("c1",), ("c2", "c3", "c4")]


def test_a_group_that_no_batch_can_hold_fills_batches_in_its_order() -> None:
    size = planned(small(0)).tokens
    assert grouped(0, 1, 1, 1, budget=2 * size) == [("c1", "c2"), ("c3", "c4")]


def test_of_a_group_that_no_batch_can_hold_each_source_has_its_test() -> None:
    size = planned(small(0)).tokens
    assert grouped(0, 0, 0, 0, budget=2 * size, tested=[0, 1, 0, 1]) == [
        ("c1", "c3"),
        ("c2", "c4"),
    ]


def test_a_change_that_fits_into_one_batch_is_not_grouped() -> None:
    def group(_files: Sequence[FileDiff]) -> Sequence[tuple[int, int]]:
        raise AssertionError("the files were grouped")

    made = plan_routed(
        [small(0), small(1)],
        exclusions=[None, None],
        route=lambda some: [Routed(CHAINS[0])] * len(some),
        sizes=lambda _: SplitLimits(Bytes()),
        group=group,
    )
    assert [batch.chunks for batch in made.batches] == [("c1", "c2")]


def test_skipped_files_are_listed_with_their_reason_and_have_no_chunk() -> None:
    files = [small(0), small(1), small(2)]
    made = plan(
        files,
        skip=lambda file: Exclusion("Lockfile.") if file.path == "f1.py" else None,
        count=Bytes(),
    )
    assert [(file.path, file.reason, file.chunks) for file in made.files] == [
        ("f0.py", None, ("c1",)),
        ("f1.py", "Lockfile.", ()),
        ("f2.py", None, ("c2",)),
    ]
    assert [file.path for file in made.skipped] == ["f1.py"]
    assert made.by_id["c2"].file == 2
    check_fits(made, files)


def test_an_empty_diff_is_an_empty_plan() -> None:
    made = planned()
    assert made == Plan((), (), ())
    check_fits(made, [])


def test_budgets_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="below 2000"):
        planned(small(0), budget=1_999)
    with pytest.raises(ValueError, match="at least one"):
        planned(small(0), max_batch_chunks=0)


@pytest.mark.parametrize(
    ("context", "budget"),
    [(1_000_000, CHUNK_BUDGET), (200_000, CHUNK_BUDGET), (32_000, 8_000), (4_000, MIN_BUDGET)],
)
def test_a_chunk_never_takes_more_than_half_of_the_context_window(
    context: int, budget: int
) -> None:
    assert budget_for(context) == budget
    assert budget <= context // 2


CHAINS = [Chain("model", ("a", "b")), Chain("routes[0]", ("b",)), Chain("routes[1]", ("a", "b"))]
SIZES = {
    CHAINS[0]: SplitLimits(Bytes(), 2_000, 4_000),
    CHAINS[1]: SplitLimits(Bytes(), 6_000),
    CHAINS[2]: SplitLimits(Bytes(1.5)),
}


def routed(files: Sequence[FileDiff], chains: Sequence[Chain]) -> Plan:
    """A plan in which each file goes to the chain at its place."""
    return plan_routed(
        files,
        exclusions=[None] * len(files),
        route=lambda some: [Routed(chain, f"by {chain.setting}") for chain in chains[: len(some)]],
        sizes=SIZES.__getitem__,
    )


@given(st.lists(st.tuples(diffs, st.sampled_from(CHAINS)), max_size=6))
def test_batches_never_mix_models_and_each_is_cut_for_its_own(
    many: list[tuple[FileDiff, Chain]],
) -> None:
    files, chains = [file for file, _ in many], [chain for _, chain in many]
    made = routed(files, chains)
    check_fits(made, files)
    assert plan_from_json(json.loads(json.dumps(plan_to_json(made)))) == made
    by_id = made.by_id
    for batch in made.batches:
        sizes = SIZES[batch.chain]
        chunks = [by_id[name] for name in batch.chunks]
        assert {chains[chunk.file] for chunk in chunks} == {batch.chain}
        assert max(chunk.tokens for chunk in chunks) <= sizes.budget
        assert batch.tokens == sum(chunk.tokens for chunk in chunks)
        assert batch.tokens <= sizes.batch_budget or len(chunks) == 1
    for chain in CHAINS:
        alone = routed([file for file, its in many if its == chain], [chain] * len(many))
        mine = [batch.tokens for batch in made.batches if batch.chain == chain]
        assert mine == [batch.tokens for batch in alone.batches], "the others have no say"
    assert [batch.id for batch in made.batches] == [f"b{n + 1}" for n in range(len(made.batches))]
    assert [file.routed_by for file in made.files] == [f"by {chain.setting}" for chain in chains]


def test_files_of_one_chain_share_a_request_though_others_stand_between() -> None:
    made = routed([small(n) for n in range(4)], [CHAINS[0], CHAINS[1], CHAINS[0], CHAINS[1]])
    assert [(batch.chunks, batch.chain) for batch in made.batches] == [
        (("c1", "c3"), CHAINS[0]),
        (("c2", "c4"), CHAINS[1]),
    ]


def test_unread_files_come_last_and_only_the_first_ones_are_read_by_rules() -> None:
    files = [small(number) for number in range(MAX_CHECKED_FILES + 2)]
    vendored = Exclusion("New, and vendored.", is_unread=True)
    made = plan_routed(
        files,
        exclusions=[*[vendored] * (len(files) - 1), None],
        route=lambda some: [Routed(CHAINS[0])] * len(some),
        sizes=lambda _: SplitLimits(Bytes(), batch_chunks=len(files)),
    )
    assert [batch.chain for batch in made.batches] == [CHAINS[0], UNREAD, SECRETS_ONLY]
    assert [len(batch.chunks) for batch in made.batches] == [1, MAX_CHECKED_FILES, 1]
    assert made.files[0].reason == "New, and vendored."
    assert made.files[-2].reason == f"New, and vendored. {SECRETS_ALONE}"
    assert [file.is_unread for file in made.files] == [*[True] * (len(files) - 1), False]


def test_only_files_that_are_reviewed_are_routed() -> None:
    seen: list[str] = []

    def route(files: Sequence[FileDiff]) -> list[Routed]:
        seen.extend(file.path for file in files)
        return [Routed(CHAINS[0])] * len(files)

    files = [small(1), small(2)]
    made = plan_routed(
        files,
        exclusions=[Exclusion("Lockfile."), None],
        route=route,
        sizes=lambda _: SplitLimits(Bytes()),
    )
    assert seen == [files[1].path]
    assert [(file.reason, file.routed_by) for file in made.files] == [
        ("Lockfile.", None),
        (None, "model"),
    ]
