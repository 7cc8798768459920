"""Credentials of the App: found, checked at the start, stored for their owner alone."""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from reviewbot.config.settings import SecretText
from reviewbot.config.variables import APP
from reviewbot.errors import ConfigError
from reviewbot.github.api.app import NewApp
from reviewbot.github.app.credentials import (
    AppConfig,
    check_storable,
    read_app_config,
    store_app,
)
from reviewbot.github.client.auth import AppCredentials
from tests.fake_github.people import private_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APP_ID, KEY, KEY_FILE, SECRET = APP
PEM = private_key()
API = "https://github.example/api/v3"
WHOLE = {APP_ID: "1234", KEY: PEM, SECRET: "first-word"}
NEW = NewApp(
    id=77,
    slug="our-reviews",
    name="Our reviews",
    url="https://github.example/github-apps/our-reviews",
    client_id="Iv1.0123456789abcdef",
    webhook_secret=SecretText("hook-word"),
    private_key=SecretText(PEM),
)


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    """What is private is so by its own doing."""
    before = os.umask(0)
    yield
    os.umask(before)


def read(folder: Path, **variables: str) -> AppConfig | None:
    return read_app_config(variables.get, folder)


def refused(folder: Path, **variables: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, **variables)
    said = str(caught.value)
    shown = repr(caught.value) + repr(caught.value.__context__) + said
    for secret in (*PEM.splitlines()[1:4], "first-word", "hook-word"):
        assert secret not in shown
    return said


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- From the environment


def test_without_variables_and_files_there_is_no_app(tmp_path: Path) -> None:
    assert read(tmp_path) is None
    assert read(tmp_path / "nowhere") is None
    assert read(tmp_path, **dict.fromkeys(APP, " ")) is None
    assert read(tmp_path, GITHUB_API_URL=API) is None


def test_an_app_of_the_environment_is_at_github_com_unless_an_address_is_set(
    tmp_path: Path,
) -> None:
    found = read(tmp_path, **WHOLE)
    assert found is not None
    assert (found.app_id, found.slug) == ("1234", "")
    assert found.base_url == "https://api.github.com"
    assert found.webhook_secrets == (SecretText("first-word"),)
    assert found.credentials == AppCredentials("1234", SecretText(PEM.strip()))
    elsewhere = read(tmp_path, **WHOLE, GITHUB_API_URL=f"{API}/")
    assert elsewhere is not None
    assert elsewhere.base_url == API


def test_two_webhook_secrets_are_separated_by_a_comma(tmp_path: Path) -> None:
    found = read(tmp_path, **WHOLE | {SECRET: " new , old,"})
    assert found is not None
    assert found.webhook_secrets == (SecretText("new"), SecretText("old"))


def test_a_key_in_one_line_is_a_key(tmp_path: Path) -> None:
    found = read(tmp_path, **WHOLE | {KEY: PEM.replace("\n", "\\n")})
    assert found is not None
    assert found.private_key == SecretText(PEM)


def test_a_key_is_read_from_a_file_that_others_may_read(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(PEM)
    found = read(
        tmp_path, **{APP_ID: "1", SECRET: "first-word", KEY_FILE: str(tmp_path / "key.pem")}
    )
    assert found is not None
    assert found.private_key == SecretText(PEM)


def test_nothing_shows_a_secret(tmp_path: Path) -> None:
    found = read(tmp_path, **WHOLE)
    for text in (repr(found), str(found), f"{found!r:>10}"):
        assert "first-word" not in text
        assert PEM.splitlines()[1] not in text


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ([APP_ID], f"set {SECRET} and {KEY} (or {KEY_FILE}), too"),
        ([KEY], f"set {APP_ID} and {SECRET}, too"),
        ([SECRET], f"set {APP_ID} and {KEY} (or {KEY_FILE}), too"),
        ([APP_ID, KEY], f"set {SECRET}, too"),
        ([APP_ID, SECRET], f"set {KEY} (or {KEY_FILE}), too"),
        ([KEY, SECRET], f"set {APP_ID}, too"),
    ],
)
def test_half_an_app_names_what_is_missing(there: list[str], missing: str, tmp_path: Path) -> None:
    said = refused(tmp_path, **{name: WHOLE[name] for name in there})
    assert said == f"{there[0]}: this is only a part of a GitHub App; {missing}"


def test_a_key_is_not_set_in_two_ways(tmp_path: Path) -> None:
    said = refused(tmp_path, **WHOLE, **{KEY_FILE: "key.pem"})
    assert said == f"{KEY_FILE}: is set as well as {KEY}; set only one of them"


