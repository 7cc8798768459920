"""Parse a `.reviewbot.yml` to values and their lines; errors name the key and the line.

Import this module late: it loads PyYAML and jsonschema. The file may be hostile, since it is in the
repository under review. So it is read as plain data with bounds: no tags, anchors or aliases, at
most :data:`MAX_BYTES` long and :data:`MAX_DEPTH` deep. Scalars follow YAML 1.2, as the published
schema and editors do: ``off`` and ``no`` are words, not booleans.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml
from jsonschema import Draft202012Validator

from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from jsonschema.exceptions import ValidationError

MAX_BYTES: Final = 65_536
MAX_DEPTH: Final = 12
MOST_PROBLEMS: Final = 200
"""Maximum number of problems of a file that are explained, which takes some time for each."""

Path = tuple[str | int, ...]

# YAML 1.2, core schema (https://yaml.org/spec/1.2.2/#103-core-schema), without hexadecimal, octal,
# infinities and NaN, which no setting needs.
_WORDS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT: Final = re.compile(r"[-+]?[0-9]{1,18}\Z")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")

# The trust boundary. These settings can redirect a key of the user or defeat the user's budget. So
# a file that was found in the reviewed repository may not set them. "*" matches any one step.
USER_ONLY: Final[tuple[Path, ...]] = (
    ("base_url",),
    ("fallback_models", "*", "base_url"),
    ("fallback_models", "*", "api_key_env"),
    ("verify_model", "base_url"),
    ("verify_model", "api_key_env"),
    ("routes", "*", "model", "base_url"),
    ("routes", "*", "model", "api_key_env"),
    ("routes", "*", "fallback_models", "*", "base_url"),
    ("routes", "*", "fallback_models", "*", "api_key_env"),
    ("ab_split", "model", "base_url"),
    ("ab_split", "model", "api_key_env"),
    ("ab_split", "fallback_models", "*", "base_url"),
    ("ab_split", "fallback_models", "*", "api_key_env"),
    ("models", "*", "prices"),
    ("models", "*", "token_factor"),
)


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A valid configuration file.

    Attributes:
        name: name of the file in messages.
        values: settings, plain JSON values; :func:`parse_config` has checked them.
        lines: 1-based line of every key and item, by path.
    """

    name: str
    values: Any
    lines: Mapping[Path, int]


def schema() -> dict[str, Any]:
    """Return the published JSON Schema (draft 2020-12) of the file."""
    text = files("reviewbot").joinpath("schemas/config.schema.json").read_text(encoding="utf-8")
    result: dict[str, Any] = json.loads(text)
    return result


def parse_config(
    text: str, *, name: str, trusted: bool, custom_ids: Collection[str] | None = None
) -> ConfigFile:
    """Read and validate a configuration file.

    Args:
        text: the YAML document; an empty document sets nothing.
        name: name of the file in messages.
        trusted: whether the user named the file; :data:`USER_ONLY` is refused in other files.
        custom_ids: ids of the repository's own rules; None if they are not known. Then every id of
            a custom rule is accepted.

    Raises:
        ConfigError: the YAML is invalid or not supported, the schema refuses a value, or there is
            no such rule. Secrets in the message are replaced, since messages are shown on pull
            requests.
    """
    try:
        config = _read(text, name)
        for mistake in _mistakes(config, custom_ids, trusted=trusted):
            raise mistake
    except ConfigError as error:
        raise redacted(error) from None
    return config


def mistakes_of(text: str, *, name: str, most: int) -> list[ConfigError]:
    """Return the first mistakes of a repository's configuration file, at most ``most``.

    Ids of custom rules are not checked. Secrets in the messages are replaced, as by
    :func:`parse_config`.
    """
    try:
        found = islice(_mistakes(_read(text, name), None, trusted=False), most)
        return [redacted(mistake) for mistake in found]
    except ConfigError as error:
        return [redacted(error)]


def _read(text: str, name: str) -> ConfigFile:
    config = read_yaml(text, name=name)
    return replace(config, values={}) if config.values is None else config


def _mistakes(
    config: ConfigFile, custom_ids: Collection[str] | None, *, trusted: bool
) -> Iterator[ConfigError]:
    """Yield the mistakes of a file; those that the schema finds come first."""
    is_valid = True
    for mistake in _schema_mistakes(config):
        is_valid = False
        yield mistake
    if is_valid:
        yield from _rule_name_mistakes(config, custom_ids)
    if not trusted:
        yield from _user_only_mistakes(config)


