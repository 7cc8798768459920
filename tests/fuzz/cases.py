"""Cases as small JSON objects, and the text or the diff that they describe.

A case holds exactly one of these keys beside ``name``:

* ``files``: a path and its text for each added file;
* ``diff``: the bytes of a diff, one character a byte;
* ``edit``: a suggestion, as :class:`reviewbot.core.findings.suggestions.Edit` has it;
* ``scan``: a text that is searched for secrets and nothing else;
* ``plant``: a fault that the watchdog must report.

A case can have more keys. ``limit`` is its own time limit in seconds. A regression case can have
``stopped``, the number of files that the parser must be stopped in.

A text is a list of parts. A part is a string, ``{"repeat": "ab", "times": 3}``, or
``{"draw": "0123", "times": 40, "seed": 7}`` for random characters.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from reviewbot.core.findings.suggestions import Edit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Part: TypeAlias = "str | dict[str, Any]"
Parts: TypeAlias = "list[Part]"
Case: TypeAlias = dict[str, Any]

INNOCENT: Final = "fuzz_innocent.py"
"""Path of the file that each diff begins with. Its finding must appear whatever follows."""
SUBJECTS: Final = ("files", "diff", "edit", "scan", "plant")


def text_of(parts: Sequence[Part]) -> str:
    """Return the text that ``parts`` describe."""
    pieces = []
    for part in parts:
        if isinstance(part, str):
            pieces.append(part)
        elif "draw" in part:
            draw = random.Random(part["seed"])  # noqa: S311 - the same text each time
            pieces.append("".join(draw.choices(part["draw"], k=part["times"])))
        else:
            pieces.append(part["repeat"] * part["times"])
    return "".join(pieces)


def encoded(text: str) -> bytes:
    """Return ``text`` as bytes; lone surrogates become bytes that are not UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def added_file(path: str, text: str) -> bytes:
    """Return the part of a diff that adds a file."""
    lines = encoded(text).split(b"\n")
    name = encoded(path)
    head = b"diff --git a/%b b/%b\nnew file mode 100644\n--- /dev/null\n+++ b/%b\n" % ((name,) * 3)
    body = b"".join(b"+%b\n" % line for line in lines)
    return head + b"@@ -0,0 +1,%d @@\n" % len(lines) + body


def diff_of(case: Case) -> bytes:
    """Return the diff of a case with ``files`` or ``diff``. It begins with the innocent file."""
    innocent = added_file(INNOCENT, "def load(x):\n    return eval(x)")
    if "diff" in case:
        return innocent + str(case["diff"]).encode("latin-1")
    return innocent + b"".join(
        added_file(path, text_of(parts)) for path, parts in case["files"].items()
    )


def edit_of(case: Case) -> Edit:
    """Return the suggestion of a case with ``edit``."""
    edit = case["edit"]
    names = ("before", "after", "old", "new")
    return Edit(edit["language"], *(text_of(edit[name]).split("\n") for name in names))


def read_case(path: Path) -> Case:
    """Return the case in a file: a description in JSON, or a diff.

    Raises:
        ValueError: the file holds no case.
    """
    if path.suffix != ".json":
        return {"name": path.stem, "diff": path.read_bytes().decode("latin-1")}
    case: Case = json.loads(path.read_text("utf-8"))
    if sum(subject in case for subject in SUBJECTS) != 1:
        raise ValueError(f"{path.name} must hold exactly one of {', '.join(SUBJECTS)}")
    return {"name": path.stem, **case}


def save_case(case: Case, folder: Path) -> Path:
    """Write a case to ``folder``, and its diff if it has one; return the path to replay."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{case['name']}.json"
    path.write_text(json.dumps(case, indent=1) + "\n", "utf-8")
    if "diff" in case or "files" in case:
        path.with_suffix(".diff").write_bytes(diff_of(case))
    return path
