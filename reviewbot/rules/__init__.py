"""The offline rules: ast-grep rule files, read strictly.

A file holds one rule in ast-grep's own format (https://ast-grep.github.io/reference/yaml.html), so
that ``ast-grep scan --rule FILE`` can run it: ``message`` is the title, ``note`` the explanation
and the remedy. ``labels`` may name the meta variable to report. ``metadata`` has fields that
ast-grep lacks: ``category``, ``confidence``, ``scenario`` and ``words``. A rule only runs on a text
that contains one of its ``words``, which are a JSON list on one line: they are read without the
rest of the file. The texts may use the rule's meta variables.

``flow``, beside ``rule`` or instead of it, follows values from a request to a dangerous use in the
same function. Its keys are those of :class:`reviewbot.models.offline.flow.Flow`; ``sources`` and
``handlers`` name patterns of ``sources.yml``.

Each rule ``NAME.yml`` has its cases beside it in ``NAME-test.yml``, in ast-grep's test format:
``id`` is that of the rule, ``valid`` code does not match, ``invalid`` code does. A rule without a
file of cases does not load.

The folder decides where a rule runs (:data:`FOLDERS_OF`): ``javascript`` also on TypeScript and
TSX, whose grammars extend it; ``jsx`` on JavaScript and TSX; ``c`` also on C++; ``any`` on every
text file. The rules of :data:`TEXT_FOLDERS` have no ``rule``: their check is code in
:mod:`reviewbot.models.offline.text_rules` and :mod:`reviewbot.models.offline.text_checks`.

A repository may have rules of its own in the same format. Their ids begin with ``custom/``, and
their ``language`` decides where they run. :mod:`reviewbot.pipeline.custom_rules` loads them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from reviewbot.core.findings.finding import Category, Severity
from reviewbot.core.plan.globs import read_pattern
from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

CUSTOM: Final = "custom"
"""Folder of the ids of a repository's own rules."""
_LANGUAGES: Final = {
    "any": "Any",
    "c": "C",
    "cpp": "Cpp",
    "docker": "Dockerfile",
    "go": "Go",
    "java": "Java",
    "javascript": "JavaScript",
    "jsx": "Tsx",
    "php": "Php",
    "python": "Python",
    "ruby": "Ruby",
    "shell": "Bash",
    "sql": "Sql",
    "workflow": "Yaml",
    "yaml": "Yaml",
}
FOLDERS: Final = tuple(_LANGUAGES)
TEXT_FOLDERS: Final = ("any", "docker", "sql", "workflow")
"""Folders whose rules need no grammar. ast-grep has none for Dockerfiles, SQL and the scripts in
YAML."""
CASES: Final = "-test.yml"
"""End of the name of a file of cases."""
META_VARIABLE: Final = re.compile(r"(\$\$\$|\$)([A-Z_][A-Z0-9_]*)")

