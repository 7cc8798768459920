"""Load the rules of a repository from ``.reviewbot/rules/``, and check their cases.

The files come from the base of a change, never from its head: a change has no say in its review.
Their format is that of the built-in rules (:mod:`reviewbot.rules`), read strictly. Patterns and
regular expressions run only in the process that parses source code.
"""

from __future__ import annotations

import asyncio
import re
import stat
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reviewbot.errors import ConfigError
from reviewbot.models.offline.messages import Pattern
from reviewbot.models.offline.parser import Allowance, ParserHunk
from reviewbot.models.offline.parser_process import TOO_LONG, ParseError
from reviewbot.pipeline.workers import own_pool
from reviewbot.rules.folders import CUSTOM, languages_of
from reviewbot.rules.rule import CASES, parse_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from reviewbot.code.git_repository import GitRepository
    from reviewbot.config.file import ConfigFile
    from reviewbot.models.offline.parser import Parser
    from reviewbot.rules.rule import Rule

FOLDER: Final = ".reviewbot/rules"
"""Folder of the rules, at the root of a repository."""
ENDINGS: Final = (".yml", ".yaml")
"""Endings of files that are read. ``.yaml`` is an error, so that no rule is left out silently."""
MOST_RULES: Final = 50
MOST_BYTES: Final = 65_536
"""Most bytes of a file."""
MAX_DEPTH: Final = 40
"""Most levels of nesting in a rule."""
CHECK_S: Final = 20.0
"""Seconds for which the cases of all rules are parsed."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,59}\.yml")


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A rule with its cases, and the two files."""

    rule: Rule
    document: ConfigFile
    valid: tuple[str, ...]
    invalid: tuple[str, ...]
    cases: ConfigFile


def is_rule_file(name: str) -> bool:
    """Return whether a file of the folder is read."""
    return name.endswith(ENDINGS)


def check_number(names: Sequence[str], *, source: str) -> None:
    """Check the number of files before they are read.

    ``names`` are names or paths, and ``source`` names the folder in messages.

    Raises:
        ConfigError: there are more than :data:`MOST_RULES` rules.
    """
    if sum(not name.endswith(CASES) for name in names) > MOST_RULES or len(names) > 2 * MOST_RULES:
        raise ConfigError(f"holds more than {MOST_RULES} rules", source=source)


def read_from_git(repository: GitRepository) -> dict[str, bytes]:
    """Return the files of the folder at the base commit, by their paths.

    Raises:
        ConfigError: there are too many.
    """
    paths = [f"{FOLDER}/{name}" for name in repository.names(FOLDER) if is_rule_file(name)]
    check_number(paths, source=f"{FOLDER} of the base")
    return {path: repository.file(path) or b"" for path in paths}


def base_rules(repository: GitRepository) -> tuple[dict[str, Any], ...]:
    """Return the rules of a local repository at the base commit, as :func:`load_custom_rules` does.

    Not in an event loop: it waits for its own.

    Raises:
        ConfigError: there are too many, or a file is invalid.
    """
    files = read_from_git(repository)
    if not files:
        return ()
    return asyncio.run(load_custom_rules(files, name_of="{} of the base".format))


def read_from_folder(root: Path) -> dict[str, bytes]:
    """Return the files of the folder below ``root`` in a working tree, by their paths.

    Symbolic links are left out, as in a commit.

    Raises:
        ConfigError: there are too many, or one cannot be read.
    """
    folder = root / FOLDER
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [one for one in found if is_rule_file(one.name) and stat.S_ISREG(one.lstat().st_mode)]
    check_number([one.name for one in files], source=FOLDER)
    contents: dict[str, bytes] = {}
    for one in files:
        path = f"{FOLDER}/{one.name}"
        try:
            with one.open("rb") as file:
                contents[path] = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise ConfigError(f"cannot be read: {error.strerror}", source=path) from error
    return contents


def too_large_error(source: str) -> ConfigError:
    """Return the error for a file that is larger than :data:`MOST_BYTES`."""
    return ConfigError(f"is larger than {MOST_BYTES} bytes", source=source)


async def load_custom_rules(
    files: Mapping[str, bytes], parser: Parser | None = None, *, name_of: Callable[[str], str] = str
) -> tuple[dict[str, Any], ...]:
    """Return the rules in ``files`` as plain data, for :attr:`RunContext.custom_rules`.

    Args:
        files: content of each file in the folder, by its path.
        parser: the parser that runs the cases; None starts a separate process.
        name_of: returns the display name of a path.

    Raises:
        ConfigError: a file is invalid, or a rule does not do what its cases say. The error names
            the file and, if known, the line. Secrets in its message are replaced.
    """
    from reviewbot.config.file import redacted

    if not files:
        return ()
    try:
        loaded = _read_all(files, name_of)
        async with AsyncExitStack() as stack:
            if parser is None:
                parser = (await stack.enter_async_context(own_pool())).for_tenant("local")
            allowance = Allowance(CHECK_S)
            for one in loaded:
                await _check_cases(one, parser, allowance)
    except ConfigError as error:
        raise redacted(error) from None
    return tuple(one.document.values for one in loaded)


