"""Hidden markers in what we post: what we know our own by, and all that the Action remembers. Pure.

A marker is an HTML comment, the last line of its text::

    <!-- reviewbot v=1 kind=finding for=... head=... base=... findings=... key=... sig=... -->

It is bound to one pull request (``for`` is a hash of what names it), and can be written in one way
only. It is signed (HMAC-SHA256 over all but ``sig``), but for an Action without a key, where the
shape is all that can be checked. In both cases a marker says nothing unless **we wrote the text
that it stands in**. That is for the caller to check, by the author: a marker can be copied into
another comment on the same pull request.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from reviewbot.core.events import Outcome
from reviewbot.core.findings import SEVERITIES
from reviewbot.github.blocks import html_blocks

if TYPE_CHECKING:
    from reviewbot.core.findings import Severity

Kind = Literal["summary", "review", "finding", "reply", "check"]
"""The one summary of a pull request; the body of a review; a comment on a line; an answer to
somebody; the text of a check run."""

VERSION: Final = 1
"""Of what is written; another one is not believed."""
MAX_LENGTH: Final = 14_592
MAX_FINDINGS: Final = 150

FIXED: Final[Outcome] = "clean"
"""The outcome in the marker of a finding whose comment we marked as fixed."""
FINDING_ID: Final = re.compile(r"[0-9a-f]{16}\b")
"""At the beginning of a text: the id of a finding."""

_LETTERS: Final[dict[Severity, str]] = {severity: severity[0] for severity in SEVERITIES}
_SEVERITIES: Final[dict[str, Severity]] = {severity[0]: severity for severity in SEVERITIES}
_BEGIN: Final = "<!-- reviewbot "
_ANY: Final = re.compile(r"<!-*\s*reviewbot\b", re.IGNORECASE)
_SHA: Final = r"[0-9a-f]{40}(?:[0-9a-f]{24})?"
_CODE: Final = r"[1-9][0-9]{0,4}[cu][LR][0-9a-f]{24}"
_NOTED: Final = rf"[0-9a-f]{{16}}\.[ewn](?:\.{_CODE}(?:@[1-9][0-9]{{0,8}}(?::[0-9a-f]{{4}})?)?)?"
_AT: Final = r"[0-9a-f]{16}@[1-9][0-9]{0,8}"
_MARKER: Final = re.compile(
    rf"""
    (?P<signed> <!--[ ]reviewbot[ ]v={VERSION}[ ]kind=(?P<kind>{"|".join(get_args(Kind))})
    [ ]for=(?P<pull>[0-9a-f]{{32}})
    (?: [ ]head=(?P<head>{_SHA}) )?
    (?: [ ]base=(?P<base>{_SHA}) )?
    (?: [ ]with=(?P<settings>[0-9a-f]{{16}}) )?
    (?: [ ]outcome=(?P<outcome>{"|".join(get_args(Outcome))}) )?
    (?: [ ]findings=(?P<findings> {_NOTED} (?:,{_NOTED}){{0,{MAX_FINDINGS - 1}}} ) )?
    (?: [ ]fixed=(?P<fixed> {_NOTED} (?:,{_NOTED}){{0,{MAX_FINDINGS - 1}}} ) )?
    (?: [ ]at=(?P<at> {_AT} (?:,{_AT}){{0,{MAX_FINDINGS - 1}}} ) )?
    (?: [ ]key=(?P<key> (?=[^ ]{{1,100}}[ ]) [A-Za-z0-9]++ (?: [-_.:] [A-Za-z0-9]++ )*+ ) )? )
    (?: [ ]sig=(?P<sig>[0-9a-f]{{64}}) )?
    [ ]-->
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Noted:
    """A finding that a text of ours shows.

    ``code`` tells its lines again, without showing them: a :meth:`.CommentedCode.mark`. It is empty
    for what has a comment, with which GitHub keeps the code, and where they are not known. ``line``
    is the first of them at the head of the marker, 0 if that is not known; ``around`` then tells
    again what is above and below them: a :meth:`.CommentedCode.around`.
    """

    id: str
    severity: Severity
    code: str = ""
    line: int = 0
    around: str = ""

    def at(self, line: int) -> Noted:
        """It at a line, 0 if that is not known; what is around it is known in its place alone."""
        return replace(self, line=line, around=self.around if line and line == self.line else "")

    def __str__(self) -> str:
        around = f":{self.around}" if self.around else ""
        line = f"@{self.line}{around}" if self.line else ""
        code = f".{self.code}{line}" if self.code else ""
        return f"{self.id}.{_LETTERS[self.severity]}{code}"


@dataclass(frozen=True, slots=True)
class Marker:
    """What a text of ours says of itself.

    ``head`` and ``base`` are the commits that were reviewed; only a reply may be without. A
    ``finding`` notes exactly one, a summary those that the review left standing; and in ``fixed``
    those whose code is gone, which it notes if the text of a review tells of them, or somebody
    ignores them. ``at`` are ids of findings that another text of ours tells of, each with the line
    at which its code began at the head. ``key`` names the one request that posted the text, so that
    it is never repeated: letters, digits and single ``-_.:`` between them, at most 100.
    ``settings`` is a hash of those that were reviewed with, 16 hexadecimal digits.
    """

    kind: Kind
    head: str | None = None
    base: str | None = None
    outcome: Outcome | None = None
    findings: tuple[Noted, ...] = ()
    key: str | None = None
    settings: str | None = None
    fixed: tuple[Noted, ...] = ()
    at: tuple[tuple[str, int], ...] = ()


