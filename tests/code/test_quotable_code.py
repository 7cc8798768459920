"""Code that may be quoted to a model: definitions of names, what is never quoted, and how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.code.dossier import Dossier
from reviewbot.code.given_files import GivenFiles
from reviewbot.code.quotable_code import QuotableCode
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.diff.whole import added_file
from reviewbot.core.plan.policy import Policy
from reviewbot.core.prompt.numbered import chunk_lines
from reviewbot.models.offline.parser import ParserPool
from reviewbot.models.offline.parser_process import ParseError
from reviewbot.pipeline.patterns import policy_of
from tests.support.planted_secrets import BEGIN, BODY, END
from tests.support.settings import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from reviewbot.code.at_commit import FilesWith, FoundLine, Unread
    from reviewbot.core.plan.chunk_view import ChunkView
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


class Quotes:
    """Definitions of names in the files of a review, as a model would see them."""

    def __init__(self, code: QuotableCode, parser: Parser) -> None:
        self._code, self._dossier = code, Dossier(code, parser)

    async def views(
        self, name: str, path: str = "shop.py", room: int = 6_000
    ) -> Sequence[ChunkView]:
        return await self._code.shown(room, await self._dossier.definitions(name, [path]))

    async def lines(self, name: str, path: str = "shop.py", room: int = 6_000) -> list[str]:
        views = await self.views(name, path, room)
        return [line for view in views for line in chunk_lines(view)]

    async def places(self, name: str, path: str = "shop.py") -> list[tuple[str, int, int]]:
        """Path, first and last line of each definition."""
        return [
            (view.path, hunk.new_start, hunk.new_start + len(hunk.lines) - 1)
            for view in await self.views(name, path)
            for hunk in view.hunks
        ]


def quotes(
    parser: Parser,
    source: Files | None,
    diff: str = DIFF,
    *,
    attributes: str = "",
    exclude: Sequence[str] = (),
) -> Quotes:
    policy = policy_of(load(exclude=[*exclude]), attributes)
    return Quotes(QuotableCode(parse_diff(diff.encode()), policy, source=source), parser)


async def test_a_definition_is_quoted_as_numbered_lines(parser: Parser) -> None:
    assert await quotes(parser, Files({"shop.py": SHOP})).lines("refund") == [
        '=== file "shop.py", modified',
        "--- hunk",
        "R12 |def refund(order):",
        "R13 |    return -charge(order)",
    ]


async def test_nothing_is_known_without_files(parser: Parser) -> None:
    assert await quotes(parser, None).views("refund") == ()


async def test_files_that_are_known_in_full_need_no_source(parser: Parser) -> None:
    whole = {"shop.py": added_file("shop.py", SHOP.encode())}
    code = QuotableCode(parse_diff(DIFF.encode()), Policy(), whole)
    assert await Quotes(code, parser).places("refund") == [("shop.py", 12, 13)]


async def test_a_name_is_looked_up_in_its_own_file_first(parser: Parser) -> None:
    files = Files({"shop.py": SHOP, "tax.py": "def refund(x):\n    pass\n"})
    assert await quotes(parser, files).places("refund") == [("shop.py", 12, 13)]
    assert "tax.py" not in files.log


async def test_a_name_is_looked_up_in_the_source_files_of_the_commit(parser: Parser) -> None:
    files = Files({"README.md": TAX, "shop.py": SHOP, "lib/tax.py": TAX})
    assert await quotes(parser, files).lines("rate_of") == [
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
    looked = Quotes(QuotableCode((), Policy(), whole, source=files), parser)
    assert await looked.places("rate_of", "shop/use.py") == [("shop/tax.py", 1, 2)]
    assert files.log == ["shop/tax.py", "shop/other.py"]


async def test_a_definition_without_a_function_is_quoted_with_the_next_lines(
    parser: Parser,
) -> None:
    text = "LIMIT = 3\n" + "".join(f"x{number} = 1\n" for number in range(40))
    looked = quotes(parser, Files({"limits.py": text}))
    assert await looked.places("LIMIT") == [("limits.py", 1, 12)]


async def test_a_name_with_many_definitions_is_left_out(parser: Parser) -> None:
    files = Files({f"{n}.py": "def run(x):\n    pass\n" for n in "abcd"})
    assert await quotes(parser, files).views("run") == ()


async def test_a_name_that_one_file_defines_often_is_left_out(parser: Parser) -> None:
    files = Files({"a.py": "".join(f"class C{n}:\n    def run(x): ...\n" for n in range(4))})
    assert await quotes(parser, files).views("run") == ()


async def test_the_room_holds_and_the_begin_of_a_definition_is_kept(parser: Parser) -> None:
    body = "".join(f"    item_{number} = {number}\n" for number in range(300))
    looked = quotes(parser, Files({"long.py": f"def fill():\n{body}"}))
    lines = await looked.lines("fill", room=1_000)
    assert "R1 |def fill():" in lines
    assert len("\n".join(lines)) <= 1_000
    assert await looked.views("fill", room=0) == ()


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
    looked = quotes(parser, Files({path: text}), **options)
    assert await looked.views("rate_of") == ()


async def test_an_excluded_file_of_the_diff_is_never_quoted(parser: Parser) -> None:
    looked = quotes(parser, Files({"shop.py": SHOP}), exclude=["shop.py"])
    assert await looked.views("refund") == ()


@pytest.mark.parametrize("mode", ["120000", "160000"])
async def test_links_and_submodules_of_the_diff_are_never_read(parser: Parser, mode: str) -> None:
    files = Files({"shop.py": SHOP})
    looked = quotes(parser, files, DIFF.replace("100644", mode))
    assert await looked.views("refund") == ()
    assert files.log == []


async def test_the_middle_of_a_key_is_redacted(parser: Parser) -> None:
    body = "".join(f"{line}\n" for line in BODY[:4] * 5)
    text = f'KEY = """{BEGIN}\n{body}rate_of = 1\n{body}{END}"""\n'
    looked = quotes(parser, Files({"tax.py": text}))
    shown = "\n".join(await looked.lines("rate_of"))
    assert "rate_of = 1" in shown
    assert [line for line in BODY if line in shown] == []


async def test_secrets_are_redacted_and_hidden_characters_escaped(parser: Parser) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2
    text = SHOP.replace("return due", f"return '{token[:40]}' + '\u202e' + '\x1b'")
    shown = "\n".join(await quotes(parser, Files({"shop.py": text})).lines("charge"))
    assert "ghp_" not in shown
    assert "[REDACTED:" in shown
    assert "\\u202e" in shown
    assert "\\x1b" in shown


async def test_a_file_with_a_secret_in_its_path_is_never_quoted(parser: Parser) -> None:
    path = "ghp_" + ("a1B2c3D4e5F6g7H8i9J0" * 2)[:36] + ".py"
    looked = quotes(parser, Files({path: TAX}))
    assert await looked.views("rate_of") == ()


async def test_text_that_is_not_utf8_is_escaped(parser: Parser) -> None:
    text = SHOP.replace("return due", "return 'é'").encode("latin-1")
    shown = await quotes(parser, Files({"shop.py": text})).lines("charge")
    assert "return '\\xe9'" in shown[-1]


async def test_a_definition_in_a_file_that_is_not_parsed_is_quoted_by_its_lines(
    parser: Parser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crashed(*_arguments: object) -> dict[str, Any]:
        raise ParseError("the parser crashed")

    monkeypatch.setattr(ParserPool, "ask", crashed)
    looked = quotes(parser, Files({"shop.py": SHOP}))
    assert await looked.places("refund") == [("shop.py", 12, 13)]


async def test_a_file_is_read_once(parser: Parser) -> None:
    files = Files({"shop.py": SHOP})
    looked = quotes(parser, files)
    await looked.views("refund")
    await looked.views("RATE")
    assert files.log == ["shop.py"]
