"""Checks of the scripts in GitHub workflows.

A script is a long YAML scalar, which a grammar gives as a whole, so the lines are read here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reviewbot.core.late_pattern import late_pattern
from reviewbot.models.offline.docker_text import PLAIN_DOWNLOAD, VERIFICATION_OFF

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

INJECTION: Final = "workflow/injection"
SECRET: Final = "workflow/secret-in-log"  # noqa: S105 - the id of a rule
IMAGE: Final = "workflow/secret-in-image"
UNVERIFIED: Final = "workflow/unverified-download"
HIDDEN: Final = "workflow/failure-hidden"

_KEY: Final = late_pattern(r"""[ ]*(?:-[ ]+)*["']?(?P<key>[\w-]+)["']?[ ]*:(?:[ ]+|$)""")
_SCRIPTS: Final = frozenset({"run", "script"})
_BLOCK: Final = late_pattern(r"[ ]*[|>][-+0-9]*[ ]*(?:#.*)?$")
_EXPRESSION: Final = late_pattern(r"\$\{\{(?P<code>[^{}\n]{1,400})\}\}")
# The values that whoever opens an issue, comments, or pushes a branch of a fork writes freely.
_UNTRUSTED: Final = late_pattern(
    r"""\bgithub\.(?:head_ref\b
      | event\.(?:issue|pull_request|discussion|comment|review|review_comment)\.(?:title|body)\b
      | event\.pull_request\.head\.(?:ref|label|repo\.default_branch)\b
      | event\.(?:head_commit|commits(?:\[\d+\]|\.\*)?)\.(?:message|author\.(?:name|email))\b
      | event\.workflow_run\.(?:head_branch|display_title|head_commit\.message)\b
      | event\.pages(?:\[\d+\]|\.\*)?\.page_name\b)""",
    re.VERBOSE,
)
_COMPARES: Final = late_pattern(r"==|!=|\b(?:contains|startsWith|endsWith)\(")
"""An expression that gives true or false, whatever the value holds."""
_SECRET: Final = late_pattern(r"\bsecrets\.\w+")
_PRINTS: Final = late_pattern(
    r"[ ]*(?:-[ ]+)*(?:run:[ ]*)?[\"']?(?:echo|printf)\b"
    r"(?![^\n]*[|>](?![ ]*(?:base64|rev|xxd|sed|tr|fold)\b[^|>\n]*$))"
)
"""A command whose output is the log, encoded or not."""
_IN_IMAGE: Final = late_pattern(
    r"""--build-arg[ =]["']?(?!\w*(?:PUBLIC|VITE_|REACT_APP_|VERSION|_ID\b|_URL\b|DSN))
      \w+=["']?\$\{\{\s*(?P<secret>secrets\.\w+)""",
    re.VERBOSE,
)
_HIDDEN: Final = late_pattern(
    r"""[ ]*(?:-[ ]+)*(?:run:[ ]*)?["']?
      (?P<command>(?:npm|yarn|pnpm)[ ](?:run[ ])?(?:test|build|ci)|pytest|go[ ]test|make[ ]test
      |cargo[ ]test|\./(?:gradlew|mvnw)|mvn|dotnet[ ]test|terraform[ ](?:plan|apply)|ctest)
      \b[^|;&\n]*(?:2>&1[ ]*)?\|&?[ ]*tee\b""",
    re.VERBOSE,
)
_SETS_PIPEFAIL: Final = late_pattern(r"pipefail|\bshell:[ ]*bash\b|PIPESTATUS")
_ENVIRONMENT: Final = late_pattern(
    r"[ ]+(?P<name>[A-Za-z_]\w*):[ ]*[\"']?\$\{\{(?P<code>[^{}\n]{1,400})\}\}"
)


def check_workflow(lines: Sequence[str]) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Yield the problems in the scripts in the new side of a hunk of a workflow.

    Only scripts whose ``run:`` or ``script:`` is among the lines are read.

    Yields:
        The rule's id, the index of the line, and values for the rule's texts.
    """
    script: int | None = None
    outside = frozenset(_names_from_outside(lines))
    hides = not any(map(_SETS_PIPEFAIL.search, lines))
    for index, line in enumerate(lines):
        code = line.lstrip(" ")
        if not code:
            continue
        if script is not None and len(line) - len(code) <= script:
            script = None
        if script is None:
            key = _KEY.match(line)
            if not key or key["key"] not in _SCRIPTS:
                continue
            if _BLOCK.match(line, key.end()):
                script = key.start("key")
                continue
        yield from _check_line(index, line, outside)
        if hides and (match := _HIDDEN.match(line)):
            yield HIDDEN, index, {"COMMAND": match["command"]}


def _names_from_outside(lines: Sequence[str]) -> Iterator[str]:
    """Yield the variables that an outsider writes, as expressions name them."""
    for line in lines:
        match = _ENVIRONMENT.match(line)
        if match and _UNTRUSTED.search(match["code"]) and not _COMPARES.search(match["code"]):
            yield f"env.{match['name']}"


def _check_line(
    index: int, line: str, outside: frozenset[str]
) -> Iterator[tuple[str, int, dict[str, str]]]:
    for expression in _EXPRESSION.finditer(line):
        code = expression["code"]
        value = _UNTRUSTED.search(code)
        if value and not _COMPARES.search(code):
            yield INJECTION, index, {"VALUE": value[0]}
            break
        if code.strip() in outside:
            yield INJECTION, index, {"VALUE": code.strip()}
            break
    if match := _IN_IMAGE.search(line):
        yield IMAGE, index, {"SECRET": match["secret"]}
    if match := VERIFICATION_OFF.search(line):
        yield UNVERIFIED, index, {"OPTION": " ".join(match["option"].split())}
    elif match := PLAIN_DOWNLOAD.search(line):
        yield UNVERIFIED, index, {"OPTION": match["address"]}
    for expression in _EXPRESSION.finditer(line):
        secret = _SECRET.search(expression["code"])
        if secret and _PRINTS.match(line) and "::add-mask::" not in line:
            yield SECRET, index, {"SECRET": secret[0]}
            break
