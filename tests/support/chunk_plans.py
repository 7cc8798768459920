"""Diffs of one file, their plans, and strategies for both."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.core.plan.chunks import (
    BATCH_BUDGET,
    CHUNK_BUDGET,
    MAX_BATCH_CHUNKS,
    MIN_BUDGET,
    Plan,
    SplitLimits,
    plan_routed,
)
from reviewbot.core.plan.routing import NOBODY, Routed
from reviewbot.core.plan.stored import plan_to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reviewbot.core.plan.policy import Exclusion
    from reviewbot.core.plan.weigh import TokenCount


@dataclass(frozen=True)
class Bytes:
    """Half a token a byte, tokenized or not."""

    per_byte: float = 0.5
    dense: float = 0.5

    def count(self, text: str) -> int:
        return math.ceil(self.dense * len(text.encode("utf-8", "surrogatepass")))


def diff_of(*hunks: Sequence[str], path: str = "shop/a.py", section: str = "") -> bytes:
    """A git diff of one file; a hunk is its lines with their markers."""
    out = [f"diff --git a/{path} b/{path}", f"--- a/{path}", f"+++ b/{path}"]
    old = new = 1
    for lines in hunks:
        olds = sum(line[0] != "+" for line in lines)
        news = sum(line[0] != "-" for line in lines)
        out.append(f"@@ -{old if olds else old - 1},{olds} +{new if news else new - 1},{news} @@")
        out[-1] += f" {section}" if section else ""
        out += lines
        old, new = old + olds + 10, new + news + 10
    return ("\n".join(out) + "\n").encode("utf-8", "surrogateescape")


def one(*hunks: Sequence[str], **options: str) -> FileDiff:
    (file,) = parse_diff(diff_of(*hunks, **options))
    return file


def plan(
    files: Sequence[FileDiff],
    *,
    skip: Callable[[FileDiff], Exclusion | None],
    count: TokenCount,
    budget: int = CHUNK_BUDGET,
    batch_budget: int = BATCH_BUDGET,
    max_batch_chunks: int = MAX_BATCH_CHUNKS,
) -> Plan:
    """A plan with one chain for all files."""
    sizes, everyone = SplitLimits(count, budget, batch_budget, max_batch_chunks), Routed(NOBODY)
    return plan_routed(
        files,
        exclusions=[skip(file) for file in files],
        route=lambda some: [everyone] * len(some),
        sizes=lambda _: sizes,
    )


def planned(*files: FileDiff, count: Bytes | None = None, **options: Any) -> Plan:
    return plan(files, skip=lambda _: None, count=count or Bytes(), **options)


texts = st.one_of(
    st.sampled_from(["", "    return total", "def charge(order):", "}", "\tif x:", "# why"]),
    st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=60),
)
long_texts = st.builds(str.__mul__, st.sampled_from(["x", "\U0001f600"]), st.integers(1, 6_000))
markers = st.sampled_from(" +-")
lines = st.builds(str.__add__, markers, texts)
long_lines = st.builds(str.__add__, markers, long_texts)
# Repeated blocks make long hunks of few draws.
blocks = st.one_of(
    st.builds(list.__mul__, st.lists(lines, min_size=1, max_size=6), st.integers(1, 30)),
    long_lines.map(lambda line: [line]),
)
hunks = st.lists(blocks, min_size=1, max_size=6).map(
    lambda many: [line for block in many for line in block]
)
diffs = st.lists(hunks, min_size=1, max_size=3).map(lambda many: one(*many))
budgets = st.integers(MIN_BUDGET, 6_000)
counts = st.sampled_from([Bytes(), Bytes(dense=0.3), Bytes(dense=1.6), Bytes(1.5, 2.0)])


def small(number: int, size: int = 100) -> FileDiff:
    return one(["+" + "x" * size], path=f"f{number}.py")


def stored() -> tuple[dict[str, Any], list[FileDiff]]:
    files = [one([f"+line {number}" for number in range(300)]), small(1)]
    made = planned(*files, budget=2_500)
    assert len(made.files[0].chunks) > 1
    return json.loads(json.dumps(plan_to_json(made))), files
