"""Hidden markers that identify our own texts. Pure.

A marker is an HTML comment, the last line of its text::

    <!-- reviewbot v=1 kind=finding for=... head=... base=... findings=... key=... sig=... -->

A marker is bound to one pull request (``for`` is a hash of its name) and has one canonical form.
A marker is signed (HMAC-SHA256 over all fields but ``sig``). For an Action without a key, only the
form can be checked. In both cases a marker is valid only if **we wrote the text that contains it**.
Callers must check the author: a marker can be copied into another comment on the same pull request.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from reviewbot.core.events.events import Outcome
from reviewbot.core.findings.finding import SEVERITIES
from reviewbot.github.blocks import html_blocks

if TYPE_CHECKING:
    from reviewbot.core.findings.finding import Severity

Kind = Literal["summary", "review", "finding", "reply", "check"]
"""The one summary of a pull request; the body of a review; a comment on a line; an answer to
somebody; the text of a check run."""

VERSION: Final = 1
"""Version of the marker format. Other versions are not trusted."""
MAX_LENGTH: Final = 4_096
"""Maximum characters of a marker that holds no state."""
MAX_SUMMARY: Final = 32_000
"""Maximum characters of the marker of a summary comment."""
MAX_FINDINGS: Final = 150

FINDING_ID: Final = re.compile(r"[0-9a-f]{16}\b")
"""Pattern for the id of a finding at the beginning of a text."""

_LETTERS: Final[dict[Severity, str]] = {severity: severity[0] for severity in SEVERITIES}
_SEVERITIES: Final[dict[str, Severity]] = {severity[0]: severity for severity in SEVERITIES}
_BEGIN: Final = "<!-- reviewbot "
_ANY: Final = re.compile(r"<!-*\s*reviewbot\b", re.IGNORECASE)
_RULE: Final = re.compile(r"(?=.{1,100}\Z)[a-z0-9]++(?:[-_./][a-z0-9]++)*+")
_SHA: Final = r"[0-9a-f]{40}(?:[0-9a-f]{24})?"
# Earlier versions wrote more fields of a finding, and more lists. These are no longer read.
_NOTED: Final = r"[0-9a-f]{16}\.[ewn](?:\.[0-9a-zA-Z@:]{1,60})?"
_MARKER: Final = re.compile(
    rf"""
    (?P<signed> <!--[ ]reviewbot[ ]v={VERSION}[ ]kind=(?P<kind>{"|".join(get_args(Kind))})
    [ ]for=(?P<pull>[0-9a-f]{{32}})
    (?: [ ]head=(?P<head>{_SHA}) )?
    (?: [ ]base=(?P<base>{_SHA}) )?
    (?: [ ]with=[0-9a-f]{{16}} )?
    (?: [ ]outcome=(?P<outcome>{"|".join(get_args(Outcome))}) )?
    (?: [ ]findings=(?P<findings> {_NOTED} (?:,{_NOTED}){{0,{MAX_FINDINGS - 1}}} ) )?
    (?: [ ](?:fixed|at)=[0-9a-zA-Z@:.,]{{1,9900}} ){{0,2}}
    (?: [ ]rule=(?P<rule>(?=[^ ]{{1,100}}[ ])[a-z0-9]++(?:[-_./][a-z0-9]++)*+) )?
    (?: [ ]key=(?P<key> (?=[^ ]{{1,100}}[ ]) [A-Za-z0-9]++ (?: [-_.:] [A-Za-z0-9]++ )*+ ) )?
    (?: [ ]state=(?P<state>[A-Za-z0-9+/]{{1,30000}}={{0,2}}) )? )
    (?: [ ]sig=(?P<sig>[0-9a-f]{{64}}) )?
    [ ]-->
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Noted:
    """A finding that one of our texts shows."""

    id: str
    severity: Severity

    def __str__(self) -> str:
        return f"{self.id}.{_LETTERS[self.severity]}"


@dataclass(frozen=True, slots=True)
class Marker:
    """Content of the marker in one of our texts.

    Attributes:
        head: the reviewed commit; may be missing only for a reply.
        base: the commit where the diff begins; may be missing only for a reply.
        findings: the findings in the text; exactly one in an inline comment.
        rule: the rule or category of that finding.
        key: identifies the request that posted the text, so that it is never repeated. At most
            100 letters and digits, with single ``-_.:`` between them.
        state: the packed :class:`.StateBlock` of a summary.
    """

    kind: Kind
    head: str | None = None
    base: str | None = None
    outcome: Outcome | None = None
    findings: tuple[Noted, ...] = ()
    key: str | None = None
    rule: str | None = None
    state: str | None = None


