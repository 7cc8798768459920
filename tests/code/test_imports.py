"""Paths of imported files: where they may be, and the time to find them."""

from __future__ import annotations

import pytest

from reviewbot.code.imports import imports_of
from tests.support.timing import cpu_at_most


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("a/b/c.py", "from .d import x", ["a/b/d.py"]),
        ("a/b/c.py", "from ..d.e import (\n    x,\n)", ["a/d/e.py"]),
        ("a/b/c.py", "from . import d", ["a/b/d.py"]),
        ("a/b/c.py", "from .. import d, e", ["a/d.py"]),
        ("a/b/c.py", "from ....d import x", []),
        ("a/b/c.py", "    from b.d import x", ["a/b/d.py"]),
        ("src/shop/a.py", "import shop.tax.rates", ["src/shop/tax/rates.py"]),
        ("a/b/c.py", "import os\nfrom json import loads\n# from .x import y", []),
        ("a.py", "from .d import x", ["d.py"]),
        ("a/b/c.ts", 'import { x } from "./d";', ["a/b/d.ts"]),
        ("a/b/c.ts", "import {\n  x,\n} from '../d.js';", ["a/d.ts"]),
        ("a/b/c.js", 'const x = require("./d.js")', ["a/b/d.js"]),
        ("a/b/c.tsx", 'const x = import("./d"); export * from "./e.ts"', ["a/b/d.tsx", "a/b/e.ts"]),
        ("a/b/c.js", 'import x from "react"; import "../../../etc/passwd"', []),
        ("a/b/c.go", 'import "./d"', []),
    ],
)
def test_imports_lead_to_files_by_path(path: str, text: str, expected: list[str]) -> None:
    assert list(imports_of(path, text)) == expected


@pytest.mark.parametrize(
    "text",
    ["from " * 40_000, "from" + " " * 200_000, "from " + "." * 200_000, "import(" * 30_000,
     "from './" * 25_000, " " * 200_000],
)  # fmt: skip
@pytest.mark.parametrize("path", ["a.py", "a.js"])
def test_the_time_for_hostile_text_is_short(path: str, text: str) -> None:
    with cpu_at_most(20):
        list(imports_of(path, text))
