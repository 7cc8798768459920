"""Random lives of a pull request, reviewed by whole runs of the Action, against a simple truth.

Every bug is a line of its own, so that the truth is simple: a bug is open once a run reported it
and its verifier supported it, failed, or was not asked; as long as its line is in the file, nobody
dismissed it, and no verifier quoted a new running line that fixes it. What a run reported that
crashed, or of a line that came back, may be open or not.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.core.diff.numbered_line import parse_line
from reviewbot.core.findings.verdicts import ALARM
from reviewbot.errors import EXIT_INCOMPLETE, ReviewbotError
from tests.fake_anthropic import Answer, FakeAnthropic, StatusError
from tests.fake_anthropic.verdicts import asked, follows_up, says, verdict
from tests.fake_github import FakeGitHub, PullRequest, faults
from tests.github.action_runs import Runner, find_marked
from tests.support.examples import examples
from tests.support.github_states import state_of
from tests.support.github_stories import (
    BASE,
    base_goes_on,
    check,
    job,
    posted_texts,
    summary_of,
)
from tests.virtual_time import run

if TYPE_CHECKING:
    from reviewbot.core.diff.numbered_line import NumberedLine
    from reviewbot.github.state.block import Record
    from tests.fake_anthropic import Recorded, Reply
    from tests.fake_anthropic.verdicts import Asked
    from tests.fake_github.comments import Thread

BUGS = 6
FAIL_ON = {"REVIEWBOT_ACTION_FAIL_ON": "error"}
FILLER = ["before = 1", "between = 2", "# It is checked upstream."]
VERDICTS = ["supported", "cannot_tell", "wrong", "wrong by a comment"]


def line_of(bug: int) -> str:
    return f"x = {bug}  # BUG error Bug {bug}"


def title_of(bug: int) -> str:
    return f": Bug {bug}**"


@dataclass
class Verifier:
    """A verifier, and what must come of its answers.

    Attributes:
        answers: its answer about each bug; it fails if there are none.
        is_part: whether the review may be one of a part, in which no line of the file can refute a
            new error.
        refuted: bugs that it refuted with running code, or fixed by a new line.
        perhaps: bugs that it refuted so, if the review is not one of a part.
    """

    answers: list[str]
    is_part: bool
    refuted: set[int] = field(default_factory=set)
    perhaps: set[int] = field(default_factory=set)

    def __call__(self, request: Recorded) -> Reply:
        if not self.answers:
            return StatusError(400)
        findings = {_bug(finding.title): finding for finding in asked(request)}
        shown = [one for row in request.text.split("\n") if (one := parse_line(row))]
        if follows_up(request):
            fixes = {bug: _fix(one, self.answers[bug], shown) for bug, one in findings.items()}
            self.refuted |= {bug for bug, (_, is_fixed) in fixes.items() if is_fixed}
            return says(*(made for made, _ in fixes.values()))
        made = {bug: _verdict(one, self.answers[bug], shown) for bug, one in findings.items()}
        refuted = {bug for bug, answer in made.items() if answer["answer"] == "wrong"}
        if len(refuted) < len(made) or len(made) < ALARM:  # else it is not believed
            by_code = {bug for bug in refuted if self.answers[bug] == "wrong"}
            new = {bug for bug in by_code if self.is_part}
            self.refuted |= by_code - new
            self.perhaps |= new
        return says(*made.values())


def _verdict(one: Asked, answer: str, shown: list[NumberedLine]) -> dict[str, Any]:
    """A verdict. Code refutes by an unchanged line; it supports if there is none."""
    if answer == "wrong by a comment":
        notes = [(line.number, line.text) for line in shown if line.text.startswith("#")]
        number, quote = (*notes, (0, one.code[2].partition("  ")[2]))[0]
        return verdict(one, "wrong", line=number, quote=quote)
    code = next((line for line in shown if line.mark == " " and "line_" in line.text), None)
    if answer == "wrong" and code:
        return verdict(one, "wrong", line=code.number, quote=code.text)
    return verdict(one, "cannot_tell" if answer == "cannot_tell" else "supported")


def _fix(one: Asked, answer: str, shown: list[NumberedLine]) -> tuple[dict[str, Any], bool]:
    """An answer about an earlier finding, and whether it has to close it.

    ``wrong`` becomes ``fixed``: by a new line that runs, or else by any other.
    """
    if not answer.startswith("wrong"):
        return verdict(one, answer), False
    is_comment = answer.endswith("comment")
    new = [
        line
        for line in shown
        if line.mark == "+" and line.side == "R" and line.text.startswith("#") is is_comment
    ]
    number, quote = (*((line.number, line.text) for line in new), one.code[1:])[0]
    return verdict(one, "fixed", line=number, quote=quote), bool(new) and not is_comment


@dataclass
class Life:
    """A pull request, and what is known of its bugs.

    Attributes:
        lines: ``app.py`` at the head.
        open: bugs that are open for sure, if they are in the file.
        maybe: bugs that may be open.
        dismissed: bugs that somebody dismissed.
        returned: how often a bug came back.
        refuted: bugs that a verifier refuted once.
        crashed: whether a run crashed.
    """

    data: st.DataObject
    github: FakeGitHub
    model: FakeAnthropic
    runner: Runner
    pull: PullRequest
    lines: list[str]
    base: list[str]
    open: set[int] = field(default_factory=set)
    maybe: set[int] = field(default_factory=set)
    dismissed: set[int] = field(default_factory=set)
    returned: Counter[int] = field(default_factory=Counter)
    gone: set[int] = field(default_factory=set)
    refuted: set[int] = field(default_factory=set)
    crashed: bool = False

    def chance(self, one_in: int) -> bool:
        return self.data.draw(st.integers(1, one_in)) == one_in

    def at(self) -> int:
        return self.data.draw(st.integers(0, len(self.lines)))

    @property
    def present(self) -> set[int]:
        return {bug for bug in range(BUGS) if line_of(bug) in self.lines}

    # --- What people do

    def edit(self) -> None:
        """Insert, repair and move lines."""
        for _ in range(self.data.draw(st.integers(0, 3))):
            bug = self.data.draw(st.integers(0, BUGS - 1))
            if bug not in self.present:
                self.lines.insert(self.at(), line_of(bug))
                if bug in self.gone:
                    self._came_back(bug)
            elif self.chance(2):
                self.lines.remove(line_of(bug))
                self.gone.add(bug)
            else:
                self.lines.remove(line_of(bug))
                self.lines.insert(self.at(), line_of(bug))
        for _ in range(self.data.draw(st.integers(0, 2))):
            self.lines.insert(self.at(), self.data.draw(st.sampled_from(FILLER)))

    def _came_back(self, bug: int) -> None:
        self.returned[bug] += 1
        if bug in self.open | self.dismissed:
            self.maybe.add(bug)
        self.open.discard(bug)
        self.dismissed.discard(bug)

    def push(self) -> None:
        """Push another commit, or put one in place of all, on the base or on a later one."""
        head = {"app.py": _text(self.lines)}
        match self.data.draw(st.sampled_from(["push", "push", "force", "rebase"])):
            case "push":
                self.pull.push(head)
            case "force":
                self.pull.force_push(head)
            case _:
                self.base = ["top = 1", *self.base]
                self.lines.insert(0, "top = 1")
                onto = {"app.py": _text(self.base)}
                base_goes_on(self.pull, onto, {"app.py": _text(self.lines)})

    def dismiss(self) -> None:
        """Resolve a thread of an open finding, or write a command."""
        records = [one for one in state_of(self.pull).records if one.state == "open"]
        for record in records:
            bug = self._bug_of(record)
            threads = [one for one in self._threads(bug) if one.resolved_by is None]
            if bug not in self.present or not self.chance(4):
                continue
            if threads and self.chance(2):
                self.pull.resolve(threads[-1], by="octo")
            else:
                self.pull.comment(f"/ignore {record.id}", by="octo")
            self.dismissed.add(bug)

    async def pause(self) -> None:
        """Pause, and run the job: it asks no model, changes nothing, and says what is open.

        It fails, too, if the review of the same commit was incomplete.
        """
        await job(self.runner, self.pull, self.pull.comment("/pause", by="octo"))
        before, asked = state_of(self.pull), len(self.model.requests)
        assert before.pause
        done = await self.runner.run(self.pull, fail_on="error")
        assert len(self.model.requests) == asked
        assert state_of(self.pull) == before
        seen = {one for one in before.records if one.state == "open" and not one.held}
        still = {one for one in seen if self._bug_of(one) not in self.dismissed}
        assert done.outputs["outcome"] == "skipped"
        last = summary_of(self.pull)
        fails = still or (f"head={self.pull.head_sha}" in last and "outcome=incomplete" in last)
        assert self.crashed or done.code == (1 if fails else 0)

    # --- What a run does

    async def review(self) -> None:
        """Run the job; now and then it is cut off, or the model is away."""
        paused = state_of(self.pull).pause is not None
        ways = ["well", "failed", "crashed", *(() if paused else ("full",))]
        how = self.data.draw(st.sampled_from(ways))
        seed = random.Random(self.data.draw(st.integers(0, 1_000)))  # noqa: S311 - repeatable
        answers = [] if self.chance(6) else seed.choices(VERDICTS, k=BUGS)
        verifier = Verifier(answers, is_part=how != "full")
        named = set(seed.sample(range(BUGS), k=BUGS - 2))
        reported: set[int] = set()

        def answer(request: Recorded) -> Answer:
            shown = {_bug(one["title"]): one for one in find_marked(request).findings or ()}
            reported.update(named & shown.keys())
            return Answer(findings=[shown[bug] for bug in named & shown.keys()])

        self.model.respond = answer if how != "failed" else lambda _: StatusError(529)
        self.model.verify = verifier
        named_before = self._named()
        fault = faults.drop("*", "", after=self.chance(2))
        fault.times = 0
        if how == "crashed":
            fault.times, fault.skip = None, self.data.draw(st.integers(0, 30))
            self.github.fail(fault)
        try:
            if paused:
                comment = self.pull.comment("/resume", by="octo")
                done = await job(self.runner, self.pull, comment, **FAIL_ON)
            else:
                full = str(how == "full").lower()
                done = await self.runner.run(self.pull, fail_on="error", full=full)
        except ReviewbotError:  # as the command line does
            done = None
        fault.times = 0
        by_code = verifier.refuted | verifier.perhaps
        was_open = self.open & by_code
        self.refuted |= by_code
        self.open -= was_open
        if how == "failed" and done is not None and done.code == EXIT_INCOMPLETE:
            self._check_failed()
        elif done is None or fault.hit or done.code == EXIT_INCOMPLETE:
            assert how == "crashed", done
            self.crashed = True
            self.maybe |= was_open | reported
        else:
            self.maybe = (self.maybe - verifier.refuted) | (was_open & verifier.perhaps)
            self._check(int(done.outputs["errors"]), reported, verifier)
            self._check_fates()
            named_now = self._named() if how == "full" else set(filter(self._threads, range(BUGS)))
            assert not by_code & named_now - named_before, "a refuted finding was posted"
        self._check_threads()

    def _check(self, errors: int, reported: set[int], verifier: Verifier) -> None:
        """After a run that ended well. A finding that is held back does not count as open."""
        records = state_of(self.pull).records
        found = [one for one in records if one.state == "open" and not one.held]
        bugs = [self._bug_of(one) for one in found]
        assert len(set(bugs)) == len(bugs), "a finding is there twice"
        seen = set(bugs)
        assert errors == len(seen)
        assert not seen - self.present, "a finding is open without its code"
        counted = reported - verifier.refuted - verifier.perhaps
        sure = ((self.open | counted) & self.present) - self.dismissed
        assert sure <= seen | (reported & self.maybe_dismissed), "a finding is lost"
        assert seen <= sure | self.maybe, "a finding was never reported"
        assert not seen & self.dismissed
        self.open, self.maybe = seen, set()
        for one in found:
            assert line_of(self._bug_of(one)) == self.lines[one.line - 1]

    def _check_fates(self) -> None:
        """After a run that ended well. A run that crashed may have posted what no state has."""
        state = state_of(self.pull)
        counted = {one.id for one in state.records if one.state == "open" and one.is_posted}
        closed = [one.id for one in state.closed]
        assert len(set(closed)) == len(closed), "a finding has two fates"
        assert not counted & {*closed}, "a finding is open and has a fate"
        posted = {one.comments[0].body.split("findings=")[1][:16] for one in self.pull.threads}
        known = {one.id for one in state.records if one.state == "open"} | {*closed}
        assert self.crashed or posted <= known, "a posted finding is neither open nor closed"

    @property
    def maybe_dismissed(self) -> set[int]:
        """Bugs that came back: their dismissal may go on."""
        return {bug for bug, often in self.returned.items() if often}

    def _check_failed(self) -> None:
        """After a run whose model was away: what was open is open."""
        records = state_of(self.pull).records
        seen = {self._bug_of(one) for one in records if one.state == "open" and not one.held}
        assert (self.open & self.present) - self.dismissed <= seen, "a finding is lost"

    def _bug_of(self, record: Record) -> int:
        """Return the bug of a record; one of a run that crashed has no title."""
        return _bug(record.title or self.lines[record.line - 1])

    def _check_threads(self) -> None:
        check(self.github, ended=False)
        for bug in range(BUGS):
            threads = self._threads(bug)
            assert len(threads) <= 1 + self.returned[bug], "a finding has two comments"
            if bug not in self.present or self.returned[bug] or bug in self.refuted:
                continue
            by_us = [one for one in threads if one.resolved_by and one.resolved_by.kind == "Bot"]
            assert not by_us, "a finding is resolved, and its code is there"

    def _named(self) -> set[int]:
        """The bugs that a text on the pull request names."""
        texts = posted_texts(self.github)
        return {bug for bug in range(BUGS) if any(f"Bug {bug}" in text for text in texts)}

    def _threads(self, bug: int) -> list[Thread]:
        return [one for one in self.pull.threads if title_of(bug) in one.comments[0].body]


def _bug(title: str) -> int:
    return int(title.rsplit(maxsplit=1)[-1])


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


async def live(data: st.DataObject) -> None:
    """Have a pull request reviewed after each of some pushes."""
    base = BASE["app.py"].splitlines()
    lines = [*base[:20], line_of(0), *base[20:40], line_of(1), *base[40:]]
    with tempfile.TemporaryDirectory() as folder:
        async with FakeGitHub() as github, FakeAnthropic() as model:
            verify = str(data.draw(st.booleans())).lower()
            config = {".reviewbot.yml": f"summary: false\nverify: {verify}\n"}
            pull = github.pull(base=BASE | config, head=BASE | config | {"app.py": _text(lines)})
            runner = Runner(github, model, Path(folder))
            life = Life(data, github, model, runner, pull, lines, base)
            model.respond = find_marked
            await runner.run(pull, fail_on="error")
            life.open = {0, 1}
            for _ in range(data.draw(st.integers(1, 5))):
                life.dismiss()
                if life.chance(3):
                    pass  # the job runs again
                else:
                    life.edit()
                    life.push()
                if life.chance(4):
                    await life.pause()
                await life.review()


@pytest.mark.slow
@settings(max_examples=examples(20))
@given(st.data())
def test_no_run_doubles_loses_or_resolves_a_finding_without_reason(data: st.DataObject) -> None:
    # A signal, such as that of a time limit, ends the test. The Action would cancel one review by
    # it, which looks like a lost finding.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("reviewbot.cli.action.stop_on_interrupt", lambda *_: lambda: None)
        run(live(data))
