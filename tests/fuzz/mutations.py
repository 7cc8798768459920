"""Mutations of diffs and of code: bytes, lines and tokens are changed, moved and repeated."""

from __future__ import annotations

import difflib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import yaml

from reviewbot.core.plan.languages import _BY_EXTENSION
from tests.fuzz.cases import encoded

if TYPE_CHECKING:
    import random

    from tests.fuzz.cases import Case

T = TypeVar("T")

FIXTURES: Final = Path(__file__).parents[2] / "fixtures"
RULES: Final = Path(__file__).parents[2] / "reviewbot" / "rules"
LARGEST: Final = 60_000
TOKEN: Final = re.compile(r"\w+|\s+|[^\w\s]")
HUNK: Final = re.compile(rb"@@ -(\d{1,9})(?:,\d+)? \+(\d{1,9})(?:,\d+)? @@")
SIDES: Final = {b" ": (1, 1), b"-": (1, 0), b"+": (0, 1), b"\\": (0, 0)}
"""Lines of the old and the new side that a line of a hunk is, by its first character."""
INSERTED: Final = (
    *("(", ")", "[", "]", "{", "}", "<", ">", "</", "/>", "'", '"', "`", "${", "/*", "*/", "//"),
    *("#", '"""', "\\", "\x00", "\udc80", "\ud800", "\u202e", "\u2066", "\u200b", "\u0301", "\r"),
    *("\r\n", "\x0c", "\u2028", "\x85", "\x1b[31m", "eval(x)", "eval(", "lambda:", "=>", "async "),
    *("await ", "try:", "else", "except ", "::", "a.b.", "?.", "...", "\ufeff", "\U000e0041"),
    *("<<<<<<< x", "@@ -1 +1 @@", "diff --git a/x b/x", "--- a/x", "+++ b/x", "\\ No newline"),
)
SNIPPETS: Final = {
    "bash": 'if [ -z "$1" ]; then\n  eval "$1"\nfi',
    "c": "int main(void) {\n  return f(a[0]);\n}",
    "cpp": "template <class T> auto f(T t) -> decltype(t.g()) {\n  return t.g();\n}",
    "csharp": "class A {\n  public int F(int x) => x + 1;\n}",
    "css": "@media (min-width: 1px) {\n  a:not(.b) > c { color: red; }\n}",
    "elixir": "defmodule A do\n  def f(x), do: x |> g()\nend",
    "go": "func f(a []int) (int, error) {\n\treturn a[0], nil\n}",
    "haskell": "f :: Int -> Int\nf x = case x of\n  0 -> 1\n  _ -> x * f (x - 1)",
    "html": '<div class="a"><script>eval(x)</script></div>',
    "java": "class A {\n  int f(int x) { return eval(x); }\n}",
    "javascript": "async function f(x) {\n  return eval(`${await g(x)}`);\n}",
    "json": '{\n  "a": [1, 2, {"b": null}]\n}',
    "kotlin": "fun f(x: Int): Int {\n  return x?.let { it + 1 } ?: 0\n}",
    "lua": "local function f(x)\n  return x and x + 1 or 0\nend",
    "nix": "{ pkgs ? import <nixpkgs> {} }:\npkgs.mkShell { a = [ 1 2 ]; }",
    "php": "<?php\nfunction f($x) {\n  return eval($x);\n}",
    "python": "async def f(x, y=[]):\n    try:\n        return eval(f'{x!r:>{y}}')\n"
    "    except E:\n        pass",
    "ruby": "def f(x)\n  x.map { |y| eval(y) }\nend",
    "rust": "fn f<T: A>(x: &[T]) -> Option<T> {\n    x.iter().next().cloned()\n}",
    "scala": "object A {\n  def f(x: Int): Int = x match { case 0 => 1 }\n}",
    "solidity": "contract A {\n  function f(uint x) public returns (uint) { return x; }\n}",
    "sql": "SELECT a FROM b WHERE c = '1' AND (d IN (1, 2))",
    "swift": "func f(_ x: Int?) -> Int {\n  guard let x = x else { return 0 }\n  return x\n}",
    "tsx": "const A = ({a}: P) => <div b={() => eval(a)}>{a.map(x => <C {...x} />)}</div>;",
    "typescript": "export async function f<T extends A>(x: T): Promise<T> {\n"
    "  return eval(x as any);\n}",
    "yaml": "a: &b\n  - c: {d: e}\n  - *b",
}  # fmt: skip


@cache
def diffs() -> list[bytes]:
    """Return the diffs of the fixtures."""
    paths = sorted(FIXTURES.glob("**/*.diff"))
    return [data for path in paths if len(data := path.read_bytes()) <= LARGEST]


@cache
def codes() -> list[tuple[str, str]]:
    """Return extensions and code: a snippet of each language, and the rules' own examples."""
    found = [
        (one, SNIPPETS[language])
        for one, language in _BY_EXTENSION.items()
        if language in SNIPPETS  # no program reads the others
    ]
    for folder, extensions in {
        "c": ["c", "cpp"],
        "cpp": ["cpp"],
        "go": ["go"],
        "java": ["java"],
        "javascript": ["js", "ts"],
        "jsx": ["tsx"],
        "php": ["php"],
        "python": ["py"],
        "ruby": ["rb"],
        "sql": ["sql"],
        "workflow": ["yml"],
        "yaml": ["yml"],
    }.items():
        for path in sorted((RULES / folder).glob("*-test.yml")):
            texts = yaml.safe_load(path.read_text("utf-8"))
            for text in (*texts["valid"], *texts["invalid"]):
                found += [(extension, text) for extension in extensions]
    return found