def write(marker: Marker, pull: str, secrets: tuple[str, ...] = ()) -> str:
    """Return the marker as an HTML comment to append to the text, after an empty line.

    ``pull`` is :attr:`.PullName.bound`. The first of ``secrets`` signs the marker; without secrets
    it is unsigned.

    Raises:
        ValueError: a field has an invalid form, or a secret is empty.
    """
    noted = ",".join(map(str, marker.findings))
    fields = {
        "v": str(VERSION),
        "kind": marker.kind,
        "for": _bound(pull),
        "head": marker.head,
        "base": marker.base,
        "outcome": marker.outcome,
        "findings": noted,
        "rule": marker.rule,
        "key": marker.key,
        "state": marker.state,
    }
    signed = _BEGIN + " ".join(f"{name}={value}" for name, value in fields.items() if value)
    sig = f" sig={_signature(signed, secrets[0])}" if secrets else ""
    written = f"{signed}{sig} -->"
    limit = MAX_LENGTH if marker.state is None else MAX_SUMMARY
    if _fields(written) != marker or len(written) > limit:
        raise ValueError(f"this cannot be written as a marker: {marker}")
    return written


def parse(text: str, pull: str, secrets: tuple[str, ...] = ()) -> Marker | None:
    """Return the trusted marker of a text that **we** wrote; None if there is none.

    ``text`` is a comment, a review or a check run, and ``pull`` its :attr:`.PullName.bound`.

    A marker must be the last line. A signed marker may have text of other people below. GitHub must
    read the marker as a separate HTML comment. The text must have no other marker. The marker must
    have the form that :func:`write` produces, and be bound to this pull request.

    One of ``secrets`` must have signed the marker. Without secrets, only unsigned markers are
    accepted.

    Raises:
        ValueError: a secret is empty.
    """
    match = _only(text, pull)
    if match is None:
        return None
    made = [_signature(match["signed"], secret) for secret in secrets]
    return _fields(match[0]) if _is_signed(match["sig"], made) else None


def shape(text: str, pull: str) -> Marker | None:
    """Return the marker without a check of the signature.

    Use this only to avoid duplicate posts, never to leave anything out of a review.
    """
    match = _only(text, pull)
    return None if match is None else _fields(match[0])


def replaced(text: str, pull: str, marker: str) -> str:
    """Return a text of ours with ``marker`` in place of its own.

    Raises:
        ValueError: the text has no marker for this pull request.
    """
    match = _only(text, pull)
    if match is None:
        raise ValueError("the text has no marker to replace")
    return text.replace(match[0], marker, 1)


def rule_field(rule: str) -> str | None:
    """Return a rule as a marker can name it; None if it cannot."""
    return rule if _RULE.fullmatch(rule) else None


def has_marker(text: str) -> bool:
    """Return whether anything in ``text`` looks like a marker, trusted or not."""
    return _ANY.search(text) is not None


def _only(text: str, pull: str) -> re.Match[str] | None:
    """Return the one marker of a text, if it is for this pull request."""
    before, begin, after = text.partition(_BEGIN)
    if not begin or _BEGIN in after or (before and not before.endswith("\n")):
        return None
    line, _, below = f"{begin}{after}".partition("\n")
    match = _match(line := line.rstrip())
    if match is None or match["pull"] != _bound(pull) or (below.strip() and not match["sig"]):
        return None
    return match if line in html_blocks(text) else None


def _match(written: str) -> re.Match[str] | None:
    return _MARKER.fullmatch(written) if len(written) <= MAX_SUMMARY else None


def _fields(written: str) -> Marker | None:
    """Return the content of a marker; None if the marker is malformed or inconsistent."""
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
        rule=match["rule"],
        state=match["state"],
    )
    whole = marker.kind == "reply" or (marker.head and marker.base)
    one = marker.kind != "finding" or len(noted) == 1
    return marker if whole and one and len({one.id for one in noted}) == len(noted) else None


def _noted(written: str | None) -> tuple[Noted, ...]:
    entries = (one.split(".") for one in written.split(",")) if written else ()
    return tuple(Noted(id_, _SEVERITIES[letter]) for id_, letter, *_ in entries)


def _bound(pull: str) -> str:
    """Return the hash of a pull request's name. A name could contain an invalid ``--``."""
    return hashlib.sha256(f"reviewbot marker for {pull}".encode()).hexdigest()[:32]


def _signature(signed: str, secret: str) -> str:
    if not secret:
        raise ValueError("the secret that signs markers is empty")
    key = secret.encode("utf-8", "surrogateescape")
    # The prefix separates this from other data that the same secret may sign.
    return hmac.new(key, f"reviewbot marker\n{signed}".encode(), hashlib.sha256).hexdigest()


def _is_signed(sig: str | None, made: list[str]) -> bool:
    if sig is None or not made:
        return sig is None and not made
    return any(hmac.compare_digest(sig, one) for one in made)
