"""Addresses of code: right whatever a file is called, and unable to break out of their link."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import given

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.findings.finding import RestsOn
from reviewbot.core.render.markdown_text import linked
from reviewbot.github.change.permalinks import Permalinks, is_utf8
from tests.github.github_rules import links as links_in
from tests.review_strategies import paths
from tests.support.reports import FINDING

LINKS = Permalinks("https://ghe.example/o/r", "a" * 40, "b" * 40)
ROOT = f"https://ghe.example/o/r/blob/{'a' * 40}"


@given(paths)
def test_every_name_leads_to_its_own_bytes(path: str) -> None:
    address = LINKS.blob(LINKS.head, path, (3, 4))
    if address is None:
        assert not is_utf8(path)
        return
    parts = urlsplit(address)
    assert parts.netloc == "ghe.example"
    prefix = f"/o/r/blob/{LINKS.head}/".encode()
    assert unquote_to_bytes(parts.path) == prefix + path.encode("utf-8", "surrogateescape")
    assert parts.fragment == "L3-L4"
    assert links_in(linked(path, address)) == [address]


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("a b#c?d%.py", "a%20b%23c%3Fd%25.py#L1"),
        ("docs/x(1)].MD", "docs/x%281%29%5D.MD?plain=1#L1"),
        ("\u00fc.py", "%C3%BC.py#L1"),
    ],
)
def test_names_are_quoted_and_pages_show_their_source(path: str, rest: str) -> None:
    assert LINKS.blob(LINKS.head, path, (1, 1)) == f"{ROOT}/{rest}"


def test_without_a_line_there_is_none() -> None:
    assert (
        LINKS.blob(LINKS.head, "a.md") == LINKS.blob(LINKS.head, "a.md", (0, 0)) == f"{ROOT}/a.md"
    )


def test_the_old_side_leads_to_the_old_name_at_the_base() -> None:
    diff = b"""\
diff --git a/old.py b/new.py
similarity index 90%
rename from old.py
rename to new.py
--- a/old.py
+++ b/new.py
@@ -1,2 +1 @@
-a
-b
+c
diff --git a/gone.py b/gone.py
deleted file mode 100644
--- a/gone.py
+++ /dev/null
@@ -1 +0,0 @@
-a
"""
    renamed, gone = parse_diff(diff)
    left = replace(FINDING, side="LEFT", line=2, end_line=2)
    old = f"https://ghe.example/o/r/blob/{'b' * 40}"
    assert LINKS.of(left, renamed) == f"{old}/old.py#L2"
    assert LINKS.of(left, gone) == f"{old}/gone.py#L2"
    assert LINKS.of(FINDING, gone) is None
    assert Permalinks("https://ghe.example/o/r", "a" * 40).of(left, renamed) is None


def test_code_that_a_finding_rests_on_is_at_the_version_that_was_read() -> None:
    place = RestsOn("docs/a b.md", 3, 5, "some code", base=False, is_shown=False)
    blob = "https://ghe.example/o/r/blob"
    assert LINKS.of_rests_on(place) == f"{blob}/{'a' * 40}/docs/a%20b.md?plain=1#L3-L5"
    old = replace(place, base=True)
    assert LINKS.of_rests_on(old) == f"{blob}/{'b' * 40}/docs/a%20b.md?plain=1#L3-L5"
    assert replace(LINKS, base=None).of_rests_on(old) is None
