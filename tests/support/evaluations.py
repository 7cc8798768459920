"""Cases, comments and results of evaluations."""

from __future__ import annotations

from typing import Any

from reviewbot.eval.cases import Case, Golden
from reviewbot.eval.results import Comment, Result

LINES = 400


def added(path: str = "a.py", lines: int = LINES) -> str:
    """Return the diff of a new file with numbered lines."""
    body = "".join(f"+line_{number} = {number}\n" for number in range(1, lines + 1))
    head = f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n"
    return f"{head}@@ -0,0 +1,{lines} @@\n{body}"


def _at(line: int, end_line: int | None) -> dict[str, Any]:
    return {"path": "a.py", "line": line, "end_line": end_line or line}


def golden(line: int, end_line: int | None = None, **changes: Any) -> Golden:
    """Return a golden comment in a.py."""
    return Golden(**_at(line, end_line) | changes)


def comment(line: int, end_line: int | None = None, **changes: Any) -> Comment:
    """Return a comment in a.py."""
    return Comment(**_at(line, end_line) | changes)


def case(name: str = "one", *wanted: Golden, **changes: Any) -> Case:
    """Return a case that adds a.py."""
    fields: dict[str, Any] = {"id": name, "diff": added(lines=20), "golden": wanted}
    return Case(**fields | changes)


def result(name: str = "one", *comments: Comment, **changes: Any) -> Result:
    """Return a result of the contestant ``tool`` in run 1."""
    fields: dict[str, Any] = {"contestant": "tool", "run": 1, "case": name, "comments": comments}
    return Result(**fields | changes)
