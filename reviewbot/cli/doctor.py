"""``reviewbot doctor``: check the installation, the settings, the models and the App."""

from __future__ import annotations

import asyncio
import difflib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reviewbot.action.inputs import PREFIX as ACTION_PREFIX
from reviewbot.cli.installation_checks import OK, WARNING, WRONG, Check, guard, installation_checks
from reviewbot.config.load import dotenv_of, find_config, read_settings, repository_root
from reviewbot.config.settings import OFFLINE, load_settings
from reviewbot.config.variables import (
    APP,
    DATABASE_URL,
    DOTENV,
    DOTENV_NAME,
    GITHUB_ADDRESS,
    MACHINE,
    PREFIX,
    SERVER_KEY,
    STATE_DIR,
    STORE_KEY,
    TOKENS,
)
from reviewbot.core.safety.escape import show
from reviewbot.errors import EXIT_OK, EXIT_USAGE, ConfigError, SourceError
from reviewbot.github.app import credentials

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from reviewbot.config.settings import ModelChoice, Settings
    from reviewbot.github.api.app import AppSelf
    from reviewbot.github.app.credentials import AppConfig
    from reviewbot.models.anthropic.claude import Probe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.description = (
        "Checks what a review needs, and says where each setting comes from. With a key it sends"
        " each model a short request, which costs a small part of a cent. If there is an App, it"
        " asks GitHub about it. Keys are never shown."
    )
    parser.add_argument("--model", metavar="NAME", help="check this model")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="read this file instead of .reviewbot.yml"
    )
    parser.epilog = (
        "marks:\n  ✓ works   ! works, with a warning   ✗ a review would fail\n\n"
        "exit codes:\n  0 no ✗   2 at least one ✗"
    )


def run(args: argparse.Namespace) -> int:
    """Print each check once its result is known; return 2 if a review would fail."""
    wrong = False
    for check in _checks(args):
        wrong |= check.mark == WRONG
        print(f"{check.mark} {check.name:<14} {show(check.detail)}", flush=True)  # noqa: T201  the command's output
    return EXIT_USAGE if wrong else EXIT_OK


def _checks(args: argparse.Namespace) -> Iterator[Check]:
    yield from installation_checks()
    yield guard("own rules", _own_rules)
    yield from _variables()
    try:
        settings = read_settings({"model": args.model}, config=args.config)
        yield _configuration(settings, args.config)
    except ConfigError as error:
        yield Check(WRONG, "configuration", str(error))
        yield guard("github", lambda: _github(_state_folder()))
        return
    for key, origin in sorted(settings.origins.items()):
        if key != "state_dir":
            yield Check(OK, "setting", f"{key} is set by {origin}")
    yield from (Check(WARNING, "setting", notice) for notice in settings.notices)
    yield from (Check(WARNING, "environment", sentence) for sentence in settings.ignored)
    yield from _machine(settings)
    yield guard("guidelines", partial(_guidelines, settings))
    yield Check(OK, "model", f"{settings.model.name}: {settings.model_source}")
    for setting, chain in list(settings.chains())[1:]:
        yield Check(OK, "route", f"{setting}: {', then '.join(one.name for one in chain)}")
    for choice in settings.choices:
        if choice.name != OFFLINE:
            yield _key(choice)
            if choice.problem is None:
                yield guard("endpoint", partial(_probe, choice, settings))
    yield guard("github", partial(_github, settings.state_folder))


def _own_rules() -> Check:
    """Check the rules of the working tree, which a review takes from the base."""
    from reviewbot.pipeline.custom_rules import FOLDER, load_custom_rules, read_from_folder

    rules = asyncio.run(load_custom_rules(read_from_folder(repository_root(Path.cwd()))))
    return Check(OK, "own rules", f"{len(rules)} in {FOLDER}" if rules else "none, the default")


def _guidelines(settings: Settings) -> Check:
    """Select the team's rules for a change of the files in this folder, at the last commit."""
    from reviewbot.code.git_repository import open_repository
    from reviewbot.core.prompt.guidelines import details
    from reviewbot.pipeline.guidelines import read_guidelines, tree_of, wants_guidelines

    if not wants_guidelines(settings):
        why = "turned off" if not settings.guidelines else "not read, since no model reviews"
        return Check(OK, "guidelines", why)
    try:
        repository = open_repository(Path.cwd())
    except SourceError as error:
        return Check(OK, "guidelines", f"none: {error}")
    tree = tree_of(repository)
    folder = repository.folders()[0]
    here = [path for path in tree.entries if path.rpartition("/")[0] == folder.rstrip("/")]
    found = asyncio.run(read_guidelines(tree, here or [f"{folder}file"]))
    detail = " ".join(details(found)) or "no guideline file with a rule at the last commit"
    return Check(WARNING if found.problems else OK, "guidelines", detail)


