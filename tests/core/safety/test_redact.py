"""Secrets and personal data are redacted, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import betterleaks
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reviewbot.core.safety import leak_scan
from reviewbot.core.safety.leak_process import LeakScanError
from reviewbot.core.safety.redact import (
    REDACTED_MARK,
    DetectedSecret,
    FileRedaction,
    has_private_key,
    redact_file,
    redact_text,
    secret_engine,
)
from reviewbot.errors import ReviewbotError
from tests.support.planted_secrets import BEGIN, BODY, END, KEY, File, hunk

if TYPE_CHECKING:
    from collections.abc import Callable

SOME = "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5"
JWT = f"eyJ{SOME}.eyJ{SOME}{SOME}.{SOME}"
GITHUB = "ghp" + "_" + SOME
PLANTED = {
    "aws-access-key": "AKIA" + "QWERTYUIOPASDFGH",
    "github-pat": GITHUB,
    "github-installation": "ghs" + f"_1234567_eyJ{SOME * 4}.eyJ{SOME * 6}.{SOME * 4}_-x",
    "github-fine-grained": "github" + "_pat_" + SOME[:22] + "_" + SOME + SOME[:23],
    "anthropic": "sk-" + "ant-" + f"api03-{SOME}-_{SOME}",
    "openai": "sk-" + "proj-" + SOME + SOME,
    "openai-old": "sk" + "-" + SOME,
    "stripe": "sk_" + "live_" + SOME[:24],
    "slack": "xox" + "b-" + "123456789012-" + SOME[:24],
    "slack-app": "xapp" + "-1-" + "A0123456789-" + SOME[:24],
    "gitlab": "glpat" + "-" + SOME[:20],
    "npm": "npm" + "_" + SOME,
    "pypi": "pypi-" + "AgEIcHlwaS5vcmc" + SOME * 3,
    "google": "AIza" + SOME[:35],
    "google-secret": "GOCSPX" + "-" + SOME[:28],
    "hugging-face": "hf" + "_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "sendgrid": "SG" + f".{SOME[:22]}.{SOME}{SOME[:7]}",
    "digitalocean": "dop" + "_v1_" + "0123456789abcdef" * 4,
    "jwt": JWT,
}
IN_CONTEXT = {
    "url": ("postgres://app:", "tr0ub4d0r&3", "@db.corp.internal/app"),
    "url-without-user": ("redis://:", "tr0ub4d0r", "@cache:6379"),
    "azure": ("AccountKey=", SOME * 2 + SOME[:14] + "==", ";EndpointSuffix"),
    "password": ('password = "', "Tr0ub4dor&3zz", '"'),
    "password-in-yaml": ("db_password: ", "Tr0ub4dor&3zz", ""),
    "api-key": ('api_key = "', "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", '"'),
    "email": ("Reported by ", "grace.hopper+cobol@navy.mil", ", 1959"),
    "email-in-link": ("mailto:", "grace@navy.mil", "?subject=x"),
    "card": ("pay with ", "4111 1111 1111 1111", " 12/27"),
    "card-with-code": ("card=", "4111-1111-1111-1111", "-123"),
    "card-solid": ("card=", "5555555555554444", ","),
    "card-amex": ("", "3782 822463 10005", ""),
}  # fmt: skip


class Engine:
    """An engine with matches of its own."""

    version = "0"

    def __init__(self, scan: Callable[[str], list[dict[str, Any]]]) -> None:
        self.scan = scan


@pytest.fixture
def without_betterleaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leak_scan, "engine", lambda: None)


@pytest.mark.parametrize("secret", PLANTED.values(), ids=PLANTED.keys())
@pytest.mark.parametrize(
    "line", ["{}", 'x = "{}"', "é😀 {},", "<a b={}/>", "`{}`: {}", "\ud800\x00{}\x00"]
)
def test_a_secret_with_a_known_prefix_goes(secret: str, line: str) -> None:
    assert redact_text(line.replace("{}", secret)) == line.replace("{}", "[REDACTED:secret]")


@pytest.mark.usefixtures("without_betterleaks")
@pytest.mark.parametrize("secret", PLANTED.values(), ids=PLANTED.keys())
def test_our_own_list_needs_no_library(secret: str) -> None:
    assert redact_text(f'x = "{secret}"') == 'x = "[REDACTED:secret]"'


@pytest.mark.parametrize(("before", "secret", "after"), IN_CONTEXT.values(), ids=IN_CONTEXT.keys())
def test_only_the_value_goes(before: str, secret: str, after: str) -> None:
    kinds = ("secret", "password", "email", "card")
    assert redact_text(before + secret + after) in {
        f"{before}[REDACTED:{kind}]{after}" for kind in kinds
    }


@pytest.mark.parametrize(
    "text",
    [
        # Names and templates that stand for a password.
        "password = proxy_auth",
        "password: SecretStr",
        "password=self.password,",
        'password = "password1"',
        'password="Enter your password"',
        "postgres://user:password@localhost/x",
        "https://u:${PASSWORD}@h.example f'ftp://u:{password}@h'",
        "http://host:8080/a@b",
        "AKIAIOSFODNN7" + "EXAMPLE",
        # Not long enough, not the form.
        "sk-short sk-cube-grid-animation-with-a-rather-long-name xoxo ghp_ AIza eyJ.eyJ.",
        'integrity "sha512-' + SOME * 2 + '=="',
        # Addresses that are nobody's or no addresses.
        "user@example.com a@b.example x@mail.test o@users.noreply.github.com noreply@corp.com",
        "git@github.com:owner/repo deploy@srv.corp.com:/var/www bob@srv.corp.com:data/x",
        "ssh://bob@srv.corp.com/x https://bob@corp.com/y",
        "react@18.2.0 @types/node@20.1.0 actions/checkout@v4.1 org/action@feature.io img@2x.png",
        "@app.route @pytest.fixture a@b.T x@w.dot(y) support@corp.com Foo@ @Foo a@b@c.com",
        "x@" + "a." * 100 + "1",
        # Numbers that are no cards: checksum, issuer, neighbours, length.
        "4111111111111112 9111111111111111 0.4111111111111111 a4111111111111111 4111111111111111f",
        "1700000000000 4111111111111111.5 41111111111111111111 4111 1111 1111 1112",
        "/status/4111111111111111 3000-0000-0000-04x 4222222222222222",
        # An address whose first part is a variable of a shell.
        'create "bulk-$n@sucuri.net"',
        # A key that is public, or only spoken of.
        "-----BEGIN CERTIFICATE-----\n" + "\n".join(BODY) + "\n-----END CERTIFICATE-----",
        f'if text.startswith("{BEGIN}"):\n    return x\npass',
        f'    pass\nassert end == "{END}"',
        f"see `{BEGIN}` and so on, never lose your PRIVATE KEY\nPRIVATE KEY",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize("engine", ["with", "without"])
def test_a_webhook_goes(engine: str, request: pytest.FixtureRequest) -> None:
    if engine == "without":
        request.getfixturevalue("without_betterleaks")
    path = f"T0{SOME[:9]}/B0{SOME[:9]}/{SOME[:24]}"
    assert path[-20:] not in redact_text("https://hooks.slack" + f".com/services/{path}")


def test_the_secret_beside_an_access_key_goes_with_it() -> None:
    secret = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYzzQWkeyabc"
    text = f"aws_access_key_id = {PLANTED['aws-access-key']}\naws_secret_access_key = {secret}"
    assert redact_text(text) == (
        "aws_access_key_id = [REDACTED:secret]\naws_secret_access_key = [REDACTED:secret]"
    )


def test_a_comment_that_tells_scanners_to_look_away_tells_us_nothing() -> None:
    for word in ("gitleaks", "betterleaks", "Gitleaks"):
        line = 'api_key = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"  # ' + word + ":allow"
        assert "9f86" not in redact_text(line)
        assert redact_text(line).endswith(word + ":allow")


def test_both_sides_are_redacted_and_say_where_they_were() -> None:
    file = File(
        (
            hunk(" a\n+b"),
            hunk(f' x\n-k = "{GITHUB}"\n+k = "{PLANTED["gitlab"]}"\n z', old=40, new=41),
        )
    )
    result = redact_file(file)
    assert result.replacements == {
        (1, 1): 'k = "[REDACTED:secret]"',
        (1, 2): 'k = "[REDACTED:secret]"',
    }
    assert [
        (s.rule, s.hunk, s.line, s.end, s.kind, s.old_no, s.new_no, s.confidence)
        for s in result.secrets
    ] == [
        ("github-token", 1, 1, 1, "removed", 41, None, "high"),
        ("gitlab-token", 1, 2, 2, "added", None, 42, "high"),
    ]


def test_a_secret_in_a_context_line_is_told_once() -> None:
    file = File((hunk(f"-old\n+new\n token = {GITHUB} {GITHUB[:-1]}Z"),))
    secrets = redact_file(file).secrets
    assert [(s.line, s.kind) for s in secrets] == [(2, "context"), (2, "context")]


def test_a_secret_stands_on_the_line_of_its_own_hunk() -> None:
    body = BODY[0]
    rows = (
        f" {body}\n+x",
        f" {body}\n x\n x\n x\n+harmless\n x",
        f" x\n x\n x\n+{body}",
        f"+{body}",
    )
    file = File(tuple(hunk(text, new=100 * number) for number, text in enumerate(rows)), "a.pem")
    secrets = redact_file(file).secrets
    assert [(s.hunk, s.line, s.end, s.kind, s.new_no) for s in secrets] == [
        (0, 0, 0, "context", 0),
        (1, 0, 0, "context", 100),
        (2, 3, 3, "added", 203),
        (3, 0, 0, "added", 300),
    ]


def test_a_match_that_reaches_into_the_next_hunk_is_told_in_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def scan(text: str) -> list[dict[str, Any]]:
        lines = text.split("\n")
        if "first" not in lines:
            return []
        where = {
            "start_line": lines.index("first") + 1,
            "end_line": lines.index("second") + 1,
            "start_column": 1,
            "end_column": 6,
        }
        match = {"value": "first\n\x01\n\n\x01\nsecond"}
        raw = {"rule_id": "far", "description": "Far.", "confidence": "high", "match": match}
        return [{**raw, "location": where}]

    monkeypatch.setattr(leak_scan, "engine", lambda: Engine(scan))
    secrets = redact_file(File((hunk(" a\n+first"), hunk("+second")))).secrets
    assert [(s.rule, s.hunk, s.line) for s in secrets] == [("far", 0, 1), ("far", 1, 0)]


def test_personal_data_is_redacted_but_is_no_secret() -> None:
    result = redact_file(File((hunk("+by grace@navy.mil"),)))
    assert result.replacements == {(0, 0): "by [REDACTED:email]"}
    assert result.secrets == ()


def test_the_heading_of_a_hunk_is_redacted_too() -> None:
    result = redact_file(File((hunk("+a"), hunk("+b", section=f'def f(key="{GITHUB}"):'))))
    assert result == FileRedaction(sections={1: 'def f(key="[REDACTED:secret]"):'})


def test_a_heading_that_is_a_line_of_a_key_is_redacted() -> None:
    result = redact_file(File((hunk("+a", section=BODY[0]), hunk("+b", section="def f(x):"))))
    assert result == FileRedaction(sections={0: KEY})


def test_a_file_without_secrets_is_left_alone() -> None:
    assert redact_file(File(())) == redact_file(File((hunk("+a\n-b"),))) == FileRedaction()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("xbc\nde", ["a é[REDACTED:secret]", "[REDACTED:secret]f"]),
        ("d", ["a éxbc", "[REDACTED:secret]ef"]),
        # A value that is not in the match as it stands, because it was decoded.
        ("decoded", ["a é[REDACTED:secret]", "[REDACTED:secret]f"]),
    ],
)
def test_a_match_over_two_lines_goes_from_each(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: list[str]
) -> None:
    finding = {
        "rule_id": "two-lines",
        "description": "In two parts",
        "confidence": "high",
        "match": {"value": value},
        "location": {"start_line": 1, "end_line": 2, "start_column": 5, "end_column": 2},
    }
    engine = Engine(lambda text: [finding] if text == "a éxbc\ndef" else [])
    monkeypatch.setattr(leak_scan, "engine", lambda: engine)
    assert redact_text("a éxbc\ndef") == "\n".join(expected)


def test_many_secrets_on_one_long_line_all_go_quickly() -> None:
    tokens = [f"ghp_{number:036d}" for number in range(3000)]
    keys = [f'api_key = "{number:05d}9f86d081884c7d659a2feaa0c55ad015a3b"' for number in range(500)]
    assert redact_text(" é ".join(tokens)) == " é ".join(["[REDACTED:secret]"] * 3000)
    assert "9f86" not in redact_text("; ".join(keys))


def test_two_tokens_without_a_gap_both_go() -> None:
    text = f"{GITHUB}{PLANTED['stripe']}{PLANTED['google']}grace@navy.mil"
    result = redact_text(text)
    assert "live" not in result
    assert "AIza" not in result
    assert redact_text(result) == result


def test_the_search_of_redacted_text_ends_after_a_number_of_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = PLANTED["aws-access-key"] + PLANTED["stripe"]  # the first one ends with the second one
    monkeypatch.setattr("reviewbot.core.safety.redact._ROUNDS", 1)
    assert redact_text(text) == "[REDACTED:secret]" * 2


def test_nobody_is_told_what_the_secret_was() -> None:
    (secret,) = redact_file(File((hunk(f'+k = "{GITHUB}"'),))).secrets
    assert isinstance(secret, DetectedSecret)
    assert GITHUB not in repr(secret)


def test_a_scan_that_fails_stops_the_sending_without_quoting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(text: str) -> list[dict[str, Any]]:
        raise LeakScanError(f"cannot parse {text}")

    monkeypatch.setattr(leak_scan, "engine", lambda: Engine(fail))
    with pytest.raises(ReviewbotError, match="betterleaks failed") as caught:
        redact_text(f"password {GITHUB}")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert GITHUB not in str(caught.value)


@pytest.mark.parametrize("most", [500, pytest.param(2_000, marks=pytest.mark.slow)])
def test_a_text_full_of_secrets_is_refused_before_it_takes_long(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if most != 2_000:
        monkeypatch.setattr("reviewbot.core.safety.leak_scan.MOST", most)
    line = "".join(f"password := {number:020x}b7;" for number in range(120))
    message = rf"^It holds more than {most:,} secrets or passwords"
    with pytest.raises(ReviewbotError, match=message):
        redact_text("\n".join([line] * 100))


@pytest.mark.parametrize("filler", range(0, 4200, 100))
def test_a_secret_is_found_wherever_a_call_of_the_engine_ends(filler: int) -> None:
    lines = ["y = 'a line of code that is about sixty characters long, or so'"] * (filler // 64)
    lines += ["x" * (filler % 64), f"key = '{PLANTED['sendgrid']}'"]
    lines += [f"id = '{PLANTED['aws-access-key']}'", *["y = 1"] * 3]
    secret = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYzzQWkeyabc"
    shown = redact_text("\n".join([*lines, f"aws_secret = '{secret}'"]))
    assert secret not in shown
    assert PLANTED["sendgrid"] not in shown


def test_the_engine_names_itself() -> None:
    assert secret_engine() == f"betterleaks {betterleaks.__version__} and built-in patterns"


@pytest.mark.usefixtures("without_betterleaks")
def test_without_a_build_the_engine_says_so() -> None:
    assert secret_engine().startswith("built-in patterns only")


_piece = st.text(max_size=8).map(lambda text: text.replace("\n", " "))
_beside = st.tuples(_piece, _piece)
_border = st.sampled_from([*" \"'=(,é\t😀\x00\u2028\ud800<", ""])
_edge = st.tuples(_border, _border)


@given(st.sampled_from(list(PLANTED.values())), _beside, _edge, st.integers(0, 3))
@example(PLANTED["jwt"], ("", "[REDACTED:"), ("", ""), 0)
@example(GITHUB, ("password=", " # gitleaks:allow"), ('"', '"'), 1)
def test_no_planted_secret_is_left_wherever_it_stands(
    secret: str, beside: tuple[str, str], edge: tuple[str, str], line: int
) -> None:
    # A letter or digit right beside it would make it another word.
    before, after = beside[0] + (edge[0] or " "), (edge[1] or " ") + beside[1]
    lines = ["def f():", "    pass", "", "}"]
    lines[line] = before + secret + after
    result = redact_text("\n".join(lines))
    assert secret not in result
    assert secret[8:-4] not in result
    assert REDACTED_MARK in result.split("\n")[line]
    assert result.count("\n") == 3
    assert redact_text(result) == result


@given(
    st.lists(
        st.sampled_from(
            [*PLANTED.values(), BEGIN, END, *BODY, "password = ", "grace@navy.mil", KEY]
        )
        | st.sampled_from(
            ["4111 1111 1111 1111", " ", "\n", "\n", '"', "://u:", "@", "é", "\x00", "\x01", "x"]
        )
        | st.text(max_size=3),
        max_size=12,
    ).map("".join)
)
def test_redaction_is_idempotent_and_keeps_the_lines(text: str) -> None:
    result = redact_text(text)
    assert result.count("\n") == text.count("\n")
    assert redact_text(result) == result


@given(st.text())
def test_any_text_can_be_searched(text: str) -> None:
    assert redact_text(text).count("\n") == text.count("\n")


def test_a_slice_of_a_key_is_redacted_if_the_whole_file_is_known() -> None:
    rows = [" x", f" {BEGIN}", *(f" {line}" for line in BODY[:2]), f"-{BODY[2]}", f"+{BODY[3]}"]
    rows += [f" {line}" for line in BODY[:4]] + [f" {END}"]
    whole = File((hunk("\n".join(rows)),))
    middle = File((hunk("\n".join(rows[3:8]), old=4, new=4),))
    assert redact_file(middle) == FileRedaction()
    result = redact_file(middle, whole)
    assert result.replacements == {(0, number): KEY for number in range(5)}
    assert [(one.rule, one.line, one.end, one.kind) for one in result.secrets] == [
        ("private-key", 0, 4, "context"),
        ("private-key", 2, 4, "added"),
    ]


def test_the_heading_is_redacted_also_if_the_whole_file_is_known() -> None:
    whole = File((hunk(" a\n+b\n c"),))
    part = File((hunk("+b", section=f'def f(key="{GITHUB}"):', old=2, new=2),))
    assert redact_file(part, whole).sections == {0: 'def f(key="[REDACTED:secret]"):'}


def test_a_line_that_two_hunks_show_is_redacted_in_both() -> None:
    line = hunk(f' k = "{GITHUB}"', old=5, new=5)
    whole = File((hunk(f' a\n k = "{GITHUB}"', old=4, new=4),))
    assert set(redact_file(File((line, line)), whole).replacements) == {(0, 0), (1, 0)}


def test_a_file_that_is_not_the_whole_one_is_ignored() -> None:
    other = File((hunk(f" {BEGIN}\n {BODY[0]}"),))
    part = File((hunk(f" {BODY[1]}", old=2, new=2),))
    assert redact_file(part, other) == FileRedaction()


def test_a_file_has_a_private_key_only_if_one_is_in_it() -> None:
    assert has_private_key(f"x\n{BEGIN}\n{BODY[0]}", "a.py")
    assert has_private_key("\n".join(BODY), "a.pem")
    assert not has_private_key("\n".join(BODY), "a.py")
    assert not has_private_key(f"x\n{BEGIN}\nx = 1", "a.py")