_WORDS: Final = re.compile(r"^  words: (\[.*\])$", re.MULTILINE)
_HERE: Final = Path(__file__).parent
_SOURCES: Final = _HERE / "sources.yml"
FOLDERS_OF: Final = {
    "bash": ("shell",),
    "c": ("c",),
    "cpp": ("c", "cpp"),
    "dockerfile": ("docker",),
    "go": ("go",),
    "java": ("java",),
    "javascript": ("javascript", "jsx"),
    "php": ("php",),
    "python": ("python",),
    "ruby": ("ruby",),
    "sql": ("sql",),
    "tsx": ("javascript", "jsx"),
    "typescript": ("javascript",),
    "yaml": ("workflow", "yaml"),
}
"""The folders for each language, beside ``any``."""
_SEVERITIES: Final[dict[str, Severity]] = {
    "error": "error",
    "warning": "warning",
    "info": "note",
    "hint": "note",
}
_MATCHER: Final = ("rule", "constraints", "utils", "transform")
_REQUIRED: Final = {"id", "language", "severity", "message", "note", "metadata"}
_OPTIONAL: Final = frozenset({*_MATCHER, "labels", "fix", "url", "files", "ignores"})
_METADATA: Final = {"category", "confidence", "scenario"}
_FLOW_TEXTS: Final = ("parameters", "text", "clean")
_FLOW_FLAGS: Final = ("at_sink", "unchecked", "whole")
_FLOW: Final = frozenset({"sources", "handlers", *_FLOW_FLAGS, *_FLOW_TEXTS})


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    ``id`` is ``folder/name``. ``matcher`` is an argument of ast-grep's ``find_all``; empty in
    :data:`TEXT_FOLDERS`. ``flow`` has the arguments of
    :class:`reviewbot.models.offline.flow.Flow`; empty for most rules. ``focus`` is the meta
    variable to report; None for the whole match. ``fix`` replaces the match. The rule applies to
    paths that match ``files`` (all paths if empty) and do not match ``ignores``, which are
    gitignore patterns. Text without any of ``words`` cannot match.
    """

    id: str
    language: str
    severity: Severity
    category: Category
    confidence: float
    title: str
    message: str
    scenario: str
    url: str | None = None
    fix: str | None = None
    focus: str | None = None
    files: tuple[str, ...] = ()
    ignores: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    matcher: dict[str, Any] = field(default_factory=dict)
    flow: dict[str, Any] = field(default_factory=dict)


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


def languages_of(name: object) -> tuple[str, ...]:
    """Return the languages that rules with this ``language`` run on; empty if there is none.

    The first one is that of the rule's own cases.
    """
    found = [
        language
        for language, folders in FOLDERS_OF.items()
        if any(_LANGUAGES[folder] == name for folder in folders if folder not in TEXT_FOLDERS)
    ]
    return tuple(sorted(found, key=lambda language: language != str(name).lower()))


def custom_languages() -> tuple[str, ...]:
    """Return the values of ``language`` that a repository's own rules may have."""
    return tuple(sorted(set(filter(languages_of, _LANGUAGES.values()))))


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


@cache
def _sources() -> dict[str, dict[str, str]]:
    """Return the patterns of values from outside, by folder and name."""
    import yaml

    found: dict[str, dict[str, str]] = yaml.safe_load(_SOURCES.read_text("utf-8"))
    return found


def read_rule(path: Path) -> Rule:
    """Return the rule in the file at ``path``.

    Raises:
        ConfigError: the file is not YAML, a key of the rule is missing, unknown or invalid, or the
            rule has no file of cases.
    """
    import yaml

    cases = path.stem + CASES
    if not path.with_name(cases).is_file():
        raise ConfigError(
            f"needs {cases} beside it, with valid and invalid cases",
            source=f"{path.parent.name}/{path.name}",
        )
    try:
        # The C loader reads a folder in a few milliseconds; wheels without it exist.
        data = yaml.load(  # both loaders make plain values only
            path.read_text("utf-8"),
            Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader),  # noqa: S506 - both are safe
        )
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {error}", source=str(path)) from error
    return parse_rule(data, source=f"{path.parent.name}/{path.name}")


def parse_rule(data: Mapping[str, Any], *, source: str) -> Rule:
    """Return the rule that ``data``, a decoded rule file, describes.

    Args:
        data: the decoded YAML.
        source: ``folder/name.yml``, which errors name; the id must match it.

    Raises:
        ConfigError: a key is missing, unknown or wrong.
    """
    reader = _RuleReader(source)
    folder = source.partition("/")[0]
    optional = _OPTIONAL if folder == CUSTOM else _OPTIONAL | {"flow"}
    reader.keys(data, "", required=_REQUIRED, optional=optional)
    metadata = data["metadata"]
    reader.keys(
        metadata,
        "metadata.",
        required=_METADATA | (set() if folder in TEXT_FOLDERS else {"words"}),
    )
    confidence = metadata["confidence"]
    reader.need(data["id"] == source.removesuffix(".yml"), "id", "must be the file's name")
    languages = custom_languages() if folder == CUSTOM else (_LANGUAGES.get(folder),)
    reader.need(data["language"] in languages, "language", f"must be of {list(languages)}")
    reader.need(
        data["severity"] in tuple(_SEVERITIES), "severity", f"must be of {list(_SEVERITIES)}"
    )
    is_known = metadata["category"] in get_args(Category)
    reader.need(is_known, "metadata.category", "is not a category")
    reader.need(confidence in (0.5, 0.7, 0.9), "metadata.confidence", "must be 0.5, 0.7 or 0.9")
    grammar = folder not in TEXT_FOLDERS
    matches = "rule" in data or "flow" in data
    reader.need(matches == grammar, "rule", "is for languages with a grammar")
    rule = Rule(
        id=data["id"],
        language=data["language"],
        severity=_SEVERITIES[data["severity"]],
        category=metadata["category"],
        confidence=confidence,
        title=reader.text(data, "message"),
        message=reader.text(data, "note"),
        scenario=reader.text(metadata, "scenario"),
        url=reader.text(data, "url") if "url" in data else None,
        fix=reader.text(data, "fix") if "fix" in data else None,
        focus=reader.focus(data.get("labels")),
        files=reader.patterns(data, "files"),
        ignores=reader.patterns(data, "ignores"),
        words=reader.texts(metadata, "words"),
        matcher={key: data[key] for key in _MATCHER if key in data},
        flow=reader.flow(data["flow"], folder) if "flow" in data else {},
    )
    reader.variables(rule)
    return rule