def write(marker: Marker, pull: str, secrets: tuple[str, ...] = ()) -> str:
    """The marker as the HTML comment that stands below the text, after an empty line.

    Args:
        marker: what it says.
        pull: what names the pull request for ever (:attr:`.PullName.bound`).
        secrets: the first signs; without one it is not signed.

    Raises:
        ValueError: a field has not the form that it must have, or a secret is empty.
    """
    noted = ",".join(map(str, marker.findings))
    fields = {
        "v": str(VERSION),
        "kind": marker.kind,
        "for": _bound(pull),
        "head": marker.head,
        "base": marker.base,
        "with": marker.settings,
        "outcome": marker.outcome,
        "findings": noted,
        "fixed": ",".join(map(str, marker.fixed)),
        "at": ",".join(f"{id_}@{line}" for id_, line in marker.at),
        "key": marker.key,
    }
    signed = _BEGIN + " ".join(f"{name}={value}" for name, value in fields.items() if value)
    sig = f" sig={_signature(signed, secrets[0])}" if secrets else ""
    written = f"{signed}{sig} -->"
    if _fields(written) != marker:
        raise ValueError(f"this cannot be written as a marker: {marker}")
    return written


def parse(text: str, pull: str, secrets: tuple[str, ...] = ()) -> Marker | None:
    """The marker of a text that **we** wrote; None if there is none that can be believed.

    Believed is the last line alone, or if it is signed a line above what somebody has added; and
    only if GitHub reads it as a comment of its own, it is the only marker of the text, it is
    written as :func:`write` would, and for this pull request.

    Args:
        text: the comment, the review or the check run's text.
        pull: what names the pull request that it was found at.
        secrets: one of them must have signed it; without any it must not be signed.

    Raises:
        ValueError: a secret is empty.
    """
    match = _only(text, pull)
    if match is None:
        return None
    made = [_signature(match["signed"], secret) for secret in secrets]
    return _fields(match[0]) if _is_signed(match["sig"], made) else None


def shape(text: str, pull: str) -> Marker | None:
    """The same whoever signed it, if anybody did.

    Good enough to post nothing twice; not to leave anything out of a review.
    """
    match = _only(text, pull)
    return None if match is None else _fields(match[0])


def has_marker(text: str) -> bool:
    """Whether anything in ``text`` looks like a marker, believed or not."""
    return _ANY.search(text) is not None


def without(text: str) -> str:
    """``text`` without the line that is its marker."""
    return "\n".join(line for line in text.split("\n") if not line.startswith(_BEGIN))


def _only(text: str, pull: str) -> re.Match[str] | None:
    """The one marker of a text, if it is for this pull request."""
    before, begin, after = text.partition(_BEGIN)
    if not begin or _BEGIN in after or (before and not before.endswith("\n")):
        return None
    line, _, below = f"{begin}{after}".partition("\n")
    match = _match(line := line.rstrip())
    if match is None or match["pull"] != _bound(pull) or (below.strip() and not match["sig"]):
        return None
    return match if line in html_blocks(text) else None


def _match(written: str) -> re.Match[str] | None:
    return _MARKER.fullmatch(written) if len(written) <= MAX_LENGTH else None


def _fields(written: str) -> Marker | None:
    """What a marker says; None if it is not well-formed, or says what makes no sense."""
    match = _match(written)
    if match is None:
        return None
    noted = _noted(match["findings"])
    marker = Marker(
        kind=cast("Kind", match["kind"]),
        head=match["head"],
        base=match["base"],
        outcome=cast("Outcome | None", match["outcome"]),
        findings=noted,
        key=match["key"],
        settings=match["settings"],
        fixed=_noted(match["fixed"]),
        at=_at(match["at"]),
    )
    whole = marker.kind == "reply" or (marker.head and marker.base)
    one = marker.kind != "finding" or len(noted) == 1
    return marker if whole and one and len({one.id for one in noted}) == len(noted) else None


def _noted(written: str | None) -> tuple[Noted, ...]:
    found: list[Noted] = []
    for one in written.split(",") if written else ():
        id_, letter, *rest = one.split(".")
        code, _, place = "".join(rest).partition("@")
        line, _, around = place.partition(":")
        found.append(Noted(id_, _SEVERITIES[letter], code, int(line or 0), around))
    return tuple(found)


def _at(written: str | None) -> tuple[tuple[str, int], ...]:
    pairs = (one.partition("@") for one in (written.split(",") if written else ()))
    return tuple((id_, int(line)) for id_, _, line in pairs)


def _bound(pull: str) -> str:
    """A pull request as a hash: a name could hold what a comment must not, such as ``--``."""
    return hashlib.sha256(f"reviewbot marker for {pull}".encode()).hexdigest()[:32]


def _signature(signed: str, secret: str) -> str:
    if not secret:
        raise ValueError("the secret that signs markers is empty")
    key = secret.encode("utf-8", "surrogateescape")
    # The words in front keep this apart from all else that the same secret may sign.
    return hmac.new(key, f"reviewbot marker\n{signed}".encode(), hashlib.sha256).hexdigest()


def _is_signed(sig: str | None, made: list[str]) -> bool:
    if sig is None or not made:
        return sig is None and not made
    return any(hmac.compare_digest(sig, one) for one in made)
