"""Comments of ours and the findings they tell of, as the tests of single steps make them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reviewbot.core.diff.parse import parse_diff
from reviewbot.github.api.records import Author
from reviewbot.github.api.reviews import ReviewComment
from reviewbot.github.change.permalinks import Permalinks
from reviewbot.github.publish.comment_text import on_line
from tests.support.findings import finding

if TYPE_CHECKING:
    from reviewbot.core.findings.finding import Finding


US = Author("reviewbot[bot]", 1, is_bot=True)


SHA = "a" * 40


def found(number: int, **changes: object) -> Finding:
    return replace(finding(), id=f"{number:016x}", **changes)  # type: ignore[arg-type]


def comment(one: Finding, **changes: object) -> ReviewComment:
    body = on_line(one, marker="<!-- x -->", offer=False, link_hosts=())
    made = ReviewComment(
        id=1,
        node_id="n",
        author=US,
        body=body,
        path=one.path,
        line=one.line,
        start_line=None,
        original_line=one.line,
        original_start_line=None,
        diff_hunk="@@ -1,2 +1,3 @@\n one\n-two\n+three",
        side=one.side,
        original_commit=SHA,
        in_reply_to=None,
        review=1,
        url="https://github.com/x",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


DIFF = """\
diff --git a/app/db.py b/app/db.py
--- a/app/db.py
+++ b/app/db.py
@@ -1,4 +1,5 @@
 import os
-one = 1
-two = 2
+one = 11
+two = 22
+three = 33
 four = 4
@@ -20,3 +21,3 @@
 def f():
-    pass
+    return 1
     x()
"""


FILES = parse_diff(DIFF.encode())


LINKS = Permalinks("https://github.com/o/r", "a" * 40, "b" * 40)
