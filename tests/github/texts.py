"""Every text on a pull request, as ``docs/texts.md``: ``python -m tests.github.texts`` writes it.

The functions that render what is posted render the page. Read the difference before committing it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.action.settings import NO_SECRETS
from reviewbot.config.model_choice import ModelChoice
from reviewbot.config.settings import Settings
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.events import events as ev
from reviewbot.core.events.records import from_record
from reviewbot.core.events.report import Report, fold
from reviewbot.core.findings.finding import Evidence
from reviewbot.core.render.annotations import failure, notice, render_job
from reviewbot.core.render.markdown import render as render_job_summary
from reviewbot.core.render.markdown_text import code_span
from reviewbot.github.change.base_settings import INVALID
from reviewbot.github.change.subject import PublishOptions
from reviewbot.github.commands.answers import NO_FINDING, RESUMED, paused_text
from reviewbot.github.commands.dismissals import ignored, undone
from reviewbot.github.commands.explain import NO_QUESTION, reply_text
from reviewbot.github.dialogue import replies
from reviewbot.github.dialogue.answer import NOT_LOOKED, answer_text
from reviewbot.github.dialogue.look import AnswerPlace
from reviewbot.github.identity import BotIdentity, PullName
from reviewbot.github.publish import check_run
from reviewbot.github.publish.comment_text import on_line
from reviewbot.github.publish.listed_findings import review_text
from reviewbot.github.publish.merge_group import NO_CHECK, CheckSource, GroupResult, PullResult
from reviewbot.github.publish.merge_group import ended as ended_group
from reviewbot.github.publish.pause import paused_result
from reviewbot.github.publish.resolve import fixed_by, reopened_in, resolved_in
from reviewbot.github.publish.review_comments import plan_comments
from reviewbot.github.publish.summary import render
from reviewbot.github.publish.thread_notes import ThreadNotes
from reviewbot.github.publish.verdict import verdict
from reviewbot.github.state.block import Pause, StateBlock
from reviewbot.github.state.prior import Prior
from reviewbot.github.state.reconcile import Reconciled
from reviewbot.github.webhook.commands import help_text
from tests.github.summaries import LINKS
from tests.regenerate_golden import STREAMS, recorded
from tests.support.documents import report_of
from tests.support.github_records import record
from tests.support.visible import visible_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.events.records import Json

PAGE: Final = Path(__file__).parents[2] / "docs" / "texts.md"
INTRODUCTION: Final = """\
# All texts on a pull request

