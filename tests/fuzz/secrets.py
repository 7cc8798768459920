"""Texts that look like secrets: long runs, near misses, assignments, keys without an end."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Final

from tests.fuzz.shapes import size_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.fuzz.cases import Case, Parts

BASE64: Final = string.ascii_letters + string.digits + "+/"
HEX: Final = "0123456789abcdef"
WORD: Final = string.ascii_letters + string.digits + "_-"
BEGIN: Final = "-----BEGIN " + "RSA PRIVATE KEY-----"
END: Final = "-----END " + "RSA PRIVATE KEY-----"
PREFIXES: Final = (
    *("AKI" + "A", "ASI" + "A", "gh" + "p_", "gh" + "s_", "github" + "_pat_", "sk" + "-ant-api03-"),
    *("sk" + "-proj-", "sk" + "_live_", "xox" + "b-", "xapp" + "-1-", "gl" + "pat-", "np" + "m_"),
    *(
        "pypi" + "-AgE",
        "AI" + "za",
        "h" + "f_",
        "S" + "G.",
        "dop" + "_v1_",
        "ey" + "J",
        "ey" + "J.",
    ),
    *("https://a:", "postgres://u:p@", "hooks.slack.com/" + "services/T", "Account" + "Key="),
    *("Bearer ", "Basic ", "-u a:", "curl -H 'Authorization: ", "op_", "sq0", "shp" + "at_", "AC"),
)
KEYS: Final = (
    *("password", "secret", "api_key", "token", "aws_secret_access_key", "client_secret", "key"),
    *("auth", "credential", "passwd", "access_token", "private_key", "heroku", "twilio", "okta"),
)
SIGNS: Final = (" = ", "=", ": ", ":", " := ", " => ", "', '", '": "', "||", " = '", '="')


def _run(draw: random.Random, size: int) -> Parts:
    alphabet = draw.choice((BASE64, HEX, WORD, string.digits, "a", "aB3", "=", ".", "@", "a@b.c "))
    return [{"draw": alphabet, "times": size, "seed": draw.randrange(1 << 30)}]


def _assignments(draw: random.Random, size: int) -> Parts:
    line = (
        f"{draw.choice(KEYS)}{draw.choice(SIGNS)}{_token(draw, draw.choice((0, 8, 20, 40, 500)))}"
    )
    end = draw.choice(("\n", "\n", " ", ";", "'\n", ", "))
    return [{"repeat": line + end, "times": max(1, size // len(line + end))}]


def _near_misses(draw: random.Random, size: int) -> Parts:
    text = draw.choice(PREFIXES) + _token(draw, draw.choice((0, 1, 15, 16, 20, 35, 36, 40, 80)))
    end = draw.choice(("\n", " ", "", ".", "@", "'", '"\n', "\u0301", "-"))
    return [{"repeat": text + end, "times": max(1, size // len(text + end))}]


def _many_prefixes(draw: random.Random, size: int) -> Parts:
    texts = [one + _token(draw, draw.choice((0, 10, 16, 40))) for one in PREFIXES]
    texts += [key + draw.choice(SIGNS) + _token(draw, 24) for key in KEYS]
    draw.shuffle(texts)
    text = draw.choice(("\n", " ", "")).join(texts) + "\n"
    return [{"repeat": text, "times": max(1, size // len(text))}]


def _keys(draw: random.Random, size: int) -> Parts:
    """Headers of private keys, with and without what should follow."""
    head = draw.choice((BEGIN, END, BEGIN + " ", f"Comment: {BEGIN}", f"{BEGIN}{END}", BEGIN[:-1]))
    body = draw.choice(("", "\n", _token(draw, 64), "\n" + _token(draw, 64), "\n\n", " \\n", '"'))
    unit = head + body + draw.choice(("", "\n"))
    if draw.random() < 0.5:
        return [{"repeat": unit, "times": max(1, size // len(unit))}]
    line = draw.choice((_token(draw, 64) + "\n", "\n", " ", "Version: x\n", "A" * 20 + "\n"))
    return [head, "\n", {"repeat": line, "times": max(1, size // len(line))}]


def _unicode(draw: random.Random, size: int) -> Parts:
    unit = draw.choice(
        ("\u0301", "\U0001f469\u200d", "\u212a", "\u0130", "\ufffd", "\u202e", "\x01")
    )
    unit += draw.choice(("", "token=", "\u017f", "A", _token(draw, 20)))
    return [{"repeat": unit, "times": max(1, size // len(unit.encode()))}]


def _addresses(draw: random.Random, size: int) -> Parts:
    unit = draw.choice(
        ("a@", "@", "a@b.com", "a@b.com:", "a.", "a@b-", "4111 ", "4111111111111111")
    )
    unit += draw.choice(("", " ", "\n", "x", "://"))
    return [{"repeat": unit, "times": max(1, size // len(unit))}]


def _token(draw: random.Random, size: int) -> str:
    return "".join(draw.choices(draw.choice((BASE64, HEX, WORD)), k=size))


SHAPES: Final[dict[str, Callable[[random.Random, int], Parts]]] = {
    "run": _run,
    "assignments": _assignments,
    "near misses": _near_misses,
    "many prefixes": _many_prefixes,
    "keys": _keys,
    "unicode": _unicode,
    "addresses": _addresses,
}
PATHS: Final = (".env", "config.yaml", "src/a.py", "id_rsa", "server.key", "a.toml", "a.sh", "x.tf")


def secretive(draw: random.Random, name: str) -> Case:
    """Return a case of one file that looks full of secrets."""
    size = size_of(draw)
    parts: Parts = []
    for shape in draw.choices(list(SHAPES.values()), k=draw.choice((1, 1, 2))):
        parts += shape(draw, size)
        parts.append(draw.choice(("", "\n", "'\n")))
    return {"name": name, "files": {draw.choice(PATHS): parts}}
