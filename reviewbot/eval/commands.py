"""Contestants that are commands: tools that print SARIF or rdjson, and PR-Agent.

The output of a command is hostile data, as the case that it reads.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.safety.redact import redact_text
from reviewbot.core.safety.safe_text import safe_line
from reviewbot.errors import ConfigError, SourceError
from reviewbot.eval.results import Comment, Result
from reviewbot.models.linters.imported import MAX_BYTES, MAX_LINE, read_results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reviewbot.eval.cases import Case

TIMEOUT_S: Final = 900.0
MAX_ISSUES: Final = 1_000
_TEXT: Final = 2_000
_OUTPUT: Final = "output"


@dataclass(frozen=True, slots=True)
class Command:
    """A tool that is run once for each case, without a shell.

    Args:
        name: name in the reports.
        template: command line with ``{diff}``, ``{repository}``, ``{base}``, ``{head}`` and
            ``{url}``; ``{diff}`` is a file, the others are fields of the case.
        read: reads the comments from the output.
        variable: environment variable that names the file for the output; empty for a command that
            prints its output.
        timeout_s: seconds after which the command is ended.
    """

    name: str
    template: str
    read: Callable[[bytes, Case], tuple[Comment, ...]]
    variable: str = ""
    timeout_s: float = TIMEOUT_S

    @property
    def spec(self) -> str:
        """The command line, without secrets: reports are published."""
        return f"command {redact_text(self.template)}"

    def estimate(self, case: Case) -> float | None:
        """Return None: nobody knows what the command costs."""
        del case
        return None

    async def review(self, case: Case, run: int) -> Result:
        """Run the command in an empty folder."""
        with TemporaryDirectory(prefix="reviewbot-eval-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            (folder / "change.diff").write_bytes(case.data)
            try:
                data = await self._run(case, folder)
                comments = await asyncio.to_thread(self.read, data, case)
            except SourceError as error:
                return Result(self.name, run, case.id, error=str(error))
        return Result(self.name, run, case.id, comments)

    async def _run(self, case: Case, folder: Path) -> bytes:
        """Return the output of the command.

        Raises:
            SourceError: the command cannot be run, does not end, or writes nothing.
        """
        output, errors = folder / _OUTPUT, folder / "errors"
        output.touch()
        environment = dict(os.environ)
        if self.variable:
            environment[self.variable] = str(output)
        printed = folder / "printed" if self.variable else output
        with printed.open("wb") as standard_output, errors.open("wb") as standard_error:
            try:
                process = await asyncio.create_subprocess_exec(
                    *arguments(self.template, case, folder / "change.diff"),
                    cwd=folder,
                    env=environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=standard_output,
                    stderr=standard_error,
                    start_new_session=True,
                )
            except OSError as error:
                raise SourceError(f"cannot run {self.name}: {error.strerror}") from error
            try:
                code = await asyncio.wait_for(process.wait(), self.timeout_s)
            except TimeoutError as error:
                raise SourceError(f"{self.name} did not end in {self.timeout_s:g} s") from error
            finally:
                _kill(process)
                await process.wait()
        with output.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if not data.strip():
            with errors.open("rb") as file:
                said = file.read(_TEXT).decode("utf-8", "replace").strip().split("\n")[-1]
            reason = f": {safe_line(redact_text(said))}" if said else ""
            raise SourceError(f"{self.name} wrote nothing (exit code {code}){reason}")
        return data


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a process if it has not ended, and all that it started and left."""
    if os.name == "posix":
        with suppress(ProcessLookupError):  # nothing is left
            os.killpg(process.pid, signal.SIGKILL)
    elif process.returncode is None:
        process.kill()


def arguments(template: str, case: Case, diff: Path) -> list[str]:
    """Return the arguments of a command line for a case.

    Raises:
        ConfigError: the command line is empty, or its quotes are not closed.
        SourceError: it names a field that the case does not have.
    """
    fields = {
        "diff": str(diff),
        "repository": case.repository,
        "base": case.base,
        "head": case.head,
        "url": case.url,
    }
    found = []
    for part in split(template):
        for name, value in fields.items():
            if f"{{{name}}}" in part:
                # A value such as --option must not become an option of the tool.
                if not value or value.startswith("-") or not value.isprintable():
                    raise SourceError(f"the case has no valid {name} for {{{name}}}")
                part = part.replace(f"{{{name}}}", value)  # noqa: PLW2901 - the part, filled in
        found.append(part)
    return found


