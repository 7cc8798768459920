"""Diffs whose files harm a parser that reads them in the wrong place."""

from __future__ import annotations

from tests.support.reviews import added

ENDLESS = "[[" + " " * 610 + "}"
"""tree-sitter's grammar of TypeScript never returns from this line."""
LOOP = added("loop.ts", "eval(x);", ENDLESS)
CRASH = added("crash.tsx", "eval(x);", "<a>" * 130_000)
"""The stack overflows."""
GOOD = added("good.py", "eval(x)")
TOO_LONG = (
    "The offline rules did not read all of this file:"
    " parsing took longer than 5 s of processor time."
)
STOPPED = (TOO_LONG, "The offline rules did not read all of this file: the parser crashed.")
"""What a review says of :data:`CRASH`: on a busy machine the time limit comes before the crash."""
