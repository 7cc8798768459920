"""The summary comments of recorded reviews: ``python -m tests.github.summaries`` writes them anew.

Read the difference before committing it: it is what users will see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.events.records import from_record
from reviewbot.core.events.report import fold
from reviewbot.github.change.permalinks import Permalinks
from reviewbot.github.publish.review_comments import plan_comments
from reviewbot.github.publish.summary import render
from reviewbot.github.state.block import Record
from reviewbot.github.state.reconcile import Reconciled
from tests.record_streams import WITH_SECRET
from tests.regenerate_golden import STREAMS, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER: Final = STREAMS.parent / "github"
LINKS: Final = Permalinks(
    "https://github.com/acme/shop",
    "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00",
    "badcafe0badcafe0badcafe0badcafe0badcafe0",
)
MARKER: Final = "<!-- reviewbot:summary -->"

SAMPLE_DIFF: Final = b"""\
diff --git a/app/db.py b/app/db.py
--- a/app/db.py
+++ b/app/db.py
@@ -40,2 +40,3 @@
     cur = conn.cursor()
+    name = name.strip()
     cur.execute("SELECT * FROM users WHERE name = '%s'" % name)
diff --git a/app/cache.py b/app/cache.py
--- a/app/cache.py
+++ b/app/cache.py
@@ -17,3 +17,2 @@
 def get(self, key):
-    with self._lock:
     value = self._values.get(key)
"""
"""Holds some of what the review of ``sample`` found, so that the rest has no line."""

_RESOLVED: Final = tuple(
    Record(
        id_, "app/db.py", "RIGHT", line, "", "bug", "bug", title, "error", "resolved", comment=None
    )
    for id_, line, title in (
        ("0123456789abcdef", 12, "The file is never closed"),
        ("fedcba9876543210", 30, ""),
    )
)
CASES: Final[dict[str, tuple[bytes, bool]]] = {
    "clean": (b"", True),
    "recorded-claude": ((STREAMS.parent / "demo.diff").read_bytes(), True),
    "sample": (SAMPLE_DIFF, False),
    "verified": (WITH_SECRET.encode(), True),
}
"""The diff of each recorded review, and whether it is the first one."""


def outputs() -> Iterator[tuple[Path, str]]:
    """The file of each case and what should be in it."""
    for name, (diff, is_first) in CASES.items():
        report = fold(map(from_record, recorded(STREAMS / f"{name}.ndjson")))
        plan = plan_comments(
            report.findings, parse_diff(diff), marker=lambda _: MARKER, links=LINKS
        )
        posted = [one.finding.id for one in plan.inline] + ["0123456789abcdef"]
        urls = {
            one: f"https://github.com/acme/shop/pull/7#discussion_r{number}"
            for number, one in enumerate(posted, start=1)
        }
        done = Reconciled(report, ())
        if not is_first:
            new = tuple(one for one in report.findings if one.id == "f9f54408a3ff92c8")
            done = Reconciled(report, (), new=new, resolved=_RESOLVED, is_first=False)
        said = report.summary.files if report.summary else ()
        text = render(
            done,
            marker=MARKER,
            rest=plan.rest,
            urls=urls,
            walkthrough={one.path: one.summary for one in said},
            links=LINKS,
            files={},
        )
        yield FOLDER / f"{name}.summary.md", f"{text}\n"


def main() -> None:
    """Write every summary."""
    FOLDER.mkdir(exist_ok=True)
    for path, text in outputs():
        path.write_bytes(text.encode())


if __name__ == "__main__":
    main()