def redacted(error: ConfigError) -> ConfigError:
    """Return ``error`` with secrets in its message replaced."""
    from reviewbot.core.safety.redact import redact_text

    key = error.key and redact_text(error.key)
    return ConfigError(redact_text(error.message), source=error.source, key=key, line=error.line)


def read_yaml(text: str, *, name: str, max_depth: int = MAX_DEPTH) -> ConfigFile:
    """Return the values of a YAML document and their lines, without a check against the schema.

    Args:
        text: the YAML document; its value is None if it is empty.
        name: name of the file in messages.
        max_depth: most levels of nesting.

    Raises:
        ConfigError: the YAML is invalid or not supported.
    """
    if len(text) > MAX_BYTES:
        raise ConfigError(f"is longer than {MAX_BYTES} bytes", source=name)
    reader = _YamlReader(name, max_depth)
    try:
        values = reader.read(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        message = f"is not valid YAML: {error.problem or error.context}"
        raise ConfigError(message, source=name, line=_line(mark)) from error
    except (OverflowError, ValueError) as error:  # PyYAML on an escape such as "\UFFFFFFFF"
        message = "is not valid YAML: an escape in it is not a character"
        raise ConfigError(message, source=name) from error
    except yaml.YAMLError as error:
        message = f"is not valid YAML: {str(error).splitlines()[0]}"
        raise ConfigError(message, source=name) from error
    return ConfigFile(name, values, reader.lines)


_Node: TypeAlias = (
    yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.MappingStartEvent | yaml.AliasEvent
)


class _YamlReader:
    """Reader that builds plain values from parser events, and records the lines."""

    def __init__(self, name: str, max_depth: int) -> None:
        self.name, self.max_depth = name, max_depth
        self.lines: dict[Path, int] = {(): 1}
        # The parser guarantees the order of events.
        self.events: Iterator[Any] = iter(())

    def read(self, text: str) -> Any:  # noqa: ANN401  any YAML value; the schema judges it
        self.events = yaml.parse(text, Loader=yaml.BaseLoader)
        documents = 0
        value = None
        for event in self.events:  # continues after the events that _value consumes
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._error("must be a single document", event, ())
                first: Any = next(self.events)
                value = self._value(first, ())
        return value

    def _value(self, event: _Node, path: Path) -> Any:  # noqa: ANN401  as in read
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self._error(
                "anchors and aliases are not supported; write the value out", event, path
            )
        if event.tag not in (None, "!"):
            raise self._error(f"the tag {event.tag} is not supported", event, path)
        if len(path) > self.max_depth:
            raise self._error("is nested too deep", event, path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._scalar(event, path)

    def _mapping(self, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while not isinstance(key := next(self.events), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                raise self._error("a key must be a plain word", key, path)
            name = self._text(key, path)
            inner = (*path, name)
            if name in result:
                raise self._error(f"is set twice, first in line {self.lines[inner]}", key, inner)
            self.lines[inner] = _line(key.start_mark)
            result[name] = self._value(next(self.events), inner)
        return result

    def _sequence(self, path: Path) -> list[Any]:
        result: list[Any] = []
        while not isinstance(item := next(self.events), yaml.SequenceEndEvent):
            self.lines[*path, len(result)] = _line(item.start_mark)
            result.append(self._value(item, (*path, len(result))))
        return result

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> str | int | float | bool | None:
        text = self._text(event, path)
        if event.style is not None:  # quoted, or a block
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INT.match(text):
            return int(text)
        if _FLOAT.match(text):
            if not math.isfinite(number := float(text)):
                raise self._error("is too large a number", event, path)
            return number
        return text

    def _text(self, event: yaml.ScalarEvent, path: Path) -> str:
        r"""Return the text of a scalar; ``\ud83d\ude00``, as JSON escapes it, is one character."""
        try:
            return event.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise self._error("holds half of a character (a surrogate)", event, path) from None

    def _error(self, message: str, event: yaml.Event, path: Path) -> ConfigError:
        line = _line(event.start_mark)
        return ConfigError(message, source=self.name, key=dotted(path) or None, line=line)


def _line(mark: Any) -> int:  # noqa: ANN401  PyYAML has two classes of marks, and None
    return mark.line + 1 if mark else 1


def dotted(path: Path) -> str:
    """Return a path in the usual notation: ``path_instructions[0].paths``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def check_value(key: str, value: object, source: str) -> None:
    """Check a setting from a variable against the schema of the file.

    Raises:
        ConfigError: the schema refuses the value.
    """
    for _, path, sentence in _problems({key: value}):
        raise ConfigError(sentence, source=source, key=dotted(path))


def _problems(values: object) -> Iterator[tuple[bool, Path, str]]:
    """Yield whether a key is missing (perhaps misspelt), the path, and a sentence."""
    for error in Draft202012Validator(schema()).iter_errors(values):
        for path, sentence in _explain(error):
            yield error.validator in ("required", "anyOf"), path, sentence


def _schema_mistakes(config: ConfigFile) -> Iterator[ConfigError]:
    """Yield problems by line; missing keys come last, as they may be misspelt."""
    lines = config.lines
    problems = [
        (missing, lines.get(path, lines[path[:-1]] if path else 1), dotted(path), sentence)
        for missing, path, sentence in islice(_problems(config.values), MOST_PROBLEMS)
    ]
    for _, line, key, sentence in sorted(problems):
        yield ConfigError(sentence, source=config.name, key=key or None, line=line)


def _rule_name_mistakes(
    config: ConfigFile, custom_ids: Collection[str] | None
) -> Iterator[ConfigError]:
    """Yield the rules of the file that do not exist; see :mod:`reviewbot.rules.names`."""
    places: list[Path] = [("rules",)]
    places += [("path_rules", i, "rules") for i in range(len(config.values.get("path_rules", ())))]
    named = [path for path in config.lines if path[:-1] in places]
    if named:
        from reviewbot.rules.names import problem_of

        for path in sorted(named, key=lambda path: config.lines[path]):
            if problem := problem_of(str(path[-1]), custom_ids):
                line = config.lines[path]
                yield ConfigError(problem, source=config.name, key=dotted(path), line=line)


def _explain(error: ValidationError) -> Iterator[tuple[Path, str]]:
    """Yield the paths of a schema error, each with a sentence that names a valid value."""
    path: Path = tuple(error.absolute_path)
    facts: Any = error  # its attributes are typed as "set or unset"; here they are set
    keyword, wanted, instance = facts.validator, facts.validator_value, facts.instance
    if keyword == "additionalProperties":
        known = sorted(facts.schema["properties"])
        for key in (key for key in instance if key not in known):
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"supported are {', '.join(known)}"
            yield (*path, key), f"is not a setting; {hint}"
    elif keyword == "required":
        missing = [key for key in wanted if key not in instance]
        yield path, f"needs {' and '.join(missing)}"
    elif keyword == "anyOf":
        yield path, f"needs one of {', '.join(branch['required'][0] for branch in wanted)}"
    else:
        yield path, f"must be {_wanted(keyword, wanted)}, not {_short(instance)}"


_TYPES: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
_BOUNDS: Final = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "minLength": "text of {} characters or more",
    "maxLength": "text of at most {} characters",
    "minItems": "a list of {} or more",
    "maxItems": "a list of at most {}",
    "maxProperties": "a mapping of at most {}",
}
_PATTERNS: Final = {
    "^https?://": "an http or https address without user name",
    "^[A-Za-z_]": "the name of an environment variable",
    "^[A-Za-z0-9.-]": "the name of a host",
}


def _wanted(validator: str, value: Any) -> str:  # noqa: ANN401  a keyword of JSON Schema has any value
    if validator == "type":
        return " or ".join(_TYPES[name] for name in ([value] if isinstance(value, str) else value))
    if validator == "enum":
        return f"one of {', '.join(item or 'null' for item in value)}"
    if validator == "pattern":
        return next(words for start, words in _PATTERNS.items() if value.startswith(start))
    return _BOUNDS[validator].format(value)


def _short(value: Any) -> str:  # noqa: ANN401  any YAML value
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else f"a list of {len(value)}"
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= 60:
        return text
    from reviewbot.core.safety.redact import redact_text

    return f"{redact_text(text)[:40]}… ({len(text)} characters)"  # half a secret is not recognised


def _user_only_mistakes(config: ConfigFile) -> Iterator[ConfigError]:
    for path, line in sorted(config.lines.items(), key=lambda item: item[1]):
        for pattern in USER_ONLY:
            if len(path) == len(pattern) and all(
                want in ("*", step) for want, step in zip(pattern, path, strict=True)
            ):
                yield ConfigError(
                    "is not read from a file that was found in the repository: it decides who"
                    " gets your key or what you pay; put it in a file that you name by --config",
                    source=config.name,
                    key=dotted(path),
                    line=line,
                )
