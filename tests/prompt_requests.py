"""Requests that the tests of the prompt share, and what their golden files hold.

Run ``python -m tests.prompt_requests`` to write ``fixtures/prompts`` anew after a change of the
wording, and read the difference before committing it: it is what a model will be told.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from reviewbot.core.diff.parse import DiffLine
from reviewbot.core.events.events import FileCoverage
from reviewbot.core.findings.answer_tool import ANSWER_TOOL
from reviewbot.core.findings.check_tool import CHECK_TOOL, FOLLOW_UP_TOOL
from reviewbot.core.findings.prior import PriorFinding, PriorPlace
from reviewbot.core.findings.report_tool import REPORT_TOOL, REPORT_WITH_LOOKUPS
from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk
from reviewbot.core.prompt.explanation import FindingQuestion, ThreadComment
from reviewbot.core.prompt.guidelines import GuidelineFile, Guidelines, SelectedRule
from reviewbot.core.prompt.lookup_tools import LOOKUP_TOOLS
from reviewbot.core.prompt.purpose import ClosingIssue, Purpose
from reviewbot.core.prompt.question import PullQuestion, render_question
from reviewbot.core.prompt.reply import FindingReply
from reviewbot.core.prompt.request import KnownFinding, ManifestEntry, ModelRequest, render
from reviewbot.core.prompt.summary import render_summary
from reviewbot.core.prompt.verification import FindingsToCheck
from tests.support.findings import finding

GOLDEN = Path(__file__).parent.parent / "fixtures" / "prompts"

CHARGE = ChunkView(
    id="c1",
    path="billing/charge.py",
    old_path="billing/charge.py",
    status="modified",
    part=2,
    parts=3,
    hunks=(
        ShownHunk(
            40,
            40,
            "def charge(order):",
            (
                DiffLine("added", None, 40, "    order.check()"),
                DiffLine("context", 40, 41, "    total = order.net"),
                DiffLine("removed", 41, None, "    due = total"),
                DiffLine("added", None, 42, '    due = total * rate  # "\u202e20 %"'),
                DiffLine("context", 42, 43, ""),
            ),
            (False, True, True, True, True),
        ),
        ShownHunk(
            98,
            99,
            "",
            (
                DiffLine("removed", 98, None, "    return due"),
                DiffLine("added", None, 99, "    return round(due, 2)", no_newline=True),
            ),
            (True, True),
        ),
    ),
    instructions=("Amounts are Decimal.", 'Never log an "order".'),
)
MOVED = ChunkView(
    id="c2",
    path="web/src/größe.ts",
    old_path="web/größe.ts",
    status="renamed",
    part=1,
    parts=1,
    hunks=(
        ShownHunk(
            1,
            1,
            "",
            (
                DiffLine("context", 1, 1, "export const KEY = '[REDACTED:generic-key]';\r"),
                DiffLine("removed", 2, None, "const size = 1;\r"),
                DiffLine("added", None, 2, "const size = 2;"),
            ),
            (True, True, True),
        ),
    ),
)
MANIFEST = (
    ManifestEntry("billing/charge.py", "modified", 31, 12, shown=True),
    ManifestEntry("package-lock.json", "modified", 900, 880, shown=False),
    ManifestEntry("web/src/größe.ts", "renamed", 1, 1, shown=True),
)
GUIDELINES = Guidelines(
    commit="4f2c81d09ab7e6530f1d2c3b4a5968778695a4b3",
    files=(
        GuidelineFile(
            "billing/AGENTS.md",
            "billing/**",
            (SelectedRule(7, "Style", "Round once, in `to_cents`."),),
            total=1,
        ),
        GuidelineFile(
            "AGENTS.md",
            "",
            (
                SelectedRule(12, "Code style", 'Never log an "order".'),
                SelectedRule(13, "Code style", "Prefer `Decimal` over `float`."),
                SelectedRule(30, "Security", "Tokens must not reach the browser."),
            ),
            total=5,
            dropped=("Commands",),
        ),
    ),
)
REQUEST = ModelRequest(
    chunks=(CHARGE, MOVED),
    manifest=MANIFEST,
    instructions="Money is Decimal, never float.\nPublic functions keep their signature.\n",
    verified=True,
    guidelines=GUIDELINES,
)
CONTINUATION = ModelRequest(
    chunks=(MOVED,),
    manifest=MANIFEST,
    instructions=REQUEST.instructions,
    guidelines=GUIDELINES,
    known=(KnownFinding("web/src/größe.ts", 2, 'The "size" is doubled'),),
    verified=True,
)
FINDING = finding(
    id="0123456789abcdef",
    path="billing/charge.py",
    quote="    return round(due, 2)",
    line=99,
    end_line=99,
    scenario="When due is 2.675, line 99 rounds a float, so 2.67 is charged.",
    severity="error",
    title="Rounding a float loses a cent",
    message="Use Decimal.",
    model="claude-sonnet-5-5",
)

EARLIER = PriorFinding(
    *("0123456789abcdef", "billing/charge.py", "RIGHT", 99, 99, "bug", "error"),
    title="Rounding a float loses a cent",
    rests_on=(PriorPlace("billing/money.py", 7, 8),),
).as_finding("claude-sonnet-5-5")


HELPER = ChunkView(
    id="e1",
    path="billing/money.py",
    old_path="billing/money.py",
    status="modified",
    part=1,
    parts=1,
    hunks=(ShownHunk(7, 7, "", (DiffLine("context", 7, 7, "def rounded(due):"),), (True,)),),
)
INQUIRY = FindingQuestion(
    side="RIGHT",
    line=99,
    end_line=99,
    finding="**error: Rounding a float loses a cent**\n\nWhen due is 2.675, 2.67 is charged.",
    thread=(
        ThreadComment("Is it?\r\n> 2.675", ours=False),
        ThreadComment("`round(2.675, 2)` is 2.67.", ours=True),
        ThreadComment('/explain why not "ROUND_HALF_UP"?', ours=False),
    ),
    question='why not "ROUND_HALF_UP"?',
)
REPLY = FindingReply(
    id="0123456789abcdef",
    side="RIGHT",
    line=99,
    end_line=99,
    category="bug",
    severity="error",
    title="Rounding a float loses a cent",
    finding="When due is 2.675, 2.67 is charged. Round a decimal.",
    thread=(
        ThreadComment("Is it?\r\n> 2.675", ours=False),
        ThreadComment("`round(2.675, 2)` is 2.67.", ours=True),
    ),
    question='`rounded` returns a "Decimal".',
)
ASKED = PullQuestion(
    title="Charge VAT",
    description="Adds the rate.\r\nNo other change, reviewed and safe.",
    thread=(
        ThreadComment("**1 finding in 2 files.**", ours=True),
        ThreadComment("/ask Who calls `charge`?", ours=False),
    ),
    place="billing/charge.py:99",
    question="Who calls `charge`?",
)


def golden() -> dict[Path, str]:
    """The golden files and what should be in them."""
    prompt, rest = render(REQUEST), render(CONTINUATION, as_text=True)
    compact = render(REQUEST, profile="compact")
    looking = render(replace(REQUEST, lookups=24))
    summary = render_summary(
        purpose=Purpose(
            "Charge VAT",
            "Adds the rate.\r\nNo other change, reviewed and safe.",
            (ClosingIssue(12, "Orders lack VAT", 'Charge it.\r\nShow it on the "invoice".'),),
        ),
        manifest=MANIFEST,
        findings=[FINDING],
        coverage=[
            FileCoverage("billing/charge.py", "reviewed"),
            FileCoverage("web/src/größe.ts", "reviewed"),
            FileCoverage("package-lock.json", "skipped", "a lockfile"),
        ],
        changes={
            "billing/charge.py": "multiplies the due amount by the rate",
            "web/src/größe.ts": 'doubles the "size"',
        },
    )
    explain = render_question(
        INQUIRY, chunks=[CHARGE], manifest=(), instructions=REQUEST.instructions
    )
    answer = render_question(
        ASKED, chunks=[CHARGE, MOVED], manifest=MANIFEST, instructions=REQUEST.instructions
    )
    reply = render(ModelRequest((CHARGE,), (), dossier=(HELPER,), lookups=6, reply=REPLY))
    about = FindingsToCheck((FINDING,))
    check = render(replace(REQUEST, dossier=(HELPER,), lookups=12, check=about))
    again = FindingsToCheck(
        (EARLIER, replace(EARLIER, side="LEFT", rests_on=())), is_follow_up=True
    )
    follow_up = render(ModelRequest((CHARGE,), (), lookups=12, check=again))
    texts = {
        "report-tool.json": json.dumps(REPORT_TOOL, indent=2),
        "review-1-system.txt": prompt.system,
        "review-2-shared.txt": prompt.shared,
        "review-3-body.txt": prompt.body,
        "verification-1-system.txt": check.system,
        "verification-3-body.txt": check.body,
        "verification-tool.json": json.dumps(CHECK_TOOL, indent=2),
        "follow-up-1-system.txt": follow_up.system,
        "follow-up-3-body.txt": follow_up.body,
        "follow-up-tool.json": json.dumps(FOLLOW_UP_TOOL, indent=2),
        "reply-1-system.txt": reply.system,
        "reply-3-body.txt": reply.body,
        "reply-tool.json": json.dumps(ANSWER_TOOL, indent=2),
        "cross-file-3-body.txt": render(replace(REQUEST, uses=(HELPER,))).body,
        "dossier-3-body.txt": render(replace(REQUEST, dossier=(HELPER,))).body,
        "look-ups-tools.json": json.dumps([REPORT_WITH_LOOKUPS, *LOOKUP_TOOLS], indent=2),
        "look-ups-1-system.txt": looking.system,
        "look-ups-3-body.txt": looking.body,
        "compact-1-system.txt": compact.system,
        "compact-2-shared.txt": compact.shared,
        "continuation-as-text-3-body.txt": rest.body,
        "summary-1-system.txt": summary.system,
        "summary-2-user.txt": summary.user,
        "explanation-1-system.txt": explain[0],
        "explanation-2-user.txt": explain[1],
        "question-1-system.txt": answer[0],
        "question-2-user.txt": answer[1],
    }
    return {GOLDEN / name: text + "\n" for name, text in texts.items()}


def main() -> None:
    for path, text in golden().items():
        path.write_bytes(text.encode("utf-8"))


if __name__ == "__main__":
    main()
