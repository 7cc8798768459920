"""Check the subject of a commit: ``check_commit_message.py FILE``; exit 1 if it is wrong.

The subject is in the imperative mood, at most 72 characters, begins with a capital letter and has
no full stop, as ``git commit --help`` and docs/contributing.md ask.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

LONGEST = 72
IMPERATIVE = frozenset(
    {"Bring", "String", "Ring", "Embed", "Feed", "Need", "Seed", "Speed", "Shed", "Process", "Pass"}
    | {"Address", "Express", "Press", "Guess", "Focus", "Compress", "Bypass", "Suppress", "Discuss"}
)
"""Verbs that only look like another form."""
_OWN = re.compile(r"(Merge|Revert|fixup!|squash!|amend!) ")


def problem(message: str) -> str | None:
    """Return what is wrong with the subject of a message; None if nothing is."""
    lines = [line for line in message.split("\n") if not line.startswith("#")]
    subject = lines[0].strip() if lines else ""
    if _OWN.match(subject):
        return None
    first = subject.split(" ")[0]
    found = None
    if not subject:
        found = "the subject is empty; say what the commit does"
    elif len(subject) > LONGEST:
        found = f"the subject has {len(subject)} characters; {LONGEST} are the limit"
    elif not subject[0].isupper():
        found = "the subject must begin with a capital letter"
    elif subject.endswith("."):
        found = "the subject must not end with a full stop"
    elif first.endswith(("ed", "ing", "s")) and first not in IMPERATIVE:
        found = f"the subject must be imperative, such as 'Add' in place of 'Added': {first!r}"
    elif len(lines) > 1 and lines[1].strip():
        found = "the second line must be empty"
    return found


def main() -> int:
    """Check the file that git names."""
    wrong = problem(Path(sys.argv[1]).read_text("utf-8"))
    if wrong:
        print(f"commit message: {wrong}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
