r"""Names of lock files, and the shape of the lines that package managers write to them. Pure.

A lock file is not reviewed, so its added lines must look like those of its format. A shape tells
data from ordinary code. It is not a parser: text that is both may be written on purpose.

Each pattern matches one line, and reads every byte at most a fixed number of times: what repeats is
possessive (``*+``), and alternatives differ in their first bytes. A line of more than
:data:`MAX_LOCK_LINE` bytes has no shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.late_pattern import late_pattern

if TYPE_CHECKING:
    import re

    from reviewbot.core.diff.parse import FileDiff

MAX_LOCK_LINE: Final = 4_000
"""Maximum bytes of a line; the longest of real lock files are those of ``bun.lock`` and
``MODULE.bazel.lock``, with dependencies of a package in one line."""


def _shape(*patterns: str) -> re.Pattern[bytes]:
    """Return a pattern for blank lines and lines that match one of ``patterns``."""
    text = "|".join(rf"(?:{pattern})" for pattern in (r"\s*+", *patterns))
    return late_pattern(text.encode())


_STRING: Final = r'"(?:[^"\\]|\\.)*+"'
_JSON_LINE: Final = r"(?:[\s{{}}\[\],:]|{string}|-?[0-9][0-9.eE+-]*+|true|false|null)*+"
_JSON: Final = _shape(_JSON_LINE.format(string=_STRING))
# Yarn's runtime: JSON in a string of JavaScript, which a single quote would end.
_PNP: Final = _shape(_JSON_LINE.format(string=r'"(?:[^"\'\\]|\\[^\'])*+"') + r"\\?")

_COMMENT: Final = r"\s*+#(?: .*+|\s*+)"
_TOML_KEY: Final = r"(?:[\w.-]++|\"[^\"]*+\")++"
_TOML_VALUE: Final = (
    rf"(?:[\s{{}}\[\],]|{_STRING}|'[^']*+'|true\b|false\b"
    r"|[+-]?[0-9][\w.:+-]*+|(?:[a-zA-Z_][\w.-]*+|\"[^\"]*+\") = )*+"
)
_TOML: Final = _shape(
    _COMMENT,
    r"\[{1,2}(?:[\w./@: -]++|\"[^\"]*+\"|'[^']*+')++\]{1,2}",
    # uv explains some options in a comment on their line.
    rf"{_TOML_KEY} = {_TOML_VALUE}(?:# .*+)?",
    # A line of an array or a table that goes on.
    rf"\s*+(?=[\[\]{{}}\"']){_TOML_VALUE}",
)

# A plain scalar of YAML: words without quotes, brackets and calls.
_WORD: Final = r"[\w./:@+=,^~*<>|&#%!?-]++"
# pnpm appends the peers of a package: 7.0.0(@babel/core@7.0.0)(typescript@5.0.0)
_PEERED: Final = rf"(?:[0-9]|link:|file:|[\w./-]*+@){_WORD}\([\w./:@+=,^~*<>()-]*+"
_QUOTED: Final = rf"(?:{_STRING}|'(?:[^']|'')*+')"
_FLOW: Final = (
    rf"(?:\{{(?:[ \[\]]|{_WORD}|{_QUOTED})*+\}}"
    rf"|\[(?: |{_WORD}|{_QUOTED})*+\])"
)
_PLAIN: Final = (
    rf"(?:{_PEERED}|{_WORD}(?![\[(])|[\w.-]++\[[\w,-]++\](?:{_WORD})?+)"
    rf"(?: ++(?:{_WORD}(?!\()|;|{_QUOTED}))*+"
)
_VALUE: Final = rf"(?:{_QUOTED}(?: !)?|{_FLOW}|{_PLAIN})"
_KEY_CHARS: Final = r"(?:[\w./@+~^*=<>%-]|:(?=\S))"
_KEY: Final = (
    # The words that begin a block of code are no keys.
    r"(?!(?:else|try|finally|except|do|lambda)(?: |:|$))"
    rf"(?:{_QUOTED}|/?@?[\w.-]++(?:/[\w.-]++)*+@{_KEY_CHARS}*+\((?:{_KEY_CHARS}|[(),])*+|{_KEY_CHARS}++)"
)
_YAML_LINE: Final = rf"\s*+(?:- )*+(?:{_KEY}:(?: ++{_VALUE})?|- ?{_VALUE}|-)\s*+"
_YAML: Final = _shape(
    _COMMENT,
    r"---|\.\.\.",
    _YAML_LINE,
    rf"\s*+(?:- )++{_VALUE}\s*+",
    # A sentence of the author of a package.
    r"\s*+deprecated: ++[\w@'\"][\w@/.,'<>=^-]*+ ++[\w@`'\"(].*+",
    # One of several such sentences, each on a line of its own.
    r" {6}\(?[A-Z][\w'-]*+,?(?: ++\(?[\w@/.:,;'#+&-]++\)?[.,;:!?]*+){3,}+",
)

_RANGE: Final = (
    r"(?:[\^~<>=*0-9]|v[0-9]|[xX](?=\"|\.[0-9xX*])|npm:|file:|link:|portal:|patch:|workspace:|git|ssh:|https?:"
    r"|latest|next|beta|alpha|canary|rc\b)"
)
_YARN_RANGE: Final = r"@?[\w./-]++@[\w./:@+=^~*<>#-]++"
_YARN: Final = _shape(
    _COMMENT,
    # Names and ranges of a package, then its fields.
    rf"(?:\? )?(?:{_STRING}|{_YARN_RANGE})(?:, (?:{_STRING}|{_YARN_RANGE}))*+:?",
    r":|__metadata:",
    r"  (?:version|name|registry|resolved|resolution|checksum|languageName|linkType"
    r"|conditions|cacheKey|uid):?"
    rf" (?:{_STRING}|{_WORD}(?: [&|] {_WORD})*+)",
    r"  integrity (?:\"?(?: ?sha[0-9]++-[A-Za-z0-9+/=]++)++\"?)",
    r"  (?:dependencies|optionalDependencies|peerDependencies|peerDependenciesMeta"
    r"|dependenciesMeta|bin):",
    rf"    (?:{_STRING}|@?[\w./-]++):? (?:\"(?:(?={_RANGE})[^\"\\]*+)\"|(?={_RANGE}){_WORD})",
    rf"    (?:{_STRING}|@?[\w./-]++): (?:{_STRING}|{_WORD}(?: {_WORD})*+)",
    rf"    (?:{_STRING}|@?[\w./-]++):",
    r"      (?:optional|built|unplugged): (?:true|false)",
)

_RUBY: Final = _shape(
    r"[A-Z][A-Z ]*+",
    r"  (?:remote|revision|branch|ref|tag|glob|submodules|specs|path|git|rel|type):(?: \S++)?",
    r"    (?:revision|branch|ref|tag|rel|git|path|github|metadata):(?: \S++)?",
    r" {2,8}[\w.+-]++(?:!| \((?:(?:[<>=!~]++ )?[\w.+-]++(?:, )?)++\)!?)?(?: sha256=[0-9a-f]++)?",
    r"   (?:[0-9]\S*+|ruby [0-9]\S*+(?: \([\w. -]++\))?)",
)
_PODS: Final = _shape(
    r"[A-Z][A-Z ]*+:(?: [\w.]++)?",
    r"\s*+- \"?[\w/+.-]++"
    r"(?: \((?:(?:[<>=!~]++ )?[0-9][\w., <>=~+-]*+|from `[^`]*+`(?:, \w++ `[^`]*+`)*+)\))?\"?:?",
    r"  (?:[\w/+.-]++|https?:[^\s:]++|\"[^\"]*+\"):(?: [\w./-]++)?",
    r"    :\w++: (?:\"[^\"]*+\"|\S++)",
)
_PAKET_OPTION: Final = r" *+[-,] [\w.-]++(?:: [\w |&()<>=.,:+-]++)?"
_PAKET: Final = _shape(
    r"[A-Z]++(?: [\w.-]++)?",
    r"[A-Z][A-Z_-]*+: [\w |&()<>=.,+-]++",
    r" {2,6}(?:remote|specs|build|os|path|version|subdirs):(?: \S++)?",
    rf" {{4,6}}(?:[\w./+-]++ *+)?(?:\([\w./:<>=!~ ,+-]++\))?(?:{_PAKET_OPTION})?",
)
_GO_SUM: Final = _shape(r"\S++ v[\w.+-]++(?:/go\.mod)? h1:[A-Za-z0-9+/]++={0,2}")
_GRADLE: Final = _shape(_COMMENT, r"[\w.:-]++=(?:[\w.-]++,?)*+")
_CABAL: Final = _shape(
    r"--.*+",
    r"(?:active-repositories|index-state|with-compiler):? ++[\w.:/ -]++",
    r"(?:constraints:)?\s++(?:any\.)?[\w.-]++(?: ++(?:==[0-9.]++|[+-][\w-]++|installed))++,?",
)
_CARTHAGE: Final = _shape(r"(?:github|git|binary) \"[^\"]++\" \"[^\"]++\"")
_ELIXIR: Final = _shape(
    rf"(?:[\s%{{}}\[\],]|{_STRING}:?|:\w++|[a-z_]\w*+: |true\b|false\b|nil\b|[0-9]++)*+"
)
_ERLANG: Final = _shape(
    rf"(?:[\s{{}}\[\],.]|<<{_STRING}>>|{_STRING}|[a-z]\w*+(?=[,}}\]])|[0-9]++)*+"
)
_TERRAFORM: Final = _shape(
    _COMMENT,
    r"provider \"[\w./-]++\" \{",
    r"  (?:version|constraints) *+= \"[\w.,<>=!~ +-]++\"",
    r"  hashes = \[",
    r"    \"(?:h1|zh):[A-Za-z0-9+/=]++\",",
    r"  \]|\}",
)

_FORMATS: Final = {
    _JSON: """
        bun.lock composer.lock deno.lock devbox.lock flake.lock module.bazel.lock
        npm-shrinkwrap.json package-lock.json package.resolved packages.lock.json pipfile.lock""",
    _PNP: ".pnp.cjs .pnp.js .pnp.loader.mjs",
    _TOML: "cargo.lock mise.lock pdm.lock poetry.lock pylock.toml uv.lock",
    _YAML: """
        buf.lock chart.lock conda-lock.yml pixi.lock pnpm-lock.yaml pubspec.lock shard.lock
        stack.yaml.lock""",
    _YARN: "yarn.lock",
    _RUBY: "berksfile.lock gemfile.lock",
    _PODS: "podfile.lock",
    _PAKET: "paket.lock",
    _GO_SUM: "go.sum go.work.sum",
    _GRADLE: "buildscript-gradle.lockfile gradle.lockfile",
    _CABAL: "cabal.project.freeze",
    _CARTHAGE: "cartfile.resolved",
    _ELIXIR: "mix.lock",
    _ERLANG: "rebar.lock",
    _TERRAFORM: ".terraform.lock.hcl",
    # A binary file: git shows no lines of it.
    late_pattern(rb"(?!)"): "bun.lockb",
}
SHAPES: Final = {name: shape for shape, names in _FORMATS.items() for name in names.split()}
"""Pattern of the lines of each lock file, by its name in lower case."""

LOCKFILES: Final = frozenset(SHAPES)


def _name(path: str) -> str:
    return path.rpartition("/")[2].lower()


def is_lock_file(path: str) -> bool:
    """Return whether the name of ``path`` is that of a lock file."""
    return _name(path) in SHAPES


def has_shape_of_lock_file(file: FileDiff) -> bool:
    """Return whether each added line of a lock file has the shape of its format.

    The lines of the base do not count.
    """
    shape = SHAPES[_name(file.path)]
    return not file.binary and all(
        len(raw) <= MAX_LOCK_LINE and shape.fullmatch(raw.removesuffix(b"\r"))
        for hunk in file.hunks
        for kind, raw in hunk.iter_raw()
        if kind == "added"
    )
