"""Configuration of the GitHub App, from the environment or else from files of the set-up.

The files are in ``github-app/`` of the state folder: ``app.json`` identifies the App;
``private-key.pem`` and ``webhook-secret`` (one secret a line, two during a rotation) authenticate
it. Errors in these files are reported when the server starts, not by the first webhook.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.config.installation import install_command
from reviewbot.config.settings import SecretText
from reviewbot.config.variables import (
    APP,
    APP_ID,
    GITHUB_ADDRESS,
    PRIVATE_KEY,
    PRIVATE_KEY_FILE,
    WEBHOOK_SECRET,
)
from reviewbot.core.wording import listed
from reviewbot.errors import ConfigError
from reviewbot.github.api.gateway import API_URL
from reviewbot.github.client.auth import AppCredentials
from reviewbot.store.private_files import (
    check_creatable,
    check_private_folder,
    create_folder,
    read_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reviewbot.github.api.app import NewApp

FOLDER: Final = "github-app"
ABOUT_FILE: Final = "app.json"
KEY_FILE: Final = "private-key.pem"
SECRET_FILE: Final = "webhook-secret"  # noqa: S105 - the file's name

_ID: Final = re.compile(r"[A-Za-z0-9.]{1,64}")


@dataclass(frozen=True, slots=True)
class AppConfig:
    """An App and the secrets that authenticate it.

    Attributes:
        app_id: id or client id of the App.
        slug: name of the App in addresses; empty if only GitHub knows the slug.
        private_key: private key in PEM format.
        webhook_secrets: accepted signing secrets of deliveries; at least one.
        base_url: URL of GitHub's REST API.
        source: origin of the configuration, for messages.
    """

    app_id: str
    slug: str
    private_key: SecretText
    webhook_secrets: tuple[SecretText, ...]
    base_url: str
    source: str

    @property
    def credentials(self) -> AppCredentials:
        """Credentials for the gateway."""
        return AppCredentials(self.app_id, self.private_key)


def read_app_config(variables: Callable[[str], str | None], state_folder: Path) -> AppConfig | None:
    """Return the configured App; None if no App is configured.

    ``variables`` returns a variable of the real environment. The set-up stores Apps in
    ``state_folder``.

    Raises:
        ConfigError: the configuration is incomplete, invalid, or readable by other users.
    """
    found = {name: text for name in APP if (text := (variables(name) or "").strip())}
    address = (variables(GITHUB_ADDRESS) or "").strip().rstrip("/")
    if found:
        return _of_variables(found, address or API_URL)
    folder = state_folder / FOLDER
    return _of_folder(folder, address) if os.path.lexists(folder) else None


def check_storable(state_folder: Path) -> None:
    """Raise if an App cannot be stored. Call this first: GitHub returns a key only once.

    Raises:
        ConfigError: an App could not be stored.
    """
    check_creatable(state_folder / FOLDER)


def store_app(new: NewApp, state_folder: Path, base_url: str) -> AppConfig:
    """Store a new App, whole or not at all. Other users can never read the files.

    ``state_folder`` is created if missing. ``base_url`` is the address of that GitHub's REST API.

    Returns:
        The App as :func:`read_app_config` will return it.

    Raises:
        ConfigError: the App cannot be stored, or an App is already stored.
    """
    if not new.webhook_secret.reveal():
        raise ConfigError(
            "GitHub created it without a webhook secret, so its deliveries cannot be verified"
        )
    about = {
        "app_id": str(new.id),
        "slug": new.slug,
        "name": new.name,
        "url": new.url,
        "client_id": new.client_id,
        "base_url": base_url.rstrip("/"),
    }
    folder = state_folder / FOLDER
    files = {
        ABOUT_FILE: json.dumps(about, indent=2) + "\n",
        KEY_FILE: new.private_key.reveal(),
        SECRET_FILE: new.webhook_secret.reveal() + "\n",
    }
    create_folder(folder, files)
    return _of_folder(folder, "")


def _of_variables(found: Mapping[str, str], base_url: str) -> AppConfig:
    missing = [name for name in (APP_ID, WEBHOOK_SECRET) if name not in found]
    if PRIVATE_KEY not in found and PRIVATE_KEY_FILE not in found:
        missing.append(f"{PRIVATE_KEY} (or {PRIVATE_KEY_FILE})")
    if missing:
        raise ConfigError(
            f"this is only a part of a GitHub App; set {listed(missing)}, too",
            source=next(iter(found)),
        )
    if PRIVATE_KEY in found and PRIVATE_KEY_FILE in found:
        raise ConfigError(
            f"is set as well as {PRIVATE_KEY}; set only one of them", source=PRIVATE_KEY_FILE
        )
    if PRIVATE_KEY in found:
        # Systems that keep a variable on one line write its line ends as \n.
        key = _key(found[PRIVATE_KEY].replace("\\n", "\n"), PRIVATE_KEY)
    else:
        path = _expanded(found[PRIVATE_KEY_FILE])
        key = _key(read_file(path, PRIVATE_KEY_FILE, private=False), f"{PRIVATE_KEY_FILE} ({path})")
    return AppConfig(
        app_id=_app_id(found[APP_ID], APP_ID),
        slug="",
        private_key=key,
        webhook_secrets=_secrets(found[WEBHOOK_SECRET].split(","), WEBHOOK_SECRET),
        base_url=base_url,
        source="the environment",
    )


def _of_folder(folder: Path, address: str) -> AppConfig:
    """Return the stored App. Its key is sent only to the GitHub server that created the App."""
    check_private_folder(folder)
    about = _about(folder / ABOUT_FILE)
    if address and address != about["base_url"]:
        raise ConfigError(
            f"the GitHub App in {folder} was created at {about['base_url']}; leave this out, or"
            f" configure another App with {APP_ID} and its key",
            source=GITHUB_ADDRESS,
        )
    key, secrets = folder / KEY_FILE, folder / SECRET_FILE
    return AppConfig(
        app_id=_app_id(about["app_id"], str(folder / ABOUT_FILE)),
        slug=about["slug"],
        private_key=_key(_private(key), str(key)),
        webhook_secrets=_secrets(_private(secrets).splitlines(), str(secrets)),
        base_url=about["base_url"],
        source=str(folder),
    )


def _about(path: Path) -> Mapping[str, str]:
    try:
        about = json.loads(_private(path))
    except ValueError as error:
        raise ConfigError("is not valid JSON", source=str(path)) from error
    for name in ("app_id", "slug", "base_url"):
        if not isinstance(about, dict) or not isinstance(about.get(name), str):
            raise ConfigError(f"has no text for {name}", source=str(path))
    found: dict[str, str] = about
    return found


def _private(path: Path) -> str:
    return read_file(path, str(path), private=True)


def _app_id(text: str, source: str) -> str:
    if not _ID.fullmatch(text):
        raise ConfigError("must be the id of a GitHub App, such as 1234567", source=source)
    return text


def _secrets(texts: list[str], source: str) -> tuple[SecretText, ...]:
    found = tuple(SecretText(text.strip()) for text in texts if text.strip())
    if not found:
        raise ConfigError("has no webhook secret", source=source)
    return found


def _key(text: str, source: str) -> SecretText:
    """Return ``text`` if it can be a key from GitHub. Error messages never contain the text."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ModuleNotFoundError:
        raise ConfigError(
            "PyGithub is not installed: install reviewbot with its extra, as in"
            f" {install_command('github')}"
        ) from None
    try:
        key = load_pem_private_key(text.encode("utf-8", "replace"), password=None)
    except TypeError:
        raise ConfigError(
            "this private key has a password; use the key as GitHub issued it", source=source
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError(
            "this is not a private key of a GitHub App; use the whole .pem file from the App's"
            " settings, from -----BEGIN to the end",
            source=source,
        )
    return SecretText(text)


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"{text!r} begins with ~ and an unknown user", source=PRIVATE_KEY_FILE
        ) from error
