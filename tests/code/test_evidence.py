"""Evidence for findings: what is quoted, what never is, and how much."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.code.evidence import Evidence
from reviewbot.code.given_files import GivenFiles
from reviewbot.code.quotable_code import CHARS_PER_TOKEN, QuotableCode
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.diff.whole import added_file
from reviewbot.core.findings.finding import Placement, RestsOn
from reviewbot.core.plan.policy import Policy
from reviewbot.core.prompt.numbered import chunk_lines
from reviewbot.models.offline.parser import ParserPool
from reviewbot.models.offline.parser_process import ParseError
from reviewbot.pipeline.patterns import policy_of
from tests.support.findings import finding
from tests.support.planted_secrets import BEGIN, BODY, END
from tests.support.settings import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from reviewbot.code.at_commit import FilesWith, FoundLine, Unread
    from reviewbot.core.findings.finding import Finding
    from reviewbot.models.offline.parser import Parser

SHOP = """\
import tax

RATE = 3


def charge(order):
    due = order.net
    due += tax.of(due)
    return due


def refund(order):
    return -charge(order)
"""
DIFF = """\
diff --git a/shop.py b/shop.py
index 1111111..2222222 100644
--- a/shop.py
+++ b/shop.py
@@ -7,2 +7,2 @@ def charge(order):
-    due = order.gross
+    due = order.net
     due += tax.of(due)