def mutated_diff(draw: random.Random, name: str) -> Case:
    """Return a case with a diff of the fixtures whose bytes or lines were changed."""
    data = draw.choice(diffs())
    if draw.random() < 0.3:
        data += draw.choice(diffs())
    lines = data.split(b"\n")
    if draw.random() < 0.75:
        lines = _recounted(_mutated_hunk(draw, lines))
    else:
        for _ in range(draw.randint(0, 3)):
            _mutate(draw, lines, draw.choice(draw.choice(diffs()).split(b"\n")))
        lines = [_mutated_line(draw, line, 0) if draw.random() < 0.02 else line for line in lines]
    data = b"\n".join(lines)
    if draw.random() < 0.05:
        data = data[: draw.randrange(len(data) + 1)]
    return {"name": name, "diff": data.decode("latin-1")}


def _mutated_hunk(draw: random.Random, lines: list[bytes]) -> list[bytes]:
    """Change the lines of one hunk, but for their first characters."""
    starts = [number for number, line in enumerate(lines, start=1) if HUNK.match(line)]
    if not starts:
        return lines
    first = draw.choice(starts)
    last = first
    while last < len(lines) and lines[last][:1] in SIDES:
        last += 1
    hunk = lines[first:last]
    for _ in range(draw.randint(1, 4)):
        _, code = draw.choice(codes())
        text = encoded(draw.choice((code.replace("\n", " "), draw.choice(INSERTED))))
        _mutate(draw, hunk, draw.choice((b"+", b" ", b"-")) + text.replace(b"\n", b""))
        hunk = [_mutated_line(draw, line, 1) if draw.random() < 0.1 else line for line in hunk]
    return lines[:first] + hunk + lines[last:]


def _mutated_line(draw: random.Random, line: bytes, kept: int) -> bytes:
    """Change a line after its first ``kept`` bytes."""
    column = draw.randint(min(kept, len(line)), len(line))
    piece = draw.choice((bytes([draw.randrange(256)]), encoded(draw.choice(INSERTED))))
    piece *= draw.choice((1, 1, 1, 1000))
    return line[:column] + piece.replace(b"\n", b"") + line[column + draw.choice((0, 1)) :]


def _recounted(lines: list[bytes]) -> list[bytes]:
    """Return the lines of a diff with the headers of its hunks made to fit their lines."""
    recounted: list[bytes] = []
    counts = [0, 0]
    for line in reversed(lines):
        header = HUNK.match(line)
        if header and any(counts):
            old, new = (b"%d,%d" % (max(1, int(header[side])), counts[side - 1]) for side in (1, 2))
            recounted.append(b"@@ -%b +%b @@" % (old, new) + line[header.end() :])
        else:
            recounted.append(line)
        if header or line[:1] not in SIDES:
            counts = [0, 0]
        else:
            counts = [before + one for before, one in zip(counts, SIDES[line[:1]], strict=True)]
    return recounted[::-1]


def mutated_code(draw: random.Random, name: str) -> Case:
    """Return a case with a well-formed diff of code whose lines and tokens were changed."""
    extension, before = draw.choice(codes())
    after = before
    for _ in range(draw.randint(1, 6)):
        _, other = draw.choice(codes())
        tokens = TOKEN.findall(after)
        _mutate(draw, tokens, draw.choice((draw.choice(INSERTED), other)))
        after = "".join(tokens)[: LARGEST * 8]
    if draw.random() < 0.15:
        at = draw.randrange(len(after) + 1)
        after = after[:at] + draw.choice(INSERTED) * draw.randint(100, 40_000) + after[at:]
    path = f"src/mutated.{extension}"
    old, new = (encoded(text).split(b"\n") for text in (before, after))
    return {"name": name, "diff": _diff(path, old, new).decode("latin-1")}


def _diff(path: str, old: list[bytes], new: list[bytes]) -> bytes:
    """Return a diff with one hunk for two short texts."""
    before, after = ([line.decode("latin-1") for line in lines] for lines in (old, new))
    body: list[str] = []
    for change, *(first, last, start, end) in difflib.SequenceMatcher(
        None, before, after, autojunk=True
    ).get_opcodes():
        if change == "equal":
            body += [f" {line}" for line in before[first:last]]
        else:
            body += [f"-{line}" for line in before[first:last]]
            body += [f"+{line}" for line in after[start:end]]
    head = f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n"
    head += f"@@ -100,{len(old)} +100,{len(new)} @@ eval(x)\n"
    return (head + "\n".join(body) + "\n").encode("latin-1")


def _mutate(draw: random.Random, pieces: list[T], other: T) -> None:
    """Change a list of pieces in one of several ways."""
    first, last = sorted(draw.randrange(len(pieces) + 1) for _ in range(2))
    last = min(last, first + draw.choice((1, 2, 10, 1000)))
    match draw.randrange(7):
        case 0:
            pieces[first:last] = pieces[first:last] * 2
        case 1:
            del pieces[first:last]
        case 2:
            pieces[first:first] = [other]
        case 3:
            pieces[first:last] = [other]
        case 4:
            pieces[first:last] = pieces[first:last][::-1]
        case 5:
            pieces.append(other)
        case _:
            pieces[first:first] = pieces[first : first + 1] * draw.choice((2, 50, 3000))
