"""What the offline review makes of ``fixtures/*.diff`` and ``fixtures/real``.

``python -m tests.reviewed_fixtures`` writes the expectations beside the diffs anew.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

from reviewbot.config.settings import load_settings
from reviewbot.core.events.report import fold
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.review import review
from reviewbot.pipeline.workers import workers

FIXTURES: Final = Path(__file__).parents[1] / "fixtures"
DIFFS: Final = sorted([*FIXTURES.glob("*.diff"), *FIXTURES.glob("real/*.diff")])


async def reviewed(data: bytes) -> dict[str, Any]:
    """Outcome, findings and coverage of an offline review, as plain values."""
    settings = load_settings(flags={"model": "offline"}, env={})
    prepared = prepare(data, settings)
    async with workers(prepared, settings) as work:
        report = fold([event async for event in review(prepared.job, work.run_batch)])
    return {
        "outcome": report.outcome,
        "findings": [
            f"{one.path}:{one.line}-{one.end_line} {one.severity} {one.rule}"
            for one in report.findings
        ],
        "coverage": {file.path: file.status for file in report.coverage},
    }


def expectation(path: Path) -> Path:
    """The file beside ``path`` that says what is expected."""
    return path.with_suffix(".expected.json")


def main() -> None:
    """Write every expectation."""
    for path in DIFFS:
        text = json.dumps(asyncio.run(reviewed(path.read_bytes())), indent=2) + "\n"
        expectation(path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
