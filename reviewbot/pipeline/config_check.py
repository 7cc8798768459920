"""Check a configuration: that of a base as far as its loader cannot, and one that a change edits.

The file of a change is data of a stranger. Its size, its mistakes and their texts are bounded, and
no text of it is Markdown. It is never used: the configuration of the base decides about a review.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from reviewbot.config.file import mistakes_of
from reviewbot.config.load import MOST_BYTES, ambiguous_file_error, text_of
from reviewbot.config.settings import load_settings
from reviewbot.core.findings.finding import Finding, Placement, fingerprint
from reviewbot.core.safety.escape import cut
from reviewbot.core.safety.redact import redact_text
from reviewbot.core.safety.safe_text import safe_line
from reviewbot.errors import ConfigError
from reviewbot.models.catalog import lookup
from reviewbot.pipeline.patterns import check_patterns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.config.settings import Settings
    from reviewbot.core.diff.parse import FileDiff

RULE: Final = "config/invalid"
"""Rule of the findings about the configuration file of a change."""
MOST_FINDINGS: Final = 20
MOST_QUOTE: Final = 1_000
MOST_MESSAGE: Final = 600
MOST_TITLE: Final = 120
"""Maximum characters of a quote, of the sentence about a mistake, and of a title."""
_WRITER: Final = "offline"
_OTHER_BREAKS: Final = re.compile("[\r\x85\u2028\u2029]")
"""Line breaks of YAML that are none of git: with them, the two count lines differently."""
_SCENARIO: Final = (
    "Once this is merged, no model reads any pull request, and every check of reviewbot fails until"
    " the file is correct."
)


def check_settings(settings: Settings) -> None:
    """Check the patterns of the settings, and the capabilities of their models.

    Raises:
        ConfigError: one is invalid. The error names the setting, and the file and line if known.
    """
    try:
        check_patterns(settings)
        for choice in settings.choices:
            lookup(choice.name, settings.models)
    except ConfigError as error:
        setting = (error.key or "").partition(".")[0].partition("[")[0]
        source = error.source or settings.origins.get(setting)
        raise ConfigError(error.message, source=source, key=error.key) from error


def config_findings(
    files: Sequence[FileDiff], contents: Mapping[str, bytes | None]
) -> tuple[Finding, ...]:
    """Return the mistakes in the configuration file of a change, one finding for each line.

    Not in an event loop: it searches text for secrets.

    Args:
        files: the diff of the change.
        contents: the possible configuration files of its head, by path; None for a missing one.
            Only those that the diff has are checked.
    """
    there = [path for path, data in contents.items() if data is not None]
    found: list[Finding] = []
    for file in files:
        data = contents.get(file.path)
        if data is not None:
            found += _findings(file, data, is_alone=len(there) == 1)
    return tuple(found[:MOST_FINDINGS])


def _findings(file: FileDiff, data: bytes, *, is_alone: bool) -> list[Finding]:
    text = data[:MOST_BYTES].decode("utf-8", "replace")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    has_other_breaks = any(_OTHER_BREAKS.search(line) for line in lines)
    by_line: defaultdict[int, list[ConfigError]] = defaultdict(list)
    for mistake in _mistakes(file.path, data, is_alone=is_alone):
        line = None if has_other_breaks else mistake.line
        line = _first_change(file) if line is None else line
        by_line[max(1, min(line, len(lines)))].append(mistake)
    return [_finding(file, line, lines[line - 1], by_line[line]) for line in sorted(by_line)]


def _mistakes(path: str, data: bytes, *, is_alone: bool) -> list[ConfigError]:
    try:
        if not is_alone:
            raise ambiguous_file_error(path)
        text = text_of(data, path)
        if mistakes := mistakes_of(text, name=path, most=MOST_FINDINGS):
            return mistakes
        settings = load_settings(flags={}, env={}, config_text=text, config_name=path)
        check_settings(settings)
    except ConfigError as error:
        source, _, line = (error.source or "").rpartition(":")
        is_in_file = source == path and line.isascii() and line.isdigit()
        return [
            ConfigError(
                error.message,
                source=path,
                key=error.key,
                line=int(line) if is_in_file else error.line,
            )
        ]
    return []


def _finding(file: FileDiff, line: int, text: str, mistakes: Sequence[ConfigError]) -> Finding:
    quote = cut(redact_text(text), MOST_QUOTE)
    texts = (f"{each.key}: {each.message}" if each.key else each.message for each in mistakes)
    sentences = [safe_line(redact_text(text), limit=MOST_MESSAGE) for text in texts]
    is_shown = any(hunk.new_start <= line < hunk.new_start + hunk.new_count for hunk in file.hunks)
    placement = Placement("inline")
    if not is_shown:
        placement = Placement("file", f"The change does not show line {line:,} of this file.")
    return Finding(
        id=fingerprint(file.path, RULE, quote),
        path=file.path,
        quote=quote,
        side="RIGHT",
        line=line,
        end_line=line,
        scenario=_SCENARIO,
        category="bug",
        severity="error",
        confidence=1.0,
        title=safe_line(redact_text(_title(mistakes)), limit=MOST_TITLE),
        message="\n\n".join(sentences),
        suggestion=None,
        rule=RULE,
        model=_WRITER,
        chunk="",
        attempt=1,
        placement=placement,
        sources=(RULE,),
    )


def _title(mistakes: Sequence[ConfigError]) -> str:
    keys = [mistake.key for mistake in mistakes if mistake.key]
    return f"Invalid setting: {keys[0]}" if keys else "The configuration of reviewbot is invalid"


def _first_change(file: FileDiff) -> int:
    """Return the number of the first added line; that of the first hunk if no line is added."""
    for hunk in file.hunks:
        number = hunk.new_start - 1
        for kind, _ in hunk.iter_raw():
            number += kind != "removed"
            if kind == "added":
                return number
    return file.hunks[0].new_start if file.hunks else 1
