"""Imported files of a pull request: where they may be, and how many requests they take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.diff.whole import added_file
from reviewbot.github.change.compare import ContentSource
from reviewbot.github.change.imported_files import REQUESTS, ImportedFiles, imports_of
from tests.fake_github import FakeGitHub, faults
from tests.support.github_changes import REPO, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.github.api.gateway import Api
    from tests.fake_github import PullRequest

CONTENTS = "/contents/"


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
    started = time.process_time()
    list(imports_of(path, text))
    assert time.process_time() - started < 2


def whole(files: Mapping[str, str]) -> dict[str, FileDiff]:
    return {path: added_file(path, text.encode()) for path, text in files.items()}


def reader(api: Api, pull: PullRequest, files: Mapping[str, str]) -> ImportedFiles:
    return ImportedFiles(ContentSource(api, REPO, None, pull.head_sha), whole(files))


def asked_for(github: FakeGitHub) -> list[str]:
    return [one.path.rpartition(CONTENTS)[2] for one in github.called("GET", CONTENTS)]


USE = "from .tax import rate_of\nfrom .other import unused\nrate_of(1)\n"
TAX = "def rate_of(due):\n    return due\n"


async def test_imports_of_files_with_the_name_are_candidates_at_the_head() -> None:
    base = {"shop/use.py": b"", "shop/tax.py": TAX.encode()}
    async with opened(base, base | {"shop/use.py": USE.encode()}) as (github, pull, api):
        files = reader(api, pull, {"shop/use.py": USE, "shop/b.py": "from .c import d"})
        assert await files.candidates("rate_of") == ["shop/tax.py", "shop/other.py"]
        assert await files.candidates("missing") == []
        assert await files.callers("rate_of") == []
        assert await files.uses("rate_of") == []
        assert await files.content("shop/tax.py") == TAX.encode()
        assert await files.content("shop/other.py") is None
        assert asked_for(github) == ["shop/tax.py", "shop/other.py"]
        assert {one.query["ref"] for one in github.called("GET", CONTENTS)} == {pull.head_sha}


async def test_a_review_takes_ten_requests_at_most() -> None:
    async with opened({"a.py": b""}, {"a.py": b"x"}) as (github, pull, api):
        files = reader(api, pull, {})
        for number in range(REQUESTS + 5):
            assert await files.content(f"{number}.py") is None
        assert len(asked_for(github)) == REQUESTS == 10


async def test_the_first_error_ends_the_requests() -> None:
    async with opened({"a.py": b""}, {"a.py": b"x"}) as (github, pull, api):
        files = reader(api, pull, {})
        github.fail(faults.error("GET", CONTENTS, status=403, times=None))
        assert await files.content("a.py") is None
        before = len(asked_for(github))
        assert await files.content("a.py") is None
        assert len(asked_for(github)) == before


async def test_a_checkout_takes_no_request() -> None:
    async with opened({"a.py": b""}, {"a.py": b"x"}) as (github, pull, api):
        place = ContentSource(api, REPO, None, pull.head_sha)
        files = ImportedFiles(place, {}, local={"lib.py": b"local"}.get)
        assert await files.content("lib.py") == b"local"
        assert asked_for(github) == []


@pytest.mark.parametrize("path", ["../a.py", "a/../../b.py", "", "/etc/passwd", "a\0b"])
async def test_a_hostile_path_reaches_no_other_repository(path: str) -> None:
    async with opened({"a.py": b""}, {"a.py": b"x"}) as (github, pull, api):
        assert await reader(api, pull, {}).content(path) is None
        assert asked_for(github) == []