This page has every text that reviewbot shows on a pull request, as Markdown, but for the table of
all settings that `/config` answers. [Reviews on
GitHub](github.md) describes when reviewbot posts, and what the texts mean. `python -m
tests.github.texts` generates the page with the functions that render what is posted. The hidden,
signed marker at the end of a text is shown as `<!-- reviewbot ... -->`. *Visible* is the number of
characters that a reader sees before any click, without markup and addresses.
"""
MARKER: Final = "<!-- reviewbot ... -->"
AT: Final = "2026-11-26T14:05:00Z"
URL: Final = "https://github.com/acme/shop/pull/7#discussion_r1"
SUMMARY: Final = "https://github.com/acme/shop/pull/7#issuecomment-1"
DIFF: Final = (STREAMS.parent / "demo.diff").read_bytes()
REVIEW: Final = fold(map(from_record, recorded(STREAMS / "recorded-claude.ndjson")))
FOUND: Final = REVIEW.findings[0]
OPTIONS: Final = PublishOptions(fail_on="error")
READ: Final = (
    ev.FileCoverage("shop/orders.py", "reviewed"),
    ev.FileCoverage("shop/money.py", "reviewed"),
)
CLEAN: Final = report_of(outcome="clean", coverage=READ)
UNREAD: Final = ev.FileCoverage(
    "legacy/pay.cbl", "unread", "No model, rule or linter that is set reads it."
)
SHALLOW: Final = report_of(outcome="shallow", coverage=(*READ, UNREAD))
DOWN: Final = ev.FileCoverage("shop/sync.py", "failed", "529", fault="overloaded")
INCOMPLETE: Final = report_of(FOUND, outcome="incomplete", coverage=(*READ, DOWN))
FORK: Final = replace(
    report_of(outcome="shallow", coverage=READ, reasons=(NO_SECRETS,)),
    rules_only=ev.RulesOnly(NO_SECRETS),
)
_MISTAKE: Final = INVALID.format(branch="main", error=".reviewbot.yml: unknown key 'modle'")
MISTAKEN: Final = replace(
    report_of(outcome="incomplete", coverage=READ, reasons=(_MISTAKE,)),
    rules_only=ev.RulesOnly(_MISTAKE, is_incomplete=True),
)


@dataclass(frozen=True, slots=True)
class Example:
    """A text with the occasion on which it appears."""

    when: str
    text: str
    language: str = "markdown"


def summary(report: Report, done: Reconciled | None = None, *, suggestions: int = 0) -> str:
    """The summary comment of a review of the demo, whose findings have comments on their lines."""
    plan = plan_comments(report.findings, parse_diff(DIFF), marker=lambda _: MARKER, links=LINKS)
    urls = {
        unposted.finding.id: f"{URL[:-1]}{number}"
        for number, unposted in enumerate(plan.inline, start=1)
    }
    return render(
        done or Reconciled(report, ()),
        marker=MARKER,
        rest=plan.rest,
        urls=urls,
        walkthrough=_walkthrough(report),
        links=LINKS,
        files={},
        threads=ThreadNotes(suggestions, (URL,) if done else ()),
    )


def _walkthrough(report: Report) -> dict[str, str]:
    """The lines about files; those of a review without a model are of an earlier one."""
    said = {file.path: file.summary for file in report.summary.files} if report.summary else {}
    return said or {file.path: "adds a tax rate" for file in report.covered("reviewed")[:2]}


def later() -> str:
    """The summary comment after a push that resolves a finding and adds another."""
    new = replace(FOUND, id="b" * 16, line=44, end_line=44, title="A file is never closed")
    report = replace(REVIEW, findings=(FOUND, new), summary=None, lookups=None)
    gone = record(id="c" * 16, path="shop/orders.py", title="The dictionary changes", line=44)
    done = Reconciled(report, (), new=(new,), resolved=(gone,), is_first=False)
    return summary(report, done)


def comment(*, suggestion: str | None, is_of_a_rule: bool = False) -> str:
    """The comment on a line."""
    finding = replace(FOUND, suggestion=suggestion, suggestion_applies=suggestion is not None)
    if is_of_a_rule:
        finding = replace(finding, rule="ruff/S608", model="ruff", sources=("ruff/S608",))
    return on_line(finding, marker=MARKER, offer=True, link_hosts=(), links=LINKS)


def check(body: Json) -> str:
    """The title, the conclusion and the texts of a check."""
    output = body["output"]
    parts = (f"{body.get('conclusion', body['status'])}: {output['title']}", output["summary"])
    return "\n\n".join((*parts, *filter(None, (output.get("text"),))))


def ended(report: Report, *, is_posted: bool = True) -> str:
    """The check of a review."""
    comments = {finding.id: URL for finding in report.findings} if is_posted else {}
    body = check_run.completed(
        report, OPTIONS, completed_at=AT, marker=MARKER, comments=comments, links=LINKS
    )[-1]
    shown = check(body)
    for entry in body["output"].get("annotations", ()):
        place = f"{entry['path']}:{entry['start_line']}"
        shown += f"\n\n{entry['annotation_level']} at {place}: {entry.get('title', '')}"
        shown += f"\n\n{entry['message']}"
    return shown


def title_of(report: Report) -> str:
    """The conclusion and the title of a check, whose text is like that of the summary comment."""
    return ended(report).partition("\n")[0]


def summaries() -> Iterator[Example]:
    """The summary comment."""
    yield Example("The first review has findings.", summary(REVIEW, suggestions=2))
    yield Example("A later push resolves a finding and has a new one. GitHub lets only a person"
        " resolve the conversation.", later())  # fmt: skip
    yield Example("Everything was read, and nothing was found.", summary(CLEAN))
    yield Example("No model, rule or linter read a source file.", summary(SHALLOW))
    yield Example("A file could not be reviewed.", summary(INCOMPLETE))
    yield Example(
        "The job of a pull request from a fork, or by Dependabot, got no key.", summary(FORK)
    )
    yield Example("The configuration of the base is invalid.", summary(MISTAKEN))


def comments() -> Iterator[Example]:
    """Comments on lines and reviews."""
    yield Example("A finding of a model has a suggestion.", comment(suggestion="    return None"))
    yield Example("A finding of a model has none.", comment(suggestion=None))
    yield Example(
        "A rule or linter reports a finding.", comment(suggestion=None, is_of_a_rule=True)
    )
    review = review_text(
        REVIEW, 2, elsewhere=plan_comments((FOUND,), (), marker=str, links=LINKS).rest
    )
    yield Example("The review that has these comments.", review.text)


def withdrawn(evidence: Evidence) -> str:
    """The answer that withdraws a finding."""
    place = AnswerPlace(
        pull=PullName("acme/shop", 7),
        head=LINKS.head,
        base=LINKS.base or "",
        page=LINKS.repository,
        thread=1,
        node="",
        key="",
        path=evidence.path,
        digest="",
        whole_digest="",
    )
    words = (
        "The query is built from parameters two lines below, so no text of a customer reaches it."
    )
    reply = ev.ReplyDecision("withdrawn", evidence)
    answer = ev.ReviewAnswer(words, "claude-sonnet-5-5", complete=True, reply=reply)
    return answer_text(replace(CLEAN, answer=answer), place, (), rerun=True)


def follow_ups() -> Iterator[Example]:
    """Replies in the thread of a finding."""
    fix = Evidence("shop/orders.py", 40, "    query = select(Order)")
    yield Example("A line fixes the finding beside its code.", fixed_by(fix, LINKS))
    resolved = "The code of the finding is gone, and GitHub lets us neither resolve nor hide it."
    yield Example(resolved, resolved_in(LINKS.head))
    yield Example("The code is back.", reopened_in(LINKS.head))
    wrong = "The code shows that a reply is right. The Action adds the sentence about the job."
    yield Example(wrong, withdrawn(fix))
    yield Example("A reply to a finding of a rule or linter.", replies.OF_A_RULE)
    yield Example("A reply that could not be answered.", NOT_LOOKED.format(_REASON))
    yield Example("A thread has had three answers.", replies.THREAD_LIMIT)
    yield Example("A person has had ten answers.", replies.PERSON_LIMIT)
    yield Example("A pull request has had 30 answers.", replies.PULL_LIMIT)


_REASON: Final = "The model service is overloaded; try again later."


def commands() -> Iterator[Example]:
    """Answers to commands."""
    note = record(id="d" * 16, title="The name is vague")
    error = record(id="e" * 16, title=FOUND.title, severity="error")
    prior = Prior(block=StateBlock("", records=(note, error)))
    away = replace(prior, dismissed={note.id: "octo"})
    yield Example(
        "`/ignore` by a person with write access.", ignored(prior, error.id, may_write=True)[0]
    )
    yield Example(
        "`/ignore` of a warning by the author without it.",
        ignored(prior, note.id, may_write=False)[0],
    )
    yield Example(
        "`/ignore` of an error by the author without it.",
        ignored(prior, error.id, may_write=False)[0],
    )
    yield Example("`/ignore` with an unknown id.", ignored(prior, "f" * 16, may_write=True)[0])
    yield Example("`/ignore undo`.", undone(prior, note.id, may_write=True)[0])
    yield Example(
        "`/ignore undo` by the author, of the dismissal of another person.",
        undone(away, note.id, may_write=False)[0],
    )
    yield Example("`/pause`.", paused_text(Pause("octo", AT)))
    yield Example("`/resume`.", RESUMED)
    yield Example("`/explain` outside of the thread of a finding.", NO_FINDING)
    yield Example("`/ask` without a question.", NO_QUESTION)
    answer = ev.ReviewAnswer("The lock guards the table.", "claude-sonnet-5-5", complete=True)
    yield Example("`/ask` or `/explain`.", reply_text(replace(CLEAN, answer=answer), ()))
    yield Example("`/help`.", help_text())


def checks() -> Iterator[Example]:
    """The check."""
    first = check_run.created(head_sha=LINKS.head, external_id="7:x", started_at=AT)
    yield Example("The review begins.", check(first), "text")
    progress = ev.ReviewProgress(1, 4, 1, 4, 1, ev.Usage(4_000, 300), 0.02, "reading shop/tax.py")
    running = replace(REVIEW, outcome=None)
    yield Example("The review runs.", check(check_run.updated(running, progress)), "text")
    waiting = check_run.updated(running, replace(progress, activity=None), "14:05")
    yield Example("The model service is overloaded (HTTP 529).", check(waiting), "text")
    brief = replace(REVIEW, summary=None)
    yield Example("The findings have comments.", ended(brief))
    yield Example(
        "A finding has no comment, for example because of `max_inline`.",
        ended(replace(REVIEW, findings=(FOUND,), summary=None), is_posted=False),
    )
    yield Example("Everything was read, and nothing was found.", title_of(CLEAN), "text")
    yield Example("A source file was not read.", title_of(SHALLOW), "text")
    yield Example("A file could not be reviewed.", title_of(INCOMPLETE), "text")
    yield Example(
        "Rules and linters alone read the pull request of a fork.", title_of(FORK), "text"
    )
    yield Example("The configuration of the base is invalid.", title_of(MISTAKEN), "text")
    pause = paused_result(
        Pause("octo", AT),
        Prior(),
        BotIdentity("x"),
        LINKS.head,
        Settings(model=ModelChoice("m"), model_source="a test"),
    )
    yield Example("Reviews are paused.", check(check_run.ended(*pause, completed_at=AT)), "text")
    run = check_run.restated(first, "8:y", AT)
    yield Example("Another pull request at the same commit failed.", check(run), "text")


def merge_groups() -> Iterator[Example]:
    """The checks of merge groups, at the commits of the groups."""
    source = CheckSource("acme/shop", "https://github.com/acme/shop", "reviewbot", 1)
    run = "https://github.com/acme/shop/runs/1"
    passed = PullResult(7, "a" * 40, "success", url=run)
    failed = PullResult(8, "b" * 40, "failure", url=run)
    neutral = PullResult(9, "c" * 40, "neutral", url=run)
    missing = PullResult(8, "b" * 40, "missing", NO_CHECK)
    for when, results in (
        ("A merge group has one pull request.", (passed,)),
        ("One of three has failed.", (passed, failed, neutral)),
        ("One of two has no check.", (passed, missing)),
    ):
        yield Example(when, check(ended_group(GroupResult(results), source, AT)), "text")


def jobs() -> Iterator[Example]:
    """The log and the summary of a job."""
    review = replace(REVIEW, summary=None)
    first = verdict(review, "error")
    yield Example(
        "The summary of a job whose findings have comments.",
        render_job_summary(
            review,
            verdict=first,
            links={finding.id: URL for finding in REVIEW.findings},
            brief={finding.id for finding in REVIEW.findings},
        ),
    )
    rule = replace(FOUND, rule="ruff/S608", model="ruff", sources=("ruff/S608",))
    forked = replace(FORK, outcome="findings", findings=(rule,))
    yield Example(
        "The summary of the job of a fork, which has no comments.",
        render_job_summary(forked, verdict=verdict(forked, "error")),
    )
    yield Example("The job fails.", render_job(f"{first} {SUMMARY}", (), has_failed=True), "text")
    yield Example(
        "The job passes.",
        render_job(f"{verdict(CLEAN, 'error')} {SUMMARY}", (), has_failed=False),
        "text",
    )
    yield Example(
        "A finding has neither a comment nor a check.",
        render_job(first, (FOUND,), has_failed=True),
        "text",
    )
    yield Example("There was no review.", failure("unsupported event push"), "text")
    yield Example("There is more to know.", notice(NO_SECRETS), "text")


SECTIONS: Final = (
    ("The summary comment", summaries),
    ("Comments on lines", comments),
    ("Replies in threads", follow_ups),
    ("Answers to commands", commands),
    ("The check", checks),
    ("The check of a merge group", merge_groups),
    ("The job", jobs),
)


def page() -> str:
    """The page."""
    parts = [INTRODUCTION]
    for heading, examples in SECTIONS:
        lines: list[str] = []
        blocks: list[str] = []
        for example in examples():
            (blocks if "\n" in example.text.strip("\n") else lines).append(_shown(example))
        parts += [f"## {heading}\n", *blocks, *(["\n".join(lines) + "\n"] if lines else [])]
    return "\n".join(parts)


def _shown(example: Example) -> str:
    """A text of one line as inline code, and any other as a block."""
    text = example.text.rstrip("\n")
    seen = f" *Visible: {visible_length(text):,}.*" if example.language == "markdown" else ""
    if "\n" not in text:
        return f"- {example.when} {code_span(text, limit=len(text))}"
    return f"{example.when}{seen}\n\n`````{example.language}\n{text}\n`````\n"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
