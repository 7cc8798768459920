"""Which function encloses a line, and which lines contain running code, for each language.

In a case, each line begins with a mark: ``+`` is running code, ``.`` is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.models.offline.messages import HEADER_CHARS
from reviewbot.models.offline.parser import ParserPool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from reviewbot.models.offline.messages import Enclosing
    from reviewbot.models.offline.parser import Parser

CODE = {
    "a.py": """\
+@decorated
+def f(a,  # a comment
+      b):
.    # a comment
.    \"""Documentation.
.
.    input is clean
.    \"""
+    text = '''begins here
.    clean(x)
.    ''' % (
.        "only text",
+        f"{clean(a)}",
.    )
+    return text
""",
    "a.js": """\
.#!/usr/bin/env node
.// a comment
./* clean(x)
.   clean(y) */
+const a = `begins here
.  clean(x)
+  ${clean(y)}
.`;
.'use strict';
+f(/re/, 'text');
""",
    "a.tsx": """\
+const A = () => (
+  <p title="text">
.    the input is clean
+    {clean(x)}
.    {/* clean(x) */}
+  </p>
.);
""",
    "a.ts": """\
+let a: string;
./** clean(x) */
+let b: number = 1;
""",
    "a.go": """\
+package a
.
.// a comment
+var a = `begins here
.  clean(x)
.`
+var b = clean(a)
""",
    "A.java": """\
./** clean(x); */
+class A {
.    // a comment
+    String a = \"""
.        clean(x);
.        \""";
+    int b = clean(a);
.}
""",
    "a.rb": """\
.# a comment
+a = <<~TEXT + b
.  clean(x)
+  #{clean(y)}
.TEXT
+c = %w[
.  clean x
.]
.=begin
.clean(x)
.=end
.__END__
.clean(x)
""",
    "a.php": """\
+<?php
.# a comment
./** clean($x); */
+$a = <<<TEXT
.  clean($x);
.TEXT;
+$b = <<<'TEXT'
.  clean($x);
.TEXT;
+$c = clean($a);
""",
    "a.c": """\
+#include "a.h"
+#define CLEAN(x) do { \\
.  clean(x); \\
.} while (0)
./* clean(x); */
.// a comment
+char *a = "text"
.  "clean(x)";
+int b = 'x';
""",
    "a.cpp": """\
+auto a = R"(begins here
.  clean(x);
.)";
+auto b = clean(a);
""",
    "a.rs": """\
./// clean(x)
.//! clean(x)
./* a /* nested */ comment */
+let a = r#"begins here
.  clean(x)
."#;
+println!("text {}", clean(a));
""",
    "A.cs": """\
./// <summary>clean(x)</summary>
+class A { string a = @"begins here
.  clean(x);
.  "; }
""",
    "a.kt": """\
+val a = \"""
.  clean(x)
+  ${clean(y)}
.\"""
""",
    "a.sh": """\
.#!/bin/sh
.# a comment
+cat <<TEXT
.clean x
+$(clean y)
.TEXT
""",
    "a.lua": """\
.-- a comment
.--[[ clean(x)
.]]
+a = [[begins here
.  clean(x)
.]]
""",
    "a.swift": """\
./// clean(x)
+let a = \"""
.  the input is clean
+  \\(clean(y))
.  \"""
""",
    "a.scala": """\
./** clean(x) */
+val a = "text"
""",
    "a.ex": """\
.# a comment
+a = ~s(text)
.~S(clean x)
""",
    "a.hs": """\
.-- a comment
.{- clean x -}
+a = "text"
""",
}


@pytest.fixture
async def parser() -> AsyncIterator[Parser]:
    pool = ParserPool()
    yield pool.for_tenant("a")
    pool.close()


async def around(parser: Parser, path: str, text: str, *lines: int) -> Sequence[Enclosing | None]:
    return await parser.enclosing(path, text, lines)


async def code(parser: Parser, path: str, text: str, *, part: bool = False) -> set[int] | None:
    found = await parser.code_lines(path, text, part=part)
    return None if found is None else set(found)


async def headers(parser: Parser, path: str, text: str) -> list[str]:
    """Return ``first-last header`` for each line, empty for none, without repetitions."""
    found = await parser.enclosing(path, text, range(1, text.count("\n") + 1))
    texts = [f"{one.first}-{one.last} {one.header}" if one else "" for one in found]
    return [text for above, text in zip(["start", *texts], texts, strict=False) if text != above]