"""
TAX = "def rate_of(due):\n    return due * 0.2\n"


class Files:
    """Files by path, with a log of what was read."""

    def __init__(self, files: Mapping[str, str | bytes], *, searchable: bool = True) -> None:
        content = {
            path: text.encode() if isinstance(text, str) else text for path, text in files.items()
        }
        self._given = GivenFiles(content)
        self._searchable = searchable
        self.log: list[str] = []

    async def contents(self, paths: Sequence[str]) -> dict[str, bytes]:
        self.log += paths
        return await self._given.contents(paths)

    async def search(self, name: str) -> list[FoundLine] | None:
        assert name.isidentifier()
        return await self._given.search(name) if self._searchable else None

    async def read(
        self, paths: Sequence[str], *, base: bool = False
    ) -> Mapping[str, bytes | Unread]:
        return await self._given.read(paths, base=base)

    async def files_with(self, text: str, *, word: bool, under: str = "") -> FilesWith:
        return await self._given.files_with(text, word=word, under=under)


@pytest.fixture
async def parser() -> AsyncIterator[Parser]:
    pool = ParserPool()
    yield pool.for_tenant("a")
    pool.close()


def evidence(
    parser: Parser,
    source: Files | None,
    diff: str = DIFF,
    *,
    attributes: str = "",
    exclude: Sequence[str] = (),
    **options: Any,
) -> Evidence:
    policy = policy_of(load(exclude=[*exclude]), attributes)
    code = QuotableCode(parse_diff(diff.encode()), policy, source=source)
    return Evidence(code, parser, **options)


def one(**changes: Any) -> Any:
    return finding(**{"path": "shop.py", "line": 7, "end_line": 7} | changes)


async def quoted(looked: Evidence, *findings: Finding) -> list[str]:
    """The lines of the evidence, as the verifier sees them."""
    return [line for view in await looked.views(findings) for line in chunk_lines(view)]


async def places(looked: Evidence, *findings: Finding) -> list[tuple[str, int, int]]:
    """Path, first and last line of each piece of evidence."""
    return [
        (view.path, hunk.new_start, hunk.new_start + len(hunk.lines) - 1)
        for view in await looked.views(findings)
        for hunk in view.hunks
    ]


async def test_the_enclosing_function_is_quoted_as_numbered_lines(parser: Parser) -> None:
    assert await quoted(evidence(parser, Files({"shop.py": SHOP})), one()) == [
        '=== file "shop.py", modified',
        "--- hunk",
        "R6 |def charge(order):",
        "R7 |    due = order.net",
        "R8 |    due += tax.of(due)",
        "R9 |    return due",
    ]


async def test_looked_up_code_that_a_finding_rests_on_is_quoted(parser: Parser) -> None:
    looked = evidence(parser, Files({"shop.py": SHOP, "tax.py": "RATE = 1\nNAME = 'tax'\n"}))
    kept = RestsOn("tax.py", 1, 1, "RATE = 1", base=False, is_shown=False)
    old, shown = replace(kept, base=True, line=2, end_line=2), replace(kept, is_shown=True, line=2)
    found = await places(looked, one(rests_on=(kept, old, shown)))
    assert [place for place in found if place[0] == "tax.py"] == [("tax.py", 1, 1)]


async def test_nothing_is_known_without_files(parser: Parser) -> None:
    assert await evidence(parser, None).views([one()]) == ()
    assert await evidence(parser, Files({})).views([one(message="`charge`")]) == ()
    assert await evidence(parser, None, "").views([]) == ()


async def test_files_that_are_known_in_full_need_no_source(parser: Parser) -> None:
    (whole,) = parse_diff(DIFF.encode())
    content = SHOP.encode()
    whole = replace(whole, hunks=added_file("shop.py", content).hunks)
    code = QuotableCode(parse_diff(DIFF.encode()), Policy(), {"shop.py": whole})
    looked = Evidence(code, parser)
    assert await places(looked, one()) == [("shop.py", 6, 9)]


async def test_a_function_that_the_hunk_shows_is_not_repeated(parser: Parser) -> None:
    lines = SHOP.split("\n")[:-1]
    body = "".join(f"+{line}\n" for line in lines)
    diff = f"--- /dev/null\n+++ b/shop.py\n@@ -0,0 +1,{len(lines)} @@\n{body}"
    assert await evidence(parser, None, diff).views([one(message="`charge`")]) == ()
    far = one(line=12, end_line=12, id="g", path="b.py", message="`charge`")
    assert await places(evidence(parser, None, diff), far) == [("shop.py", 6, 9)]


async def test_findings_without_a_line_in_the_new_file_get_no_function(parser: Parser) -> None:
    looked = evidence(parser, Files({"shop.py": SHOP}))
    assert await looked.views([one(side="LEFT")]) == ()
    assert await looked.views([one(placement=Placement("file", "No such code."))]) == ()
    assert await looked.views([one(line=99, end_line=99)]) == ()


async def test_a_name_is_looked_up_in_the_file_of_the_finding_first(parser: Parser) -> None:
    files = Files({"shop.py": SHOP, "tax.py": "def refund(x):\n    pass\n"})
    found = await places(evidence(parser, files), one(message="See `refund()` and `RATE`."))
    assert found == [("shop.py", 6, 9), ("shop.py", 12, 13), ("shop.py", 3, 13)]
    assert "tax.py" not in files.log


async def test_a_name_is_looked_up_in_the_source_files_of_the_commit(parser: Parser) -> None:
    files = Files({"README.md": TAX, "shop.py": SHOP, "lib/tax.py": TAX})
    found = await quoted(evidence(parser, files), one(scenario="When `tax.rate_of` is called."))
    assert found[-4:] == [
        '=== file "lib/tax.py", unchanged',
        "--- hunk",
        "R1 |def rate_of(due):",
        "R2 |    return due * 0.2",
    ]
    assert "README.md" not in files.log


async def test_a_name_is_looked_up_in_imported_files_if_the_commit_cannot_be_searched(
    parser: Parser,
) -> None:
    use = "from .tax import rate_of\nfrom .other import x\n\n\ndef use(a):\n    rate_of(a)\n"
    whole = {
        "shop/use.py": added_file("shop/use.py", use.encode()),
        "shop/b.py": added_file("shop/b.py", b"from .c import d\n"),
    }
    files = Files({"shop/tax.py": TAX, "shop/c.py": TAX}, searchable=False)
    code = QuotableCode((), Policy(), whole, source=files)
    finding = one(path="shop/use.py", line=6, end_line=6, message="`rate_of`")
    found = await places(Evidence(code, parser, callers=True), finding)
    assert found == [("shop/use.py", 5, 6), ("shop/tax.py", 1, 2)]
    assert files.log == ["shop/tax.py", "shop/other.py"]


async def test_a_definition_without_a_function_is_quoted_with_the_next_lines(
    parser: Parser,
) -> None:
    text = "LIMIT = 3\n" + "".join(f"x{number} = 1\n" for number in range(40))
    files = Files({"limits.py": text})
    assert await places(evidence(parser, files), one(message="`LIMIT`")) == [("limits.py", 1, 12)]


async def test_a_name_with_many_definitions_is_left_out(parser: Parser) -> None:
    files = Files({f"{n}.py": "def run(x):\n    pass\n" for n in "abcd"})
    assert await evidence(parser, files).views([one(message="`run`")]) == ()


async def test_findings_of_one_function_share_its_lines(parser: Parser) -> None:
    looked = evidence(parser, Files({"shop.py": SHOP}))
    other = one(id="g", line=9, end_line=9, message="`charge`")
    assert await places(looked, one(), other) == [("shop.py", 6, 9)]


LONG = "def charge(order):\n" + "".join(f"    x{n} = order.item({n})\n" for n in range(400))


async def test_the_budget_holds_and_the_lines_around_the_finding_are_kept(parser: Parser) -> None:
    files = Files({"shop.py": LONG, "tax.py": LONG.replace("charge", "rate_of")})
    looked = evidence(parser, files, budget_tokens=200)
    finding = one(line=200, end_line=201, message="`rate_of`")
    lines = await quoted(looked, finding)
    assert 150 * CHARS_PER_TOKEN < len("\n".join(lines)) <= 200 * CHARS_PER_TOKEN
    assert lines[1] == '--- hunk in "def charge(order):"'
    around, definition = await places(looked, finding)
    assert {200, 201} < {*range(around[1], around[2] + 1)}
    assert definition[:2] == ("tax.py", 1)


async def test_all_findings_of_a_function_are_kept_first(parser: Parser) -> None:
    looked = evidence(parser, Files({"shop.py": LONG}), budget_tokens=400)
    other = one(line=210, end_line=210, id="g")
    ((_, first, last),) = await places(looked, one(line=200, end_line=200), other)
    assert {200, 210} < {*range(first, last + 1)}


async def test_nothing_comes_from_an_empty_budget(parser: Parser) -> None:
    looked = evidence(parser, Files({"shop.py": LONG}), budget_tokens=5)
    assert await looked.views([one()]) == ()


async def test_the_default_budget_is_two_thousand_tokens(parser: Parser) -> None:
    files = Files({"shop.py": LONG.replace("item", "item" * 20)})
    text = "\n".join(await quoted(evidence(parser, files), one(line=200, end_line=200)))
    assert 1_900 * CHARS_PER_TOKEN < len(text) <= 2_000 * CHARS_PER_TOKEN


@pytest.mark.parametrize(
    ("options", "path", "text"),
    [
        ({"exclude": ["lib/"]}, "lib/tax.py", TAX),
        ({"attributes": "tax.py linguist-generated\n"}, "tax.py", TAX),
        ({}, "vendor/tax.py", TAX),
        ({}, "tax_pb2.py", TAX),
        ({}, "tax.py", "# Code generated by x. DO NOT EDIT.\n" + TAX),
        ({}, "tax.py", TAX + "\0"),
        ({}, "tax.py", TAX + "#" * 500_000),
    ],
)
async def test_excluded_generated_binary_and_large_files_are_never_quoted(
    parser: Parser, options: dict[str, Any], path: str, text: str
) -> None:
    looked = evidence(parser, Files({path: text}), **options)
    assert await looked.views([one(message="`rate_of`")]) == ()


async def test_an_excluded_file_of_the_diff_is_never_quoted(parser: Parser) -> None:
    looked = evidence(parser, Files({"shop.py": SHOP}), exclude=["shop.py"])
    assert await looked.views([one(message="`refund`")]) == ()


@pytest.mark.parametrize("mode", ["120000", "160000"])
async def test_links_and_submodules_of_the_diff_are_never_read(parser: Parser, mode: str) -> None:
    files = Files({"shop.py": SHOP})
    looked = evidence(parser, files, DIFF.replace("100644", mode))
    assert await looked.views([one(message="`refund`")]) == ()
    assert files.log == []


async def test_the_middle_of_a_key_is_redacted_in_evidence(parser: Parser) -> None:
    body = "".join(f"{line}\n" for line in BODY[:4] * 5)
    text = f'KEY = """{BEGIN}\n{body}rate_of = 1\n{body}{END}"""\n'
    looked = evidence(parser, Files({"tax.py": text}))
    shown = "\n".join(await quoted(looked, one(message="`rate_of`")))
    assert "rate_of = 1" in shown
    assert [line for line in BODY if line in shown] == []


async def test_secrets_are_redacted_and_hidden_characters_escaped(parser: Parser) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2
    text = SHOP.replace("return due", f"return '{token[:40]}' + '\u202e' + '\x1b'")
    shown = "\n".join(await quoted(evidence(parser, Files({"shop.py": text})), one()))
    assert "ghp_" not in shown
    assert "[REDACTED:" in shown
    assert "\\u202e" in shown
    assert "\\x1b" in shown


async def test_a_file_with_a_secret_in_its_path_is_never_quoted(parser: Parser) -> None:
    path = "ghp_" + ("a1B2c3D4e5F6g7H8i9J0" * 2)[:36] + ".py"
    looked = evidence(parser, Files({path: TAX}))
    assert await looked.views([one(message="`rate_of`")]) == ()


async def test_text_that_is_not_utf8_is_escaped(parser: Parser) -> None:
    text = SHOP.replace("return due", "return 'é'").encode("latin-1")
    shown = await quoted(evidence(parser, Files({"shop.py": text})), one())
    assert "return '\\xe9'" in shown[-1]


async def test_a_file_that_is_not_parsed_gives_no_function(
    parser: Parser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crashed(*_arguments: object) -> dict[str, Any]:
        raise ParseError("the parser crashed")

    monkeypatch.setattr(ParserPool, "ask", crashed)
    assert await evidence(parser, Files({"shop.py": SHOP})).views([one()]) == ()


async def test_a_file_is_read_once_for_all_batches(parser: Parser) -> None:
    files = Files({"shop.py": SHOP})
    looked = evidence(parser, files)
    await looked.views([one(message="`refund`")])
    await looked.views([one(message="`RATE`")])
    assert files.log == ["shop.py"]


PAY = """\
from shop import charge


