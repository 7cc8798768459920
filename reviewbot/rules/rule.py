"""A rule, and the strict reading of its file."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from reviewbot.core.findings.finding import Category, Severity
from reviewbot.core.plan.globs import read_pattern
from reviewbot.errors import ConfigError
from reviewbot.rules.folders import CUSTOM, LANGUAGES, TEXT_FOLDERS, custom_languages
from reviewbot.rules.meta_variables import META_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

CASES: Final = "-test.yml"
"""End of the name of a file of cases."""
_SOURCES: Final = Path(__file__).with_name("sources.yml")
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


@cache
def _sources() -> dict[str, dict[str, str]]:
    """Return the patterns of values from outside, by folder and name."""
    import yaml

    sources: dict[str, dict[str, str]] = yaml.safe_load(_SOURCES.read_text("utf-8"))
    return sources


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
    languages = custom_languages() if folder == CUSTOM else (LANGUAGES.get(folder),)
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