def _read_all(files: Mapping[str, bytes], name_of: Callable[[str], str]) -> list[_Loaded]:
    for path in sorted(files):
        if not _NAME.fullmatch(path.removeprefix(f"{FOLDER}/")):
            message = "must have a name of a-z, 0-9 and -, at most 60 characters, and end in .yml"
            raise ConfigError(message, source=name_of(path))
        if path.endswith(CASES) and f"{path.removesuffix(CASES)}.yml" not in files:
            raise ConfigError("has the cases of a rule that does not exist", source=name_of(path))
    return [_read(path, files, name_of) for path in sorted(files) if not path.endswith(CASES)]


def _read(path: str, files: Mapping[str, bytes], name_of: Callable[[str], str]) -> _Loaded:
    document = _document(files[path], name_of(path))
    try:
        rule = parse_rule(document.values, source=f"{CUSTOM}/{path.rpartition('/')[2]}")
    except ConfigError as error:
        raise _located(error, document) from error
    cases_path = f"{path.removesuffix('.yml')}{CASES}"
    if cases_path not in files:
        message = f"needs {cases_path} with valid and invalid cases"
        raise ConfigError(message, source=document.name)
    cases = _document(files[cases_path], name_of(cases_path))
    values = cases.values
    if not isinstance(values, dict) or values.keys() != {"id", "valid", "invalid"}:
        raise ConfigError("must have id, valid and invalid, and no other key", source=cases.name)
    if values["id"] != rule.id:
        raise _located(ConfigError(f"must be {rule.id}", key="id"), cases)
    valid, invalid = (_texts(values, key, cases) for key in ("valid", "invalid"))
    return _Loaded(rule, document, valid, invalid, cases)


def _document(data: bytes, name: str) -> ConfigFile:
    from reviewbot.config.file import read_yaml
    from reviewbot.config.load import text_of

    if len(data) > MOST_BYTES:
        raise too_large_error(name)
    return read_yaml(text_of(data, name), name=name, max_depth=MAX_DEPTH)


def _texts(values: Mapping[str, Any], key: str, cases: ConfigFile) -> tuple[str, ...]:
    texts = values[key]
    if not isinstance(texts, list) or not texts or not all(isinstance(one, str) for one in texts):
        raise _located(ConfigError("must be a list of one or more texts", key=key), cases)
    return tuple(texts)


def _located(error: ConfigError, document: ConfigFile) -> ConfigError:
    """Return ``error`` with the name of the document and the line of its key."""
    path = tuple((error.key or "").split("."))
    line = document.lines.get(path) or document.lines.get(path[:-1])
    return ConfigError(error.message, source=document.name, key=error.key, line=line)


async def _check_cases(one: _Loaded, parser: Parser, allowance: Allowance) -> None:
    """Check that the rule finds its invalid cases and leaves its valid ones alone.

    Raises:
        ConfigError: it does not, or it cannot be run.
    """
    rule, source = one.rule, one.document.name
    languages = languages_of(rule.language)
    cases = [("valid", index, text) for index, text in enumerate(one.valid)]
    cases += [("invalid", index, text) for index, text in enumerate(one.invalid)]
    texts = [text.rstrip("\n").split("\n") for _, _, text in cases]
    hunks = [ParserHunk(lines, (True,) * len(lines)) for lines in texts]
    pattern = Pattern(rule.matcher, rule.focus, rule.fix, "")
    try:
        for language in languages:
            if reason := await parser.refused(language, rule.matcher, allowance):
                message = f"ast-grep cannot run it on {language}: {reason}"
                line = one.document.lines.get(("rule",))
                raise ConfigError(message, source=source, key="rule", line=line)
        matches = await parser.match(languages[0], hunks, [pattern], allowance)
    except ParseError as error:
        why = str(error)
        if why == TOO_LONG:
            why = f"the cases of all rules took longer than {CHECK_S:g} s."
        raise ConfigError(f"its cases were not checked: {why}", source=source) from error
    found = {match.hunk for match in matches}
    for place, (key, number, text) in enumerate(cases):
        has_word = any(word in text for word in rule.words)
        problem = None
        if key == "valid" and has_word and place in found:
            problem = "the rule finds this case, which it must leave alone"
        elif key == "invalid" and not has_word:
            problem = "the rule does not find this case: it holds none of metadata.words"
        elif key == "invalid" and place not in found:
            problem = "the rule does not find this case, which it must find"
        if problem:
            line = one.cases.lines.get((key, number))
            raise ConfigError(problem, source=one.cases.name, key=f"{key}[{number}]", line=line)
