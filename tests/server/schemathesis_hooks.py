"""What schemathesis cannot know of itself: how a diff is made, what a pattern is, and which
model needs no key.

``schemathesis.toml`` loads it.
"""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import strategies as st

LINES = st.lists(st.text("ab (){}=+-\"'\\\té→", max_size=20), max_size=4)
NAMES = st.from_regex(r"[a-z]{1,8}\.(py|js|md)", fullmatch=True)


@st.composite
def diffs(draw: st.DrawFn) -> str:
    """Diffs of some files, each with one hunk that replaces some lines by some others."""
    files = []
    for number in range(draw(st.integers(1, 3))):
        path = f"{number}/{draw(NAMES)}"
        old, new = draw(LINES), draw(LINES)
        old, new = [*old, "old"], [*new, "new"]
        files += [
            f"diff --git a/{path} b/{path}",
            f"--- a/{path}",
            f"+++ b/{path}",
            f"@@ -1,{len(old)} +1,{len(new)} @@",
            *(f"-{line}" for line in old),
            *(f"+{line}" for line in new),
        ]
    return "\n".join(files) + "\n"


@schemathesis.hook
def filter_body(_context: schemathesis.HookContext, body: Any) -> bool:
    """A diff of nothing is one, too; as a text that is no diff it would have to be refused."""
    text = body.get("diff") if isinstance(body, dict) else body
    return not (isinstance(text, str) and not text.strip())


schemathesis.openapi.format("unified-diff", diffs())
schemathesis.openapi.format("model-name", st.just("offline"))
schemathesis.openapi.format("gitignore-pattern", st.from_regex(r"!?[a-z*/.]{1,20}", fullmatch=True))
schemathesis.serializer.alias(["text/x-diff", "text/x-patch"], "text/plain")
