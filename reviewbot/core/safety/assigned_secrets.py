r"""Find passwords and keys by the name that they are assigned to. Pure.

The forms are those of source code and of configuration files: ``password    = "..."``,
``password: ...``, ``<password>...</password>``, ``name: PASSWORD`` above ``value: ...``. The value
may be on the next line. The name and the form of the value decide together: a value without quotes,
and the value of a key or a token, must look random, because most of them are names in code.

Each name is read once, and every repeat of a pattern is bounded or possessive, so the search is
linear.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from reviewbot.core.safety.search_text import Hit
from reviewbot.core.safety.secret_rules import is_expression, stands_for_a_password
from reviewbot.core.safety.secret_strength import looks_random

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.safety.search_text import Confidence, Kind, ScanText


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STEM: Final = r"pass|pwd|secret|token|key|credential|bearer|identified[ \t]"
_NAME_MAX: Final = 80
_NAME_BEFORE: Final = re.compile(r"(?:checksum/)?[A-Za-z0-9_.\-]{0,80}\Z")
_NAME_AFTER: Final = re.compile(r"[A-Za-z0-9_.\-]*+")
_SETTER: Final = re.compile(r"(?:.*\.)?(?:set|with)", re.IGNORECASE)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PASSWORD: Final = re.compile(
    r"(?:\w*_)?(?:pass|pwd|passcode|passphrase|[a-z]{0,20}(?:password|passwd))|identified(?:_by)?"
)
_KEY: Final = re.compile(
    r"(?:\w*_)?(?:(?:api|secret|access|auth|private|signing|encryption|master|app|account)_?key"
    r"|[a-z]{0,20}(?:secret|apikey)s?|bearer|credentials?|[a-z]{0,20}token|secret_key_base)"
)
_ENDINGS: Final = _words(
    "prod production live staging dev development default value str string text base64 here env"
)
"""Words at the end of a name that do not change what it names."""
_PUBLIC: Final = _words(
    "public pub publishable anon site fingerprint hash hashed checksum digest sha md crypt"
    " encrypted existing csrf xsrf cursor page next previous continuation cache sort idempotency"
)
"""Words of a name whose value is no secret."""
_MADE_UP: Final = _words("test tests fake dummy mock example sample expected")
"""Words of a name whose value is probably no real secret."""
_KEY_MIN: Final = 16
_RULES: Final[dict[Kind, tuple[str, str]]] = {
    "password": ("generic-password", "Password."),
    "secret": ("generic-api-key", "Key or token."),
}
_KEY_VALUE: Final = re.compile(r"(?!pk_|pk-|arn:|ssh-)[\w+/=.~:!@#%^*-]+")
_LETTER_AND_DIGIT: Final = re.compile(r"(?=[^0-9]*[0-9])[^A-Za-z]*[A-Za-z]")
_NO_VALUE: Final = re.compile(
    r".*(?:://|example|sample|dummy|fake|change_?me|placeholder|your|insert|replace|todo|xxxx|\*{3}"
    r"|\.{3}|password|passwd|secret|api_?key).*|(?:ENC|AES)[\[(].*|\.{0,2}/.*",
    re.IGNORECASE,
)
"""Texts that stand for a secret, are encrypted, or are a URL or a path."""

_BLANKS: Final = r"[ \t]{0,200}+"
_GAP: Final = rf"{_BLANKS}(?:\r?\n{_BLANKS})?"
_QUOTE: Final = r"""\\{0,3}["'`]"""
_TYPE: Final = rf":?{_BLANKS}[A-Za-z&*][\w&<>\[\]'?.*]{{0,40}}+(?: \| \w{{1,20}}+)?"
_ASSIGNED: Final = (
    # password    = "x", password := "x", "password": "x", :password => 'x', ENV["PASSWORD"] || "x"
    rf"(?:{_QUOTE})?\]?{_BLANKS}(?:[:?|+]{{0,2}}=(?![=~])>?|:-?(?!:)|->|\|\||\?\?|or\b)"
    # PASSWORD: &str = "x", password[] = "x", Password { get; set; } = "x"
    rf"|{_BLANKS}(?:{_TYPE}|\[\d{{0,4}}\]|\{{[ \w;]{{1,30}}\}}){_BLANKS}=(?![=~])"
    # <add key="DbPassword" value="x"/>, {"name": "PASSWORD", "value": "x"}
    rf"|(?:{_QUOTE})?{_BLANKS},?{_GAP}(?:{_QUOTE})?(?:value|default)(?:{_QUOTE})?{_BLANKS}[:=]"
    # variable "db_password" { type = string, then default = "x"
    rf"|{_QUOTE}{_BLANKS}\{{{_GAP}(?:[a-z]{{1,20}}{_BLANKS}=[^\n]{{0,200}}+\n{_BLANKS}){{0,4}}"
    rf"default{_BLANKS}="
    # <password>x</password>, <property name="password">x
    rf"|(?:{_QUOTE})?{_BLANKS}>(?:{_GAP}<!\[CDATA\[)?"
    # <key>Password</key><string>x
    rf"|</key>{_GAP}<string>"
)
_ASSIGNED_TEXT: Final = (
    # getenv("PASSWORD", "x"), PASSWORD 'x', --password "x", | password | `x` |
    rf"{_QUOTE}{_BLANKS},|{_BLANKS}\||[ \t]++(?:by[ \t])?"
)
_OPENING: Final = (
    rf"{_GAP}(?:[(\[]{_GAP}|[&!][\w-]{{1,30}}[ \t]{{1,9}}"
    r"|(?:new )?String(?:::from)?\(|Buffer\.from\(|bytes\(|\[\]byte\(|[bBrRfFuU@]{1,2}(?=[\"'`]))?"
)
_TEXT: Final = (
    r"(?P<open>\\{0,3}(?:\"\"\"|'''|[\"'`]))" + _GAP + r"(?P<text>(?:(?!(?P=open))[^\s\\]){8,256}+)"
    rf"(?:\r?\n{_BLANKS})?(?P=open)"
)
_BARE: Final = (
    rf"(?:(?:[|>][-+]?|<<[-~]?[\"']?\w{{1,30}}[\"']?)\r?\n{_BLANKS})?"
    r"(?P<bare>[^\s\"'`,;<>(){}\[\]$|&\\]{8,256}+)(?=[\s,;})\]<\"'`&]|\Z)"
)
_OPTION: Final = re.compile(r"(?:\b(?:ENV|ARG)[ \t]{1,9}|(?<!\S)--?)\Z")
"""Text before a name that a value without quotes may follow."""
_SCHEME: Final = "bearer"
"""Scheme of authentication, which is written as a name that such a value follows."""


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Return the patterns: a name, a value, a text, a text in a call, a value of an option."""
    return (
        re.compile(_STEM),
        re.compile(rf"(?:{_ASSIGNED}){_OPENING}(?:{_TEXT}|{_BARE})"),
        re.compile(rf"(?i:{_ASSIGNED_TEXT}){_OPENING}{_TEXT}"),
        re.compile(rf"\({_TEXT}"),
        re.compile(rf"[ \t]{_BLANKS}{_BARE}"),
    )


def find(scan: ScanText) -> Iterator[Hit]:
    """Yield every password and key that is assigned to a name of such a value."""
    stem, value, text, argument, option = _patterns()
    whole = scan.text
    # Search in lower case, which is ten times as fast. Only U+0130 changes its length.
    lower = whole.replace("\u0130", "i").lower()
    match = stem.search(lower)
    while match:
        start, end = _name_around(whole, *match.span())
        name = whole[start:end]
        kind = _kind_of(name)
        if kind is not None:
            assigned = value.match(whole, end) or text.match(whole, end)
            if assigned is None and _SETTER.match(name):
                assigned = argument.match(whole, end)
            if assigned is None and (
                name.lower() == _SCHEME or _OPTION.search(whole, max(0, start - 12), start)
            ):
                assigned = option.match(whole, end)
            if assigned is not None and (hit := _hit(scan, assigned, name, kind)):
                yield hit
        match = stem.search(lower, max(end, match.end()))


def _name_around(text: str, start: int, end: int) -> tuple[int, int]:
    """Return start and end of the name around a word, without ``-`` and ``.`` at its ends."""
    before = _NAME_BEFORE.search(text, max(0, start - _NAME_MAX), start)
    after = _NAME_AFTER.match(text, end)
    first, last = before.start() if before else start, after.end() if after else end
    name = text[first:last]
    return last - len(name.lstrip("-.")), first + len(name.rstrip("-."))


@lru_cache(maxsize=1_024)
def _kind_of(name: str) -> Kind | None:
    """Return ``password`` or ``secret``; None if the name is not that of a secret value."""
    words = [word.lower() for word in _WORD.findall(name[-_NAME_MAX:])]
    if not _PUBLIC.isdisjoint(words):
        return None
    while words and words[-1] in _ENDINGS:
        words.pop()
    joined = "_".join(words)
    if _PASSWORD.fullmatch(joined):
        return "password"
    return "secret" if _KEY.fullmatch(joined) else None


def _hit(scan: ScanText, match: re.Match[str], name: str, kind: Kind) -> Hit | None:
    """Return the value as a hit; None if its form is not that of a secret."""
    group = match.lastgroup or "bare"
    value = match[group]
    if kind == "password":
        fits = _LETTER_AND_DIGIT.match(value) and not is_expression(value)
        fits = fits and (group == "text" or looks_random(value))
    else:
        fits = len(value) >= _KEY_MIN and _KEY_VALUE.fullmatch(value) and looks_random(value)
    if not fits or stands_for_a_password(value) or _NO_VALUE.fullmatch(value):
        return None
    made_up = not _MADE_UP.isdisjoint(word.lower() for word in _WORD.findall(name[-_NAME_MAX:]))
    confidence: Confidence = "low" if made_up else "medium"
    line, start, end = scan.place(*match.span(group))
    rule, description = _RULES[kind]
    return Hit(line, start, end, kind, rule, description, confidence)
