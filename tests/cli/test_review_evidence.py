"""``reviewbot review`` in a repository: the verifier sees code beyond the diff and may quote it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.fake_anthropic import Answer, FakeAnthropic
from tests.fake_anthropic.replies import finding
from tests.fake_anthropic.verdicts import asked, says, verdict
from tests.support.commands import Done, run_command
from tests.support.repositories import _alone, git, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import Recorded

__all__ = ["_alone"]

FILLING = "".join(f"        x{number} = {number}\n" for number in range(1, 40))
SHOP = f"class Shop:\n    def charge(self, order):\n{FILLING}        return order.gross\n"
TAX = "def rate_of(order):\n    if order is None:\n        return 0\n    return order.rate\n"
QUOTE = "        return rate_of(order.net)"


def a_change(folder: Path) -> None:
    git("init", "--quiet", "-b", "main")
    (folder / "lib").mkdir()
    write(SHOP, "shop.py")
    write(TAX, "lib/tax.py")
    git("add", ".")
    git("commit", "--quiet", "-m", "x")
    write(SHOP.replace("        return order.gross", QUOTE), "shop.py")


async def refuted(folder: Path, *arguments: str) -> tuple[Done, str]:
    """Review with a verifier that quotes the definition; return the request to it, too."""
    found = finding(
        path="shop.py",
        quote=QUOTE.strip(),
        line=42,
        end_line=42,
        message="`rate_of` fails for None.",
        title="Crash without an order",
    )

    def answer(request: Recorded) -> Answer:
        (one,) = asked(request)
        place = {"path": "lib/tax.py", "line": 2, "quote": "    if order is None:"}
        return says(verdict(one, "refuted") | place)

    async with FakeAnthropic(verify=answer) as fake:
        fake.enqueue(Answer(findings=[found]))
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        done = await run_command(
            folder, "review", "--no-summary", "--verify", "--format", "ndjson", *arguments, **keys
        )
        (request,) = fake.verifications
        return done, request.text.partition("<findings_to_verify>")[2]


async def test_a_definition_elsewhere_in_the_repository_can_refute_a_finding(
    tmp_path: Path,
) -> None:
    a_change(tmp_path)
    done, block = await refuted(tmp_path)
    assert '=== file "shop.py", modified\n--- hunk\nR2 |    def charge(self, order):' in block
    assert '=== file "lib/tax.py", unchanged\n--- hunk\nR1 |def rate_of(order):' in block
    events = [json.loads(line) for line in done.out.splitlines()]
    (withdrawn,) = [one for one in events if one["type"] == "finding.withdrawn"]
    assert withdrawn["evidence"]["path"] == "lib/tax.py"
    assert done.code == 0


async def test_a_caller_elsewhere_in_the_repository_is_evidence_if_wanted(tmp_path: Path) -> None:
    a_change(tmp_path)
    write("from shop import Shop\n\n\ndef pay(order):\n    Shop().charge(order)\n", "pay.py")
    git("add", "pay.py")
    git("commit", "--quiet", "-m", "y", "--", "pay.py")
    _, block = await refuted(tmp_path)
    assert "pay.py" not in block
    write("callers: true\n", ".reviewbot.yml")
    _, block = await refuted(tmp_path)
    assert '=== file "pay.py", unchanged\n--- hunk\nR4 |def pay(order):' in block


async def test_an_excluded_file_is_no_evidence(tmp_path: Path) -> None:
    a_change(tmp_path)
    write("exclude: [lib/]\n", ".reviewbot.yml")
    _, block = await refuted(tmp_path)
    assert "--- hunk\nR2 |    def charge(self, order):" in block
    assert "rate_of(order):" not in block


async def with_cross_file(folder: Path, wanted: str) -> tuple[Done, list[str]]:
    """Review a changed signature; return the uses in each request, too."""
    write(f"cross_file: {wanted}\nverify: false\n", ".reviewbot.yml")
    broken = finding(
        path="lib/tax.py",
        quote="def rate_of(order, day):",
        line=1,
        end_line=1,
        title="A caller breaks",
    )
    async with FakeAnthropic() as fake:
        fake.enqueue(Answer(findings=[]), Answer(findings=[broken]))
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        done = await run_command(folder, "review", "--no-summary", **keys)
        return done, [one.text.partition("<uses>")[2] for one in fake.requests]


async def test_uses_of_a_changed_definition_are_checked_if_wanted(tmp_path: Path) -> None:
    a_change(tmp_path)
    write("from lib.tax import rate_of\n\nprint(rate_of(None))\n", "report.py")
    git("add", ".")
    git("commit", "--quiet", "-m", "y")
    write(TAX.replace("rate_of(order)", "rate_of(order, day)"), "lib/tax.py")
    done, uses = await with_cross_file(tmp_path, "false")
    assert "A caller breaks" not in done.out
    assert uses == [""]
    done, uses = await with_cross_file(tmp_path, "true")
    assert "A caller breaks" in done.out
    assert '=== file "report.py", unchanged' in uses[1]
    assert "R3 |print(rate_of(None))" in uses[1]