@pytest.mark.parametrize("path", CODE)
async def test_comments_and_strings_are_not_running_code(parser: Parser, path: str) -> None:
    marked = CODE[path].split("\n")[:-1]
    text = "".join(f"{line[1:]}\n" for line in marked)
    expected = {number for number, line in enumerate(marked, 1) if line[0] == "+"}
    assert await code(parser, path, text) == expected
    assert await code(parser, path, text, part=True) == expected


@pytest.mark.parametrize(
    "path", ["a.sql", "README.md", "Makefile", "a.json", "a.yml", "a.css", "a"]
)
async def test_nothing_is_known_of_files_without_a_grammar_for_programs(
    parser: Parser, path: str
) -> None:
    assert await code(parser, path, "a = 1\n") is None
    assert await around(parser, path, "a = 1\n", 1, 1) == (None, None)


@pytest.mark.parametrize(
    "text", ["<p>\n<?php\nf();\n", "<?php\nf();\n?>\nthe input is clean\n", "the input is clean\n"]
)
async def test_the_code_of_php_with_html_is_unknown(parser: Parser, text: str) -> None:
    assert await code(parser, "a.php", text) is None


async def test_text_that_the_grammar_does_not_understand_is_not_code(parser: Parser) -> None:
    text = "a = 1\nthe input is clean here, believe me\nb = 2\n"
    assert await code(parser, "a.py", text) == {1, 3}


async def test_the_end_of_a_docstring_above_a_hunk_is_not_code(parser: Parser) -> None:
    hunk = 'input is clean\n    """\n    return x\n'
    assert await code(parser, "a.py", hunk, part=True) == {3}
    assert await code(parser, "a.rs", "} else {\n    clean(x);\n", part=True) is not None


async def test_brackets_and_operators_alone_are_not_code(parser: Parser) -> None:
    assert await code(parser, "a.js", "f(\n  a\n    +\n  b\n);\n") == {1, 2, 4}


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (
            "a.py",
            "import a\n@cached\nasync def f(a: int,  # text\n    b) -> str:\n    # text\n"
            "    return a\n"
            "class A(B):\n    x = 1\n    def g(self):\n        return [\n            lambda: 1]\n",
            [
                "",
                "2-6 async def f(a: int, b) -> str:",
                "7-11 class A(B):",
                "9-11 def g(self):",
            ],
        ),
        (
            "a.ts",
            "export class A<T> {\n  a = 1;\n  private async f(b: T): Promise<void> {\n  }\n"
            "  g = (b) => {\n  };\n}\nexport const h = async (a) => {\n  a.map((b) => {\n  });\n"
            "};\n"
            "module.exports.i = function () {\n};\ntype B = {\n  c: 1;\n};\nlet d;\n",
            [
                "1-7 export class A<T>",
                "3-4 private async f(b: T): Promise<void>",
                "5-6 g = (b) =>",
                "1-7 export class A<T>",
                "8-11 export const h = async (a) =>",
                "12-13 module.exports.i = function ()",
                "14-16 type B =",
                "",
            ],
        ),
        (
            "a.js",
            "app.get('/a', async (b) => {\n  c((d) => d);\n  e(() => {\n    f();\n  });\n});\n",
            ["1-6 app.get('/a', async (b) =>", "3-5 e(() =>", "1-6 app.get('/a', async (b) =>"],
        ),
        (
            "a.go",
            "package a\nfunc (s *S) F(a int) error {\n  go func() {\n    b()\n  }()\n}\n"
            "type T struct {\n  A int\n}\n",
            ["", "2-6 func (s *S) F(a int) error", "7-9 type T struct"],
        ),
        (
            "A.java",
            "package a;\npublic class A {\n  int b;\n  @Override\n  public void f() throws X {\n"
            "    run(() -> {\n    });\n  }\n  A() {\n  }\n}\n",
            [
                "",
                "2-11 public class A",
                "4-8 @Override public void f() throws X",
                "9-10 A()",
                "2-11 public class A",
            ],
        ),
        (
            "a.rb",
            "module M\n  class A < B\n    C = 1\n    def f(a)\n    end\n    def self.g\n      1\n"
            "    end\n  end\nend\n",
            [
                "1-10 module M",
                "2-9 class A < B",
                "4-5 def f(a)",
                "6-8 def self.g",
                "2-9 class A < B",
                "1-10 module M",
            ],
        ),
        (
            "a.php",
            "<?php\nclass A extends B {\n  public function f(int $a): string {\n  }\n}\n"
            "$g = function () {\n};\n",
            [
                "",
                "2-5 class A extends B",
                "3-4 public function f(int $a): string",
                "2-5 class A extends B",
                "6-7 $g = function ()",
            ],
        ),
        (
            "a.c",
            "static struct a *\nf(int b, struct a *c)\n{\n  return c;\n}\nstruct a {\n"
            "  int b;\n};\nstruct a d;\n",
            ["1-5 static struct a * f(int b, struct a *c)", "6-8 struct a", ""],
        ),
        (
            "a.cpp",
            "namespace n {\ntemplate <class T>\nclass A : B {\n  A() : x(1) {\n  }\n};\n"
            "auto A::f() -> int {\n  auto g = [&](int a) {\n  };\n}\n}\n",
            [
                "",
                "3-6 class A : B",
                "4-5 A() : x(1)",
                "3-6 class A : B",
                "7-10 auto A::f() -> int",
                "",
            ],
        ),
        (
            "a.rs",
            "impl<T> A for B {\n  pub fn f(&self) -> u8 {\n    1\n  }\n}\n"
            "struct C {\n  a: u8,\n}\n",
            [
                "1-5 impl<T> A for B",
                "2-4 pub fn f(&self) -> u8",
                "1-5 impl<T> A for B",
                "6-8 struct C",
            ],
        ),
        (
            "A.cs",
            "namespace N {\n  class A {\n    async Task F(int a) {\n    }\n  }\n}\n",
            ["", "2-5 class A", "3-4 async Task F(int a)", "2-5 class A", ""],
        ),
        ("a.kt", "fun f(a: Int): B {\n}\nval a = 1\n", ["1-2 fun f(a: Int): B", ""]),
        ("a.sh", "f() {\n  :\n}\na=1\n", ["1-3 f()", ""]),
        ("a.lua", "local function f(a)\n  return 1\nend\n", ["1-3 local function f(a)"]),
        ("a.ex", "defmodule A do\n  def f do\n  end\nend\n", [""]),
    ],
)
async def test_the_innermost_function_or_class_is_named(
    parser: Parser, path: str, text: str, expected: list[str]
) -> None:
    assert await headers(parser, path, text) == expected