def pay(order):
    log(order)
    return charge(order)


total = 0
total += 1
total += 2
total += charge(1)
"""
ALONE = SHOP.partition("\n\ndef refund")[0]


async def test_callers_are_no_evidence_by_default(parser: Parser) -> None:
    files = Files({"shop.py": ALONE, "pay.py": PAY})
    assert await places(evidence(parser, files), one()) == [("shop.py", 6, 9)]


async def test_callers_are_quoted_as_functions_or_as_the_lines_around_the_call(
    parser: Parser,
) -> None:
    files = Files({"shop.py": ALONE, "pay.py": PAY, "NOTES.md": PAY})
    found = await places(evidence(parser, files, callers=True), one())
    assert found == [("shop.py", 6, 9), ("pay.py", 4, 6), ("pay.py", 9, 12)]
    assert "NOTES.md" not in files.log


async def test_callers_in_files_of_the_diff_need_no_source(parser: Parser) -> None:
    whole = added_file("shop.py", SHOP.encode())
    code = QuotableCode(parse_diff(DIFF.encode()), Policy(), {"shop.py": whole})
    looked = Evidence(code, parser, callers=True)
    assert await places(looked, one()) == [("shop.py", 6, 9), ("shop.py", 12, 13)]


async def test_a_function_is_no_caller_of_itself(parser: Parser) -> None:
    text = SHOP.replace("return due", "return charge(due)")
    looked = evidence(parser, Files({"shop.py": text}), callers=True)
    assert await places(looked, one()) == [("shop.py", 6, 9), ("shop.py", 12, 13)]


async def test_a_caller_that_is_evidence_already_is_not_repeated(parser: Parser) -> None:
    looked = evidence(parser, Files({"shop.py": SHOP}), callers=True)
    found = await places(looked, one(message="`refund`"))
    assert found == [("shop.py", 6, 9), ("shop.py", 12, 13)]


async def test_a_caller_that_the_hunk_shows_is_not_repeated(parser: Parser) -> None:
    lines = SHOP.split("\n")[:-1]
    body = "".join(f"+{line}\n" for line in lines)
    diff = f"--- /dev/null\n+++ b/shop.py\n@@ -0,0 +1,{len(lines)} @@\n{body}"
    assert await evidence(parser, None, diff, callers=True).views([one()]) == ()


async def test_three_callers_are_quoted_and_tests_come_last(parser: Parser) -> None:
    text = "def pay(order):\n    charge(order)\n"
    names = ["tests/test_a.py", "b.py", "c.py", "d.py", "e.py"]
    files = Files({"shop.py": ALONE} | dict.fromkeys(names, text))
    found = await places(evidence(parser, files, callers=True), one())
    assert [path for path, _, _ in found] == ["shop.py", "b.py", "c.py", "d.py"]
    few = Files({"shop.py": ALONE} | dict.fromkeys(names[:2], text))
    found = await places(evidence(parser, few, callers=True), one())
    assert [path for path, _, _ in found] == ["shop.py", "b.py", "tests/test_a.py"]


async def test_a_function_whose_name_has_many_definitions_has_no_callers(parser: Parser) -> None:
    text = "def charge(x):\n    pass\n\n\ndef pay():\n    charge(1)\n"
    names = ["a.py", "b.py", "c.py", "d.py"]
    files = Files({"shop.py": ALONE} | dict.fromkeys(names, text))
    assert await places(evidence(parser, files, callers=True), one()) == [("shop.py", 6, 9)]


async def test_callers_get_only_the_room_that_other_evidence_leaves(parser: Parser) -> None:
    files = Files({"shop.py": LONG, "pay.py": PAY})
    looked = evidence(parser, files, budget_tokens=200, callers=True)
    found = await places(looked, one(line=200, end_line=200))
    assert [path for path, _, _ in found] == ["shop.py"]
    assert found == await places(
        evidence(parser, files, budget_tokens=200), one(line=200, end_line=200)
    )


async def test_callers_in_excluded_files_are_never_quoted(parser: Parser) -> None:
    files = Files({"shop.py": ALONE, "pay.py": PAY})
    looked = evidence(parser, files, exclude=["pay.py"], callers=True)
    assert await places(looked, one()) == [("shop.py", 6, 9)]


async def test_secrets_of_callers_are_redacted(parser: Parser) -> None:
    token = "ghp_" + ("a1B2c3D4e5F6g7H8i9J0" * 2)[:36]
    pay = PAY.replace("log(order)", f"log('{token}')")
    files = Files({"shop.py": ALONE, "pay.py": pay})
    shown = "\n".join(await quoted(evidence(parser, files, callers=True), one()))
    assert "return charge(order)" in shown
    assert "[REDACTED:" in shown
    assert "ghp_" not in shown
