"""``reviewbot review`` in a repository: the verifier looks code up and may quote it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.fake_anthropic import Answer, FakeAnthropic
from tests.fake_anthropic.replies import finding
from tests.fake_anthropic.verdicts import after_lookups, asked, says, verdict
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
    """Review with a verifier that quotes the definition; return the results it got, too."""
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
        return says(verdict(one, "wrong") | place)

    read = ("read_code", {"path": "lib/tax.py", "first": 1, "last": 9})
    async with FakeAnthropic(verify=after_lookups(read, then=answer)) as fake:
        fake.enqueue(Answer(findings=[found]))
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        done = await run_command(
            folder, "review", "--no-summary", "--verify", "--format", "ndjson", *arguments, **keys
        )
        (_, request) = fake.verifications
        return done, "\n".join(result["content"] for result in request.results)


async def test_a_definition_elsewhere_in_the_repository_can_refute_a_finding(
    tmp_path: Path,
) -> None:
    a_change(tmp_path)
    done, results = await refuted(tmp_path)
    assert '=== file "lib/tax.py", unchanged, lines 1 to 4 of 4\nR1 |def rate_of(order):' in results
    events = [json.loads(line) for line in done.out.splitlines()]
    (withdrawn,) = [one for one in events if one["type"] == "finding.withdrawn"]
    assert withdrawn["evidence"]["path"] == "lib/tax.py"
    assert done.code == 0


async def test_an_excluded_file_is_neither_shown_nor_quoted(tmp_path: Path) -> None:
    a_change(tmp_path)
    write("exclude: [lib/]\n", ".reviewbot.yml")
    done, results = await refuted(tmp_path)
    assert "excludes this path" in results
    assert "rate_of(order):" not in results
    assert "finding.withdrawn" not in done.out


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