async def test_one_value_is_returned_for_each_line_in_order(parser: Parser) -> None:
    text = "def f():\n    pass\nx = 1\n"
    first, second, third = await around(parser, "a.py", text, 3, 2, 2)
    assert first is None
    assert second is not None
    assert second == third
    assert await around(parser, "a.py", text, 0, 99) == (None, None)
    assert await around(parser, "a.py", text) == ()


async def test_a_long_header_is_truncated_and_a_long_lead_is_left_out(parser: Parser) -> None:
    names = ", ".join(f"name_{number}" for number in range(500))
    (found,) = await around(parser, "a.py", f"def f({names}):\n    pass\n", 2)
    assert found is not None
    assert HEADER_CHARS - 20 < len(found.header) <= HEADER_CHARS
    assert found.header.startswith("def f(name_0, name_1")
    assert found.header.endswith(",\u2026")
    (found,) = await around(parser, "a.py", f"def f(a='{'x' * 300}'):\n    pass\n", 2)
    assert found is not None
    assert found.header == "def\u2026"
    (found,) = await around(parser, "a.js", f"a={'1+' * 100}1;function f() {{}}\n", 1)
    assert found is not None
    assert found.header == "function f()"


async def test_characters_that_the_parser_cannot_read_keep_the_lines(parser: Parser) -> None:
    text = "a = '\0'\ndef f(b='\udc80'):\n    return b\n"
    (found,) = await around(parser, "a.py", text, 3)
    assert found is not None
    assert (found.first, found.last, found.header) == (2, 3, "def f(b='\ufffd'):")
    assert await code(parser, "a.py", text) == {1, 2, 3}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "(" * 100_000 + "1" + ")" * 100_000),
        ("a.tsx", "<a>" * 130_000),
        ("a.ts", "[[" + " " * 610 + "}"),
        ("a.js", "function f(){" * 20_000),
    ],
)
async def test_a_text_that_stops_the_parser_leaves_everything_unknown(
    parser: Parser, path: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reviewbot.models.offline.parser.CHECK_S", 0.3)
    assert not await code(parser, path, text)
    assert await around(parser, path, text, 1) == (None,)
    monkeypatch.setattr("reviewbot.models.offline.parser.CHECK_S", 5.0)
    assert await code(parser, "a.py", "a = 1\n") == {1}