def other_keys() -> dict[str, str]:
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    ours = serialization.load_pem_private_key(PEM.encode(), None)
    assert isinstance(ours, rsa.RSAPrivateKey)
    public = ours.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(pem, pkcs8, plain)
    return {
        "cut": PEM[: len(PEM) // 2],
        "a word": "first-word",
        "the public half": public.decode(),
        "of another kind": other.decode(),
        "not text": "\udcff" + PEM[5:],
    }


@pytest.mark.parametrize(
    "kind", ["cut", "a word", "the public half", "of another kind", "not text"]
)
def test_what_is_no_private_key_of_an_app_is_told_at_once(kind: str, tmp_path: Path) -> None:
    said = refused(tmp_path, **WHOLE | {KEY: other_keys()[kind]})
    assert said.startswith(
        f"{KEY}: this is not a private key of a GitHub App; use the whole .pem file"
    )


def test_a_key_with_a_password_is_told(tmp_path: Path) -> None:
    ours = serialization.load_pem_private_key(PEM.encode(), None)
    locked = ours.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x"),
    )
    said = refused(tmp_path, **WHOLE | {KEY: locked.decode()})
    assert said == f"{KEY}: this private key has a password; use the key as GitHub issued it"


def test_a_key_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    base = {APP_ID: "1", SECRET: "first-word"}
    missing = tmp_path / "missing.pem"
    said = refused(tmp_path, **base, **{KEY_FILE: str(missing)})
    assert said == f"{KEY_FILE}: {missing} cannot be read: No such file or directory"
    os.mkfifo(tmp_path / "pipe")
    assert "is not a file" in refused(tmp_path, **base, **{KEY_FILE: str(tmp_path / "pipe")})
    assert "is not a file" in refused(tmp_path, **base, **{KEY_FILE: str(tmp_path)})
    assert "an unknown user" in refused(tmp_path, **base, **{KEY_FILE: "~nobody-here/key.pem"})


@pytest.mark.parametrize("text", ["12 34", "a/b", "\u0661\u0662", "1" * 65])
def test_an_id_that_is_none_is_told(text: str, tmp_path: Path) -> None:
    said = refused(tmp_path, **WHOLE | {APP_ID: text})
    assert said == f"{APP_ID}: must be the id of a GitHub App, such as 1234567"


def test_a_secret_of_separators_alone_is_none(tmp_path: Path) -> None:
    assert refused(tmp_path, **WHOLE | {SECRET: " , "}) == f"{SECRET}: has no webhook secret"


# --- Stored


def test_what_was_stored_is_found_again(tmp_path: Path) -> None:
    stored = store_app(NEW, tmp_path / "state", API)
    assert stored == read(tmp_path / "state")
    assert (stored.app_id, stored.slug, stored.base_url) == ("77", "our-reviews", API)
    assert stored.webhook_secrets == (SecretText("hook-word"),)
    assert stored.private_key == SecretText(PEM)
    assert stored.source == str(tmp_path / "state" / "github-app")


def test_the_environment_goes_before_what_was_stored(tmp_path: Path) -> None:
    store_app(NEW, tmp_path, API)
    found = read(tmp_path, **WHOLE)
    assert found is not None
    assert found.app_id == "1234"


def test_what_is_stored_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    store_app(NEW, tmp_path / "state", API)
    folder = tmp_path / "state" / "github-app"
    assert mode(folder) == 0o700
    assert {path.name: mode(path) for path in folder.iterdir()} == {
        "app.json": 0o600,
        "private-key.pem": 0o600,
        "webhook-secret": 0o600,
    }
    assert [path.name for path in folder.parent.iterdir()] == ["github-app"]