def _variables() -> Iterator[Check]:
    for name in sorted(os.environ):
        if name.startswith(ACTION_PREFIX):  # an Action checks its own variables
            continue
        if name.startswith(PREFIX) and name not in MACHINE | DOTENV:
            near = difflib.get_close_matches(name, MACHINE | DOTENV, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield Check(WARNING, "environment", f"{name} is not read{hint}")


def _machine(settings: Settings) -> Iterator[Check]:
    """Yield the origin of each setting of the machine, and of the keys for GitHub and a server."""
    folder = settings.state_folder
    yield Check(OK, "state folder", f"{folder}, {_origin(STATE_DIR) or 'the default'}")
    database = _origin(DATABASE_URL) or f"reviewbot.db in {folder}, the default"
    yield Check(OK, "database", database)
    yield _store_key(folder)
    origins = [found for name in APP if (found := _origin(name))]
    stored = folder / credentials.FOLDER
    default = f"stored in {stored}" if os.path.lexists(stored) else "none, the default"
    yield Check(OK, "github app", "; ".join(origins) or default)
    for label, names in (
        ("github token", TOKENS),
        ("github address", (GITHUB_ADDRESS,)),
        ("server key", (SERVER_KEY,)),
    ):
        found = next(filter(None, map(_origin, names)), "none, the default")
        yield Check(OK, label, found)


def _store_key(folder: Path) -> Check:
    """Check that there is a key for stored source; only a server reads and makes the key."""
    if origin := _origin(STORE_KEY):
        return Check(OK, "store key", origin)
    if os.environ.get(DATABASE_URL, "").strip().startswith("postgres"):
        return Check(
            WARNING, "store key", f"none; with Postgres, reviewbot serve needs {STORE_KEY}"
        )
    return Check(OK, "store key", f"store.key in {folder}, the default")


def _origin(name: str) -> str | None:
    """Return the origin of a variable in words; None if it is not set."""
    if os.environ.get(name, "").strip():
        return f"set by {name} in the environment"
    if name in DOTENV and dotenv_of(Path.cwd(), None).get(name, "").strip():
        return f"set by {name} in {DOTENV_NAME}"
    return None


def _configuration(settings: Settings, named: Path | None) -> Check:
    """Check the patterns, which the schema does not check."""
    from reviewbot.pipeline.patterns import check_patterns

    try:
        check_patterns(settings)
    except ConfigError as error:
        return Check(WRONG, "configuration", str(error))
    path = named or find_config(Path.cwd())
    return Check(OK, "configuration", str(path) if path else "no file; the defaults apply")


def _key(choice: ModelChoice) -> Check:
    if choice.api_key is not None:
        return Check(OK, "key", f"{choice.name}: {choice.api_key_env} is set")
    if choice.problem:
        return Check(WRONG, "key", choice.problem)
    return Check(OK, "key", f"{choice.name}: none; {choice.base_url} may need none")


def _probe(choice: ModelChoice, settings: Settings) -> Check:
    """Check an endpoint with a small streaming request like those of a review."""
    from reviewbot.models.base import Stop
    from reviewbot.pipeline.model_clients import claude_of

    async def ask() -> Probe:
        model = claude_of(choice, settings)
        try:
            return await model.probe()
        finally:
            await model.aclose()

    probe = asyncio.run(ask())
    where = f"{choice.name} at {choice.base_url or 'Anthropic'}"
    if probe.stop is not Stop.COMPLETE:
        kind = probe.answered or probe.stop
        return Check(WRONG, "endpoint", f"{where} answers with {kind}, not with a report")
    without = f"; it does not support {', '.join(probe.refused)}" if probe.refused else ""
    return Check(OK, "endpoint", f"{where} answers{without}")


def _state_folder() -> Path:
    """Return the folder where an App is stored, even if another setting is wrong."""
    env = {STATE_DIR: os.environ.get(STATE_DIR, "")}
    return load_settings(flags={}, env=env).state_folder


def _github(state_folder: Path) -> Check:
    """Check the App that ``reviewbot serve`` would use, with a request to GitHub."""
    config = credentials.read_app_config(os.environ.get, state_folder)
    if config is None:
        detail = "no App; reviewbot serve prints a link that sets one up, an Action needs none"
        return Check(OK, "github", detail)
    from reviewbot.github.app.manifest import queue_shortfalls, shortfalls
    from reviewbot.github.client.errors import NotFoundError

    try:
        app = asyncio.run(_asked(config))
    except NotFoundError:
        where = f"{config.base_url} does not know App {config.app_id} (from {config.source})"
        detail = f"{where}: check its id, and GITHUB_API_URL for an Enterprise Server"
        return Check(WRONG, "github", detail)
    who = f"{app.login} (from {config.source})"
    if lacks := shortfalls(app.permissions, app.events):
        where = f"the settings of {app.url}, under Permissions & events; then accept them where"
        return Check(WRONG, "github", f"{who}: {'; '.join(lacks)}. Change {where} it is installed")
    if lacks := queue_shortfalls(app.permissions, app.events):
        detail = f"{who}: for merge queues, {'; '.join(lacks)}. If a repository has a merge queue"
        return Check(WARNING, "github", f"{detail}, change the settings of {app.url}")
    if app.installations == 0:
        detail = f"{who} is not installed anywhere: open {app.url}/installations/new"
        return Check(WARNING, "github", detail)
    return Check(OK, "github", f"{who} has all permissions and events that it needs")


async def _asked(config: AppConfig) -> AppSelf:
    from reviewbot.github.api.gateway import Gateway

    async with Gateway(config.credentials, base_url=config.base_url) as gateway:
        return await gateway.app.get()