class _RuleReader:
    """Reader of the values of a decoded rule file, with errors for invalid values."""

    def __init__(self, source: str) -> None:
        self._source = source

    def need(self, condition: bool, key: str, message: str) -> None:
        if not condition:
            raise ConfigError(message, source=self._source, key=key or None)

    def keys(
        self,
        data: object,
        prefix: str,
        *,
        required: set[str],
        optional: frozenset[str] = frozenset(),
    ) -> None:
        if not isinstance(data, dict):
            self.need(False, prefix.rstrip("."), "must be a mapping")
            return
        for key in sorted(required - data.keys()):
            self.need(False, prefix + key, "is missing")
        for key in data.keys() - required - optional:
            self.need(False, f"{prefix}{key}", "is unknown")

    def text(self, data: Mapping[str, Any], key: str) -> str:
        value = data[key]
        self.need(isinstance(value, str) and bool(value.strip()), key, "must be a text")
        return " ".join(value.split()) if key != "fix" else str(value)

    def texts(self, data: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = data.get(key, [])
        valid = (
            isinstance(value, list)
            and (value or key not in data)
            and all(isinstance(text, str) for text in value)
        )
        self.need(valid, key, "must be a list of texts")
        return tuple(value)

    def patterns(self, data: Mapping[str, Any], key: str) -> tuple[str, ...]:
        """Return a list of gitignore patterns."""
        patterns = self.texts(data, key)
        for pattern in patterns:
            try:
                read_pattern(pattern)
            except ValueError as error:
                raise ConfigError(str(error), source=self._source, key=key) from error
        return patterns

    def flow(self, data: Mapping[str, Any], folder: str) -> dict[str, Any]:
        """Return the arguments of a flow, with the patterns that it names."""
        self.keys(data, "flow.", required={"sinks"}, optional=_FLOW)
        named = _sources().get(folder, {})
        flow: dict[str, Any] = {"sinks": data["sinks"]}
        flow |= {key: data.get(key, False) for key in _FLOW_FLAGS}
        for key in ("sources", "handlers"):
            names = self.texts(data, key)
            for name in names:
                self.need(name in named, f"flow.{key}", f"must be of {sorted(named)}")
            flow[key] = "|".join(f"(?:{named[name]})" for name in names)
        for key in _FLOW_TEXTS:
            flow[key] = self.text(data, key) if key in data else ""
        return flow

    def focus(self, labels: object) -> str | None:
        """Return the meta variable of the one primary label."""
        if labels is None:
            return None
        if isinstance(labels, dict) and list(labels.values()) == [{"style": "primary"}]:
            return str(next(iter(labels)))
        raise ConfigError(
            "must be one meta variable with `style: primary`", source=self._source, key="labels"
        )

    def variables(self, rule: Rule) -> None:
        """Raise unless the matcher defines every meta variable that a text uses."""
        if not rule.matcher:
            return  # the code in models.offline.text_rules gives the values; its tests check them
        known = {match[2] for match in META_VARIABLE.finditer(str(rule.matcher))}
        used = f"{rule.title} {rule.message} {rule.scenario} {rule.fix or ''}"
        names = {match[2] for match in META_VARIABLE.finditer(used)} | {rule.focus or ""} - {""}
        for name in sorted(names - known):
            self.need(False, name, "is not a meta variable of the rule")
