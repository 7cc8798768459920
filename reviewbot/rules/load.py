"""Load the rules of this installation. A file is read when a rule of it is needed."""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.rules.folders import FOLDERS, FOLDERS_OF
from reviewbot.rules.rule import CASES, read_rule

if TYPE_CHECKING:
    from reviewbot.rules.rule import Rule

_WORDS: Final = re.compile(r"^  words: (\[.*\])$", re.MULTILINE)
_HERE: Final = Path(__file__).parent


def load_rules() -> tuple[Rule, ...]:
    """Return all rules, sorted by id.

    Raises:
        ConfigError: a rule file is invalid; the message names the file and the problem.
    """
    return tuple(rule for folder in FOLDERS for rule in load_folder(folder))


def rules_for(language: str | None) -> tuple[Rule, ...]:
    """Return the rules for a language, those without a grammar included.

    Its name is that of :func:`reviewbot.core.plan.languages.language_of`.

    Raises:
        ConfigError: a rule file is broken.
    """
    folders = FOLDERS_OF.get(language or "", ())
    return tuple(rule for folder in folders for rule in load_folder(folder))


def rules_in(language: str | None, text: str) -> tuple[Rule, ...]:
    """Return the rules of :func:`rules_for` with a word that is in ``text``.

    The files of the others are not decoded, which would take most of the time of a short review.

    Raises:
        ConfigError: the file of one of these rules is broken.
    """
    files = chain.from_iterable(map(_words, FOLDERS_OF.get(language or "", ())))
    return tuple(_rule(path) for path, words in files if any(word in text for word in words))


def count_rules(language: str | None) -> int:
    """Return the number of rules of :func:`rules_for`. No file is read."""
    return sum(len(_rule_files(folder)) for folder in FOLDERS_OF.get(language or "", ()))


@cache
def rule_ids() -> frozenset[str]:
    """Return the ids of all rules, by the names of their files. No file is read."""
    return frozenset(f"{folder}/{path.stem}" for folder in FOLDERS for path in _rule_files(folder))


@cache
def load_folder(folder: str) -> tuple[Rule, ...]:
    """Return the rules of one of :data:`FOLDERS`, sorted by id, read once in a process.

    Raises:
        ConfigError: a rule file is broken, or a rule has no file of cases.
    """
    return tuple(map(_rule, _rule_files(folder)))


@cache
def _rule_files(folder: str) -> tuple[Path, ...]:
    """Return the files of the rules of a folder, sorted by id."""
    paths = (path for path in (_HERE / folder).glob("*.yml") if not path.name.endswith(CASES))
    return tuple(sorted(paths, key=lambda path: path.stem))


@cache
def _words(folder: str) -> tuple[tuple[Path, tuple[str, ...]], ...]:
    """Return the files of the rules of a folder, each with the words of the rule."""
    found = ((path, _WORDS.search(path.read_text("utf-8"))) for path in _rule_files(folder))
    return tuple((path, tuple(json.loads(words[1])) if words else ()) for path, words in found)


@cache
def _rule(path: Path) -> Rule:
    return read_rule(path)
