"""All that exists on this GitHub, by name and by number, and the making of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tests.fake_github.git import GitStore
from tests.fake_github.people import (
    EVENTS,
    REVIEWER,
    App,
    Installation,
    Token,
    User,
    installation_secret,
    personal_secret,
    private_key,
)
from tests.fake_github.repository import Repository
from tests.fake_github.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.fake_github.clock import Clock
    from tests.fake_github.git import Files
    from tests.fake_github.rules import Rules


class Node(Protocol):
    """Anything with a global id."""

    node_id: str


T = TypeVar("T", bound=Node)


class World:
    """The state. It is changed in the loop of the server alone, by tests and by handlers."""

    def __init__(self, clock: Clock, rules: Rules, folder: Path) -> None:
        self.clock, self.rules, self._folder = clock, rules, folder
        self.users: dict[str, User] = {}
        self.repositories: dict[str, Repository] = {}
        self.apps: dict[int, App] = {}
        self.installations: dict[int, Installation] = {}
        self.tokens: dict[str, Token] = {}
        self.nodes: dict[str, Any] = {}
        self.manifests: dict[str, tuple[dict[str, Any], User, float]] = {}
        self.on_event: Any = None
        self.api_url = self.web_url = "https://github.invalid"
        self._last = 3_000_000_000  # ids have long left 32 bits

    # --- Identity

    def identity(self, prefix: str) -> tuple[int, str]:
        """A new number and a global id."""
        self._last += 1
        return self._last, f"{prefix}_kwDO{self._last:x}"

    def add(self, thing: T) -> T:
        self.nodes[thing.node_id] = thing
        return thing

    def happened(self, event: str, action: str, **about: Any) -> None:
        """Tells whoever sends webhooks."""
        if self.on_event is not None:
            self.on_event(event, action, about)

    # --- People

    def user(self, login: str, kind: Any = "User") -> User:
        """The user of this name; made where there is none."""
        if login not in self.users:
            number, node_id = self.identity({"User": "U", "Bot": "BOT"}.get(kind, "O"))
            self.users[login] = self.add(User(number, node_id, login, kind))
        return self.users[login]

    def organization(self, login: str) -> User:
        return self.user(login, "Organization")

    # --- Repositories

    def repository(
        self, full_name: str = "octo/hello", files: Files | None = None, *, private: bool = True
    ) -> Repository:
        """A repository, made with one commit of ``files`` on ``main`` where there is none."""
        if (found := self.repositories.get(full_name.lower())) is not None:
            return found
        store = GitStore(self._folder / full_name.replace("/", "-"))
        repository = self._new_repository(full_name, store, private=private)
        start = {"README.md": "# Hello\n"} if files is None else files
        repository.commit(None, start, "First", by=repository.owner.login, whole=True)
        return repository

    def _new_repository(
        self, full_name: str, store: GitStore, *, private: bool, parent: Repository | None = None
    ) -> Repository:
        owner, _, name = full_name.partition("/")
        made = Repository(
            self, *self.identity("R"), self.user(owner), name, store, private, parent=parent
        )
        self.repositories[full_name.lower()] = self.add(made)
        return made

    def fork(self, parent: Repository, owner: str) -> Repository:
        """The fork of an account, which knows all commits of its parent."""
        full_name = f"{owner}/{parent.name}"
        if (found := self.repositories.get(full_name.lower())) is not None:
            return found
        fork = self._new_repository(full_name, parent.store, private=parent.private, parent=parent)
        fork.branches = dict(parent.branches)
        return fork

    def rename(self, repository: Repository, full_name: str) -> None:
        """Another name, and perhaps another owner. The old name does not lead here any more."""
        del self.repositories[repository.full_name.lower()]
        owner, _, repository.name = full_name.partition("/")
        repository.owner = self.user(owner)
        self.repositories[full_name.lower()] = repository

    def find_repository(self, full_name: str) -> Repository:
        found = self.repositories.get(full_name.lower())
        if found is None:
            raise Refused(404, "Not Found")
        return found

    # --- Apps

    def app(
        self,
        slug: str = "reviewbot",
        *,
        owner: str = "octo",
        permissions: dict[str, str] | None = None,
        events: Sequence[str] = EVENTS,
        webhook_secret: str | None = "hush",
        webhook_url: str | None = None,
        key: str | None = None,
    ) -> App:
        """The App of this name; made where there is none."""
        for app in self.apps.values():
            if app.slug == slug:
                return app
        number, node_id = self.identity("A")
        number -= 3_000_000_000  # Apps are few
        app = App(
            id=number,
            node_id=node_id,
            slug=slug,
            name=slug,
            owner=self.user(owner),
            bot=self.user(f"{slug}[bot]", "Bot"),
            client_id=f"Iv23li{number:014d}",
            client_secret=f"{number:040x}",
            private_key=key or private_key(len(self.apps) % 2),
            webhook_secret=webhook_secret,
            webhook_url=webhook_url,
            permissions=dict(REVIEWER if permissions is None else permissions),
            events=list(events),
            created=self.clock.now(),
        )
        self.apps[number] = self.add(app)
        return app

    def install(
        self,
        app: App,
        *repositories: Repository,
        account: str | None = None,
        permissions: dict[str, str] | None = None,
    ) -> Installation:
        """Installs an App on repositories, or on all of an account."""
        number, node_id = self.identity("INST")
        installation = Installation(
            id=number,
            node_id=node_id,
            app=app,
            account=repositories[0].owner if account is None else self.user(account),
            permissions=dict(app.permissions if permissions is None else permissions),
            created=self.clock.now(),
            repositories=list(repositories) if account is None else None,
        )
        self.installations[number] = self.add(installation)
        self.happened(
            "installation",
            "created",
            installation=installation,
            sender=installation.account,
        )
        return installation

    def installation_of(self, repository: Repository, app: App) -> Installation | None:
        return next(
            (
                one
                for one in self.installations.values()
                if one.app is app and one.covers(repository)
            ),
            None,
        )

    # --- Tokens

    def installation_token(
        self,
        installation: Installation,
        permissions: dict[str, str] | None = None,
        repositories: list[Repository] | None = None,
        *,
        seconds: float | None = None,
        limit: int = 5_000,
    ) -> Token:
        """A token of an installation, or of less than it may."""
        life = self.rules.token_seconds if seconds is None else seconds
        token = Token(
            installation_secret(installation.app, len(self.tokens)),
            self.clock.now() + life,
            installation=installation,
            permissions=dict(installation.permissions if permissions is None else permissions),
            repositories=repositories,
            limit=limit,
        )
        self.tokens[token.value] = token
        return token

    def actions_token(
        self, repository: Repository, permissions: dict[str, str] | None = None
    ) -> Token:
        """The GITHUB_TOKEN of a job in a repository; without permissions: read contents only."""
        app = self.app("github-actions", owner="github", events=(), webhook_secret=None)
        installation = self.installation_of(repository, app) or self.install(app, repository)
        granted = {"contents": "read"} if permissions is None else permissions
        granted = granted | {"metadata": "read"}
        return self.installation_token(
            installation, granted, [repository], seconds=24 * 3600, limit=1_000
        )

    def personal_token(self, login: str) -> Token:
        """A classic token of a person, who may do with it whatever they may do."""
        user = self.user(login)
        value = personal_secret(user, len(self.tokens))
        self.tokens[value] = Token(value, float("inf"), user=user)
        return self.tokens[value]
