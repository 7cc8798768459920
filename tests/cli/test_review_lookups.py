"""``reviewbot review`` in a repository: the model looks code up at the reviewed commit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cli.test_review_evidence import QUOTE, TAX, a_change
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.fake_anthropic.replies import finding
from tests.support.commands import Done, run_command
from tests.support.repositories import _alone, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import Recorded

__all__ = ["_alone"]

READ = ("read_code", {"path": "lib/tax.py", "first": 1, "last": 4})
SEARCH = ("search_code", {"text": "rate_of"})
SECRET = ("read_code", {"path": "../../etc/passwd", "first": 1, "last": 9})


def found(**changes: object) -> dict[str, object]:
    place = {"path": "shop.py", "quote": QUOTE.strip(), "line": 42, "end_line": 42}
    return finding(**(place | changes))


async def reviewed(folder: Path, *arguments: str) -> tuple[Done, list[Recorded]]:
    """Review with a model that reads, reports, searches and completes; return its requests."""
    rests_on = [{"path": "lib/tax.py", "quote": "    return order.rate", "base": False}]
    async with FakeAnthropic() as fake:
        fake.enqueue(
            Answer(call=False, lookups=[READ, SECRET], thinking=""),
            Answer([found(rests_on=rests_on)], outcome="continuing", lookups=[SEARCH]),
            Answer(),
        )
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        flags = ("--no-summary", "--no-verify", *arguments)
        done = await run_command(folder, "review", *flags, **keys)
        return done, fake.requests


async def test_a_model_reads_and_searches_the_reviewed_commit(tmp_path: Path) -> None:
    a_change(tmp_path)
    done, requests = await reviewed(tmp_path, "--format", "ndjson")
    events = [json.loads(line) for line in done.out.splitlines()]
    read, refused = requests[1].results
    assert "return order.rate" in read["content"]
    assert refused["is_error"]
    assert "root:" not in refused["content"]
    _, search = requests[2].results
    assert "lib/tax.py" in search["content"]
    [raised] = [event["finding"] for event in events if event["type"] == "finding"]
    [proof] = raised["rests_on"]
    assert (proof["path"], proof["line"], proof["is_shown"]) == ("lib/tax.py", 4, False)
    assert events[-1]["lookups"]["count"] == 3
    assert "reading lib/tax.py 1-4" in events[-1]["lookups"]["activities"]
    assert "reading lib/tax.py 1-4" in [event.get("activity") for event in events]
    assert done.code == 1


async def test_the_terminal_counts_look_ups_in_one_line(tmp_path: Path) -> None:
    a_change(tmp_path)
    done, _ = await reviewed(tmp_path)
    [line] = [line for line in done.out.splitlines() if "look-ups" in line]
    assert "3 look-ups: reading lib/tax.py 1-4" in line


async def test_no_code_is_sent_if_look_ups_are_off(tmp_path: Path) -> None:
    a_change(tmp_path)
    for setting, arguments in (("0", ()), ("24", ("--lookups", "0"))):
        write(f"lookups: {setting}\n", ".reviewbot.yml")
        _, requests = await reviewed(tmp_path, *arguments)
        assert not any(request.offers_lookups for request in requests)
        assert not any(TAX.splitlines()[3] in request.text for request in requests)


async def test_a_diff_without_a_repository_has_no_look_ups(tmp_path: Path) -> None:
    a_change(tmp_path)
    write("diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a\n+b\n", "a.diff")
    _, requests = await reviewed(tmp_path, "a.diff")
    assert not requests[0].offers_lookups


async def test_a_dry_run_says_that_it_does_not_estimate_look_ups(tmp_path: Path) -> None:
    a_change(tmp_path)
    key = {"ANTHROPIC_API_KEY": "sk-ant-" + "unused"}
    write("diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a\n+b\n", "a.diff")
    for arguments, is_said in (((), True), (("--lookups", "0"), False), (("a.diff",), False)):
        done = await run_command(tmp_path, "review", "--dry-run", *arguments, **key)
        text = " ".join(done.out.split())
        assert ("Look-ups can add up to 7 turns to a request" in text) == is_said