def split(template: str) -> list[str]:
    """Return the parts of a command line.

    Raises:
        ConfigError: it is empty, or its quotes are not closed.
    """
    try:
        parts = shlex.split(template)
    except ValueError as error:
        raise ConfigError(f"the command {template!r:.80} is invalid: {error}") from error
    if not parts:
        raise ConfigError("a command must not be empty")
    return parts


def results_command(name: str, template: str) -> Command:
    """Return the contestant of a command that prints SARIF or rdjson.

    Raises:
        ConfigError: the command line is invalid.
    """
    split(template)
    return Command(name, template, read_tool)


def pr_agent(name: str, template: str) -> Command:
    """Return the contestant of PR-Agent's command line.

    With ``github_action_config.enable_output``, PR-Agent appends the review as JSON to the file
    that ``GITHUB_OUTPUT`` names (``algo/utils.py`` at 0e37fc8).

    Raises:
        ConfigError: the command line is invalid.
    """
    split(template)
    return Command(name, template, read_pr_agent, variable="GITHUB_OUTPUT")


def read_tool(data: bytes, case: Case) -> tuple[Comment, ...]:
    """Return the results on lines that the diff shows: others are no comments on the change.

    Raises:
        SourceError: the data is neither SARIF nor rdjson.
    """
    shown = shown_lines(case)
    return tuple(
        Comment(
            path=hit.path,
            line=hit.line,
            end_line=hit.end_line,
            severity=hit.severity,
            text="\n".join(filter(None, (hit.title, hit.message))),
        )
        for hit in read_results(data, shown)
        if _touches(hit.line, hit.end_line, shown[hit.path])
    )


def read_pr_agent(data: bytes, case: Case) -> tuple[Comment, ...]:
    """Return the key issues of a review by PR-Agent. An issue off the diff is not inline.

    Raises:
        SourceError: the data has no review.
    """
    text = data.decode("utf-8", "replace")
    lines = [line for line in text.split("\n") if line.startswith("review=")]
    try:
        review = json.loads(lines[-1].removeprefix("review="))
        issues = review.get("key_issues_to_review") or []
    except (IndexError, ValueError, AttributeError, RecursionError) as error:
        raise SourceError(
            "PR-Agent wrote no review; run it with --github_action_config.enable_output=true"
        ) from error
    shown = shown_lines(case)
    found = issues if isinstance(issues, list) else []  # without an issue, it may be "No"
    return tuple(_issue(one, shown) for one in found[:MAX_ISSUES] if isinstance(one, dict))


def _issue(issue: Mapping[str, Any], shown: Mapping[str, Ranges]) -> Comment:
    path = str(issue.get("relevant_file", "")).strip().strip("`")
    first, last = (_line(issue.get(key)) for key in ("start_line", "end_line"))
    last = max(first, last)
    words = [str(issue.get(key, "")).strip() for key in ("issue_header", "issue_content")]
    return Comment(
        path=path,
        line=first,
        end_line=last,
        text="\n".join(filter(None, words))[:_TEXT],
        inline=path in shown and _touches(first, last, shown[path]),
    )


def _line(value: object) -> int:
    """Return a number of a line, which the model may have written as text; 0 if it is none."""
    text = str(value).strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    return min(number, MAX_LINE)


Ranges = tuple[range, ...]


def shown_lines(case: Case) -> dict[str, Ranges]:
    """Return the lines of the new files that the diff of a case shows, by path."""
    found: dict[str, Ranges] = {}
    for file in parse_diff(case.data):
        ranges = (range(hunk.new_start, hunk.new_start + hunk.new_count) for hunk in file.hunks)
        found[file.path] = (*found.get(file.path, ()), *ranges)
    return found


def _touches(first: int, last: int, shown: Iterable[range]) -> bool:
    return any(first < one.stop and last >= one.start for one in shown)