def test_nothing_is_for_others_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []

    def flushed(descriptor: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        modes.extend(mode(path) for path in tmp_path.rglob("*"))

    monkeypatch.setattr(os, "fsync", flushed)
    store_app(NEW, tmp_path, API)
    assert len(modes) >= 6
    assert not any(one & 0o077 for one in modes)


def test_who_the_app_is_stands_apart_from_its_secrets(tmp_path: Path) -> None:
    store_app(NEW, tmp_path, f"{API}/")
    text = (tmp_path / "github-app" / "app.json").read_text()
    assert json.loads(text) == {
        "app_id": "77",
        "slug": "our-reviews",
        "name": "Our reviews",
        "url": "https://github.example/github-apps/our-reviews",
        "client_id": "Iv1.0123456789abcdef",
        "base_url": API,
    }


def test_an_app_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    store_app(NEW, tmp_path, API)
    before = read(tmp_path)
    for attempt in (
        lambda: check_storable(tmp_path),
        lambda: store_app(NEW, tmp_path, "https://x"),
    ):
        with pytest.raises(ConfigError, match="already exists; remove it to make another"):
            attempt()
    assert read(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == 1


def test_an_app_that_comes_between_the_check_and_the_write_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    store_app(NEW, tmp_path / "other", API)
    fsync = os.fsync

    def also_made(descriptor: int) -> None:
        fsync(descriptor)
        if (tmp_path / "other").exists():
            (tmp_path / "other" / "github-app").rename(tmp_path / "github-app")
            (tmp_path / "other").rmdir()

    monkeypatch.setattr(os, "fsync", also_made)
    with pytest.raises(ConfigError, match="already exists"):
        store_app(NEW, tmp_path, "https://x")
    found = read(tmp_path)
    assert found is not None
    assert found.base_url == API
    assert [path.name for path in tmp_path.iterdir()] == ["github-app"]


def test_what_cannot_be_stored_is_told_before_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"github-app: cannot be written: Not a directory"):
        check_storable(tmp_path / "file" / "state")
    check_storable(tmp_path / "state")
    assert list((tmp_path / "state").iterdir()) == []

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
        store_app(NEW, tmp_path / "state", API)
    assert list((tmp_path / "state").iterdir()) == []


def test_an_app_without_a_webhook_secret_is_not_stored(tmp_path: Path) -> None:
    deaf = NewApp(
        **{name: getattr(NEW, name) for name in NEW.__slots__} | {"webhook_secret": SecretText("")}
    )
    with pytest.raises(ConfigError, match="without a webhook secret"):
        store_app(deaf, tmp_path, API)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["app.json", "private-key.pem", "webhook-secret", ""])
@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o666])
def test_what_others_can_read_is_refused_with_what_to_do(
    name: str, bits: int, tmp_path: Path
) -> None:
    store_app(NEW, tmp_path, API)
    path = tmp_path / "github-app" / name
    path.chmod(bits | (0o100 if not name else 0))
    wanted = "600" if name else "700"
    assert refused(tmp_path) == f"{path}: others can read this; run chmod {wanted} on it"
    path.chmod(int(wanted, 8))
    assert read(tmp_path) is not None


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("app.json", None, "cannot be read: No such file or directory"),
        ("private-key.pem", None, "cannot be read: No such file or directory"),
        ("webhook-secret", None, "cannot be read: No such file or directory"),
        ("app.json", "{", "is not valid JSON"),
        ("app.json", "[]", "has no text for app_id"),
        ("app.json", '{"app_id": 7}', "has no text for app_id"),
        ("app.json", '{"app_id": "7", "slug": "x"}', "has no text for base_url"),
        ("private-key.pem", "x", "this is not a private key of a GitHub App"),
        ("webhook-secret", "\n", "has no webhook secret"),
    ],
)
def test_a_damaged_file_is_named(name: str, text: str | None, said: str, tmp_path: Path) -> None:
    store_app(NEW, tmp_path, API)
    path = tmp_path / "github-app" / name
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    told = refused(tmp_path)
    assert str(path) in told
    assert said in told


def test_a_folder_that_is_none_is_no_missing_app(tmp_path: Path) -> None:
    (tmp_path / "github-app").write_text("")
    assert "is not a folder" in refused(tmp_path)
    (tmp_path / "github-app").unlink()
    (tmp_path / "github-app").symlink_to(tmp_path / "nowhere")
    assert "cannot be read" in refused(tmp_path)


def test_a_second_secret_can_be_put_into_the_file(tmp_path: Path) -> None:
    store_app(NEW, tmp_path, API)
    with (tmp_path / "github-app" / "webhook-secret").open("a") as file:
        file.write("next-word\n")
    found = read(tmp_path)
    assert found is not None
    assert found.webhook_secrets == (SecretText("hook-word"), SecretText("next-word"))


def test_the_key_of_a_stored_app_goes_to_no_other_address(tmp_path: Path) -> None:
    store_app(NEW, tmp_path, API)
    assert read(tmp_path, GITHUB_API_URL=f"{API}/") is not None
    said = refused(tmp_path, GITHUB_API_URL="https://evil.example")
    assert said.startswith("GITHUB_API_URL: the GitHub App in ")
    assert f"was created at {API}; leave this out" in said


def test_without_the_extra_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    assert refused(tmp_path, **WHOLE).startswith("PyGithub is not installed: install reviewbot")
