"""Find personal data: e-mail addresses of people and card numbers. Pure.

The search is narrow, because much code looks like either: ``package@1.2``, decorators,
``git@host:path``, matrix products, long identifiers. Addresses reserved for examples (RFC 2606, RFC
6761), role accounts and no-reply addresses are not reported.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reviewbot.core.late_pattern import late_pattern
from reviewbot.core.safety.search_text import Hit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.safety.search_text import ScanText

_LOCAL: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+-")
_LOCAL_MAX: Final = 64
_DOMAIN: Final = late_pattern(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?+"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?+){1,8}+"
)
_TOP: Final = late_pattern(
    r"com|net|org|edu|gov|mil|int|info|biz|name|pro|app|dev|xyz|tech|cloud|online|site|store|"
    r"shop|blog|email|mail|live|life|work|works|company|agency|studio|digital|systems|"
    r"solutions|services|software|network|academy|consulting|group|team|global|world|today|"
    r"berlin|london|paris|nyc|science|health|care|legal|law|bank|finance|media|news|design",
    re.IGNORECASE,
)
# Extensions of source files that are also country domains, which are rare.
_NOT_TOP: Final = ("py", "rs", "sh", "md", "pl", "so")
_VERSION: Final = late_pattern(r"v?\d+\.\d+")
_EXAMPLE: Final = late_pattern(
    r"(?:.*\.)?(?:example(?:\.(?:com|net|org|edu|[a-z]{2}))?|test|invalid|localhost|local|"
    r"(?:domain|company|yourdomain|mydomain|acme|foo|bar|email|host|server|site|website)\.(?:com|org|net)|"
    r"noreply\.github\.com)",
    re.IGNORECASE,
)
_NOBODY: Final = late_pattern(
    r"git|svn|hg|ssh|root|admin|administrator|postmaster|webmaster|hostmaster|abuse|noc|"
    r"security|info|support|contact|help|sales|hello|team|office|billing|privacy|legal|press|"
    r"jobs|dev|developers|opensource|bot|actions|ci|build|deploy|ubuntu|ec2-user|user|"
    r"username|name|you|your|me|someone|anyone|email|mail|test|tester|testing|example|foo|bar|"
    r"baz|your\.name|your-name|your_name|yourname|firstname\.lastname|first\.last|noreply|"
    r"no-reply|no_reply|donotreply|do-not-reply|do_not_reply|nobody|mailer-daemon|"
    r"notifications|notification",
    re.IGNORECASE,
)
_WORD_END: Final = late_pattern(r"[^\s\"'<>`]*\Z")
_QUERY: Final = late_pattern(r"[?#]")
_SCP_PATH: Final = late_pattern(r":[\w.~-]*/")
_NUMBER: Final = late_pattern(
    r"(?<![\w.+/-])"
    r"(?:\d{13,19}+|\d{4}([ -])(?:\d{4}\1\d{4}\1\d{4}(?P<more>\1\d{3})?|\d{6}\1\d{4,5}))"
    r"(?![\w+-]|\.\d)"
)
_CARDS: Final = (
    # Issuer, prefix, lengths when written without a break, lengths when written in groups.
    # ISO/IEC 7812; ranges as the issuers publish them.
    (late_pattern(r"4"), (13, 16), (13, 16, 19)),  # Visa
    (late_pattern(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,), (16,)),  # Mastercard
    (late_pattern(r"3[47]"), (15,), (15,)),  # American Express
    (late_pattern(r"6011|64[4-9]|65"), (16,), (16, 19)),  # Discover
    (late_pattern(r"35(?:2[89]|[3-8])"), (16,), (16, 19)),  # JCB
    (late_pattern(r"3(?:0[0-5]|[689])"), (14,), (14, 16, 19)),  # Diners Club
    (late_pattern(r"62|81"), (16,), (16, 17, 18, 19)),  # UnionPay
)


def find(scan: ScanText) -> Iterator[Hit]:
    """Yield every e-mail address of a person and every card number."""
    at = scan.text.find("@")
    while at >= 0:
        if span := _address(scan.text, at):
            line, start, end = scan.place(*span)
            yield Hit(line, start, end, "email", "email", "E-mail address")
        at = scan.text.find("@", at + 1)
    for match in _NUMBER.finditer(scan.text):
        for end in {match.end(), match.start("more") if match["more"] else match.end()}:
            if _is_card(scan.text[match.start() : end]):
                line, first, last = scan.place(match.start(), end)
                yield Hit(line, first, last, "card", "card-number", "Card number")


def _address(text: str, at: int) -> tuple[int, int] | None:
    """Return the span of the email address around the ``@``; None without a personal address."""
    start = at
    while start > max(0, at - _LOCAL_MAX - 1) and text[start - 1] in _LOCAL:
        start -= 1
    local = text[start:at].lstrip(".%+-_")
    start = at - len(local)
    domain = _DOMAIN.match(text, at + 1)
    if not (0 < len(local) <= _LOCAL_MAX) or not domain or not _is_domain(domain[0]):
        return None
    if text[start - 1 : start] == "$":  # a variable of a shell, and a placeholder is an expression
        return None
    nobody = _NOBODY.fullmatch(local.partition("+")[0]) or _EXAMPLE.fullmatch(domain[0])
    if nobody or _SCP_PATH.match(text, domain.end()) or _is_elsewhere(text, start, domain.end()):
        return None
    return start, domain.end()


def _is_elsewhere(text: str, start: int, end: int) -> bool:
    """Return whether the text is part of a URL or of text like ``org/package@branch``."""
    if text[start - 1 : start] in ("/", "@", "\\") or text[end : end + 1] == "@":
        return True
    word = _WORD_END.search(text[max(0, start - _LOCAL_MAX) : start])
    return word is not None and "://" in word[0] and not _QUERY.search(word[0])


def _is_domain(domain: str) -> bool:
    top = domain.rpartition(".")[2].lower()
    country = len(top) == 2 and top.isalpha() and top not in _NOT_TOP
    return (country or _TOP.fullmatch(top) is not None) and not _VERSION.match(domain)


def _is_card(number: str) -> bool:
    digits = number.replace(" ", "").replace("-", "")
    known = any(
        prefix.match(digits) and len(digits) in (solid if digits == number else grouped)
        for prefix, solid, grouped in _CARDS
    )
    return known and _luhn(digits)


def _luhn(digits: str) -> bool:
    """Return whether the check digit is valid (ISO/IEC 7812-1, annex B)."""
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    rest = sum(map(int, digits[-1::-2]))
    return (rest + sum(number - 9 if number > 9 else number for number in doubled)) % 10 == 0
