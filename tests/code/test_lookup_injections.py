"""Looked-up code stays data: no text of a file looks like a part of a result, or ends one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from reviewbot.code.given_files import GivenFiles
from reviewbot.core.safety.escape import is_plain
from tests.support.injections import INJECTIONS
from tests.support.lookups import RESULT_LINE, Desk, of_diff

_WORDS: Final = {
    "«esc»": "\x1b",
    "«cr»": "\r",
    "«bidi»": "\u202e",
    "«ls»": "\u2028",
}
_FILE: Final = Path(__file__).parents[2] / "fixtures/injection/lookups.toml"


def written(text: str) -> str:
    for word, character in _WORDS.items():
        text = text.replace(word, character)
    return text


CASES: Final = {
    case["name"]: written(case["text"])
    for case in tomllib.loads(_FILE.read_text(encoding="utf-8"))["case"]
}
MARK: Final = "def needle(): pass"


def test_the_corpus_has_more_than_twenty_cases() -> None:
    assert len(CASES) >= 20


@pytest.mark.parametrize("name", [*CASES, *INJECTIONS])
async def test_every_line_of_a_result_is_ours_or_carries_our_prefix(name: str) -> None:
    payload = (CASES.get(name) or INJECTIONS[name]).replace("\0", " ")  # with NUL it is binary
    text = f"{MARK}\n{payload}\n{MARK}\n"
    # With a match in each line, a search shows all of them.
    marked = "\n".join(f"{line} needle" for line in payload.split("\n"))
    content = {
        "a.py": text.encode("utf-8", "surrogateescape"),
        "b.py": marked.encode("utf-8", "surrogateescape"),
    }
    desk = Desk(of_diff("", GivenFiles(content)))
    results = [
        await desk.read("a.py", 1, 100_000),
        await desk.search("needle"),
        await desk.search("needle", path="b.py"),
    ]
    number = text.count("\n")
    for result in results:
        assert not result.failed
        lines = result.text.split("\n")
        assert [line for line in lines if not RESULT_LINE.fullmatch(line)] == []
        assert all(is_plain(line.replace("\t", " ")) for line in lines)
    heading, first, *_ = results[0].text.split("\n")
    assert heading.startswith('=== file "a.py", unchanged, lines 1 to ')
    assert first == f"R1 |{MARK}"
    if number <= 200:
        numbers = re.findall(r"^R(\d+) \|", results[0].text, re.MULTILINE)
        assert numbers == [str(one) for one in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("name", CASES)
async def test_a_path_that_is_planted_text_stays_a_string_on_one_line(name: str) -> None:
    path = "/".join(part for part in CASES[name].split("/") if part.strip(". ")) + ".py"
    desk = Desk(of_diff("", GivenFiles({path: b"needle = 1\n"})))
    result = await desk.search("needle")
    lines = result.text.split("\n")
    assert len(lines) == 4
    assert [line for line in lines if not RESULT_LINE.fullmatch(line)] == []
    assert all(is_plain(line) for line in lines)
    answer = await desk.read(path)
    assert answer.activity.isprintable()
    assert "\n" not in answer.activity


@pytest.mark.parametrize("name", CASES)
async def test_a_search_for_planted_text_echoes_it_as_a_string_on_one_line(name: str) -> None:
    desk = Desk(of_diff("", GivenFiles({"a.py": CASES[name].encode()})))
    for line in filter(str.strip, CASES[name].split("\n")):
        result = await desk.search(line[:200])
        if not result.failed:
            assert [
                line for line in result.text.split("\n") if not RESULT_LINE.fullmatch(line)
            ] == []
        assert result.activity.isprintable()
