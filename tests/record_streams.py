"""Records reviews of ``fixtures/demo.diff`` as they really run: ``python -m tests.record_streams``.

Each is the command line in a process of its own, its events written as they came, with the times
and ids of that run; all but the first talk to the fake API. What these recordings look like in
every format is then written by ``python -m tests.regenerate_golden``. ``--verified`` records only
the last one.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.fake_anthropic import Answer, FakeAnthropic, StatusError
from tests.fake_anthropic.replies import finding
from tests.fake_anthropic.verdicts import asked, says, verdict
from tests.regenerate_golden import STREAMS

if TYPE_CHECKING:
    from tests.fake_anthropic.requests import Recorded

DEMO: Final = STREAMS.parent / "demo.diff"

FOUND: Final[list[dict[str, Any]]] = [
    finding(
        path="shop/orders.py",
        quote="        f\"SELECT id, customer FROM orders WHERE customer = '{customer}'"
        " AND status = '{status}'\"",
        line=38,
        end_line=38,
        category="security",
        title="SQL built from the caller's text",
        scenario="A customer named x' OR '1'='1 reads the orders of every customer.",
        message="Pass both values as parameters, as the line before this change did.",
    ),
    finding(
        path="shop/orders.py",
        quote="    for order_id, order in orders.items():",
        line=40,  # as models do: the quote is right, the number is not
        end_line=40,
        title="The dictionary changes while it is walked",
        scenario="One empty order among two raises RuntimeError.",
        message="Walk over a copy: `for order_id, order in list(orders.items()):`.",
        suggestion="    for order_id, order in list(orders.items()):",
    ),
    finding(
        path="shop/sync.py",
        quote="        time.sleep(2**attempt)",
        line=19,
        end_line=19,
        category="performance",
        severity="warning",
        confidence=0.6,
        title="A blocking sleep in a coroutine",
        scenario="While one request waits for its next try, no other coroutine runs.",
        message="Await `asyncio.sleep` instead.",
    ),
]
FILES: Final[list[dict[str, Any]]] = [
    {"path": "shop/money.py", "change": "adds with_tax"},
    {"path": "shop/orders.py", "change": "tax in totals, a filter by status, archive"},
    {"path": "shop/sync.py", "change": "more retries, a log line for each"},
    {"path": "web/src/cart.ts", "change": "saves in parallel, renders as a string"},
]
DOUBTED: Final = [
    *FOUND[:2],
    FOUND[2] | {"confidence": 0.5},
    finding(
        path="shop/sync.py",
        quote='        log.warning("stock of %s: %s", sku, response.status_code)',
        line=18,
        end_line=18,
        title="The function ends without a result",
        scenario="After five failed tries the caller gets None for a number.",
        message="Raise an error after the loop.",
    ),
    finding(
        path="web/src/cart.ts",
        quote="  cart.savedAt = new Date().toISOString();",
        line=16,
        end_line=16,
        title="The cart counts as saved before it is",
        scenario="When a request fails, savedAt is set all the same, so the items are lost.",
        message="Await all requests before savedAt is set.",
    ),
]
WITH_SECRET: Final = (
    DEMO.read_text("utf-8")
    + """\
diff --git a/shop/settings.py b/shop/settings.py
--- a/shop/settings.py
+++ b/shop/settings.py
@@ -1,2 +1,3 @@
 REGION = "eu-central-1"
+ACCESS_KEY = "{}"
 TIMEOUT_S = 10
""".format("AKIA" + "QWERTYUIOPAS0001")
)
"""The diff of ``verified``: the demo, and a line with a secret."""
SUMMARY: Final = {
    "what": "Orders gain tax, a status filter and an archive; the cart is saved and drawn anew.",
    "look_at": ["shop/orders.py"],
    "claim_mismatch": None,
}


def doubts(request: Recorded) -> Answer:
    """Verdicts about the findings of :data:`DOUBTED` that no rule reports."""
    titles = [one["title"] for one in DOUBTED]
    sql, walked, ends, saved = sorted(
        asked(request), key=lambda finding: titles.index(finding.title)
    )
    return says(
        verdict(sql),
        verdict(
            walked,
            "partly",
            title="Deleting while walking raises RuntimeError",
            scenario="When an empty order precedes another, deleting it ends the loop.",
            message="The loop walks the dictionary itself. Walk over `list(orders.items())`.",
        ),
        verdict(saved, "cannot_tell"),
        verdict(ends, "wrong", line=20, quote='    raise RuntimeError(f"no answer for {sku}")'),
    )


async def record(name: str, *arguments: str, diff: Path = DEMO, **environment: str) -> None:
    """One run of the command line to ``fixtures/streams/NAME.ndjson``."""
    command = [sys.executable, "-m", "reviewbot", "review", "--format", "ndjson", *arguments]
    known = {key: value for key, value in os.environ.items() if not key.startswith("ANTHROPIC_")}
    process = await asyncio.create_subprocess_exec(
        *command, str(diff), env=known | environment, stdout=asyncio.subprocess.PIPE
    )
    written, _ = await process.communicate()
    if process.returncode != 1:  # findings at or above the gate
        raise SystemExit(f"{name}: exit code {process.returncode}")
    (STREAMS / f"{name}.ndjson").write_bytes(written)


async def record_verified(diff: Path) -> None:
    """Record a review with a verdict of each kind."""
    async with FakeAnthropic(verify=doubts) as fake:
        fake.enqueue(Answer(DOUBTED, FILES, pace=0.01), Answer(report=json.dumps(SUMMARY)))
        await record(
            "verified",
            "--verify",
            "--model",
            "claude-sonnet-5-5",
            diff=diff,
            ANTHROPIC_API_KEY=fake.key,
            ANTHROPIC_BASE_URL=fake.base_url,
        )


async def main(with_secret: Path) -> None:
    """Record the reviews."""
    await record_verified(with_secret)
    if "--verified" in sys.argv:
        return
    await record("recorded-offline", "--model", "offline")
    async with FakeAnthropic() as fake:
        fake.enqueue(
            StatusError(529, retry_after="0.2"),
            Answer(FOUND, FILES, preamble="I read every hunk.", pace=0.01),
            Answer(report=json.dumps(SUMMARY)),
        )
        await record(
            "recorded-claude",
            "--model",
            "claude-sonnet-5-5",
            ANTHROPIC_API_KEY=fake.key,
            ANTHROPIC_BASE_URL=fake.base_url,
        )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, "with-secret.diff")
        written.write_text(WITH_SECRET, "utf-8")
        asyncio.run(main(written))
