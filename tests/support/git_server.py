"""Git repositories on loopback, served as GitHub serves them: over HTTP, to holders of a token."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_QUIET = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "LC_ALL": "C",
}
_WHO = ("-c", "user.name=t", "-c", "user.email=t@example.org")


class Transfer(NamedTuple):
    """Answer of git to an HTTP request."""

    status: int
    headers: dict[str, str]
    body: bytes


class Sent(NamedTuple):
    """Request that came to the server."""

    method: str
    target: str
    headers: dict[str, str]


def basic(token: str) -> str:
    """Return the header value that holds a token."""
    return "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()


def http_backend(
    root: Path, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> Transfer:
    """Return git's answer to a request for a repository below ``root``; names in lower case."""
    parts = urlsplit(target)
    variables = {
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": parts.path,
        "QUERY_STRING": parts.query,
        "REQUEST_METHOD": method,
        "CONTENT_TYPE": headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
        "GIT_PROTOCOL": headers.get("git-protocol", ""),
    }
    done = subprocess.run(
        ["git", "http-backend"],
        env=_QUIET | variables,
        input=body,
        capture_output=True,
        check=False,  # after the answer to a request for commits that do not exist, it fails
    )
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    pairs = (line.partition(":") for line in head.decode("latin-1").split("\r\n"))
    found = {name.strip().lower(): value.strip() for name, _, value in pairs}
    status = int(found.pop("status", "200").split()[0])
    return Transfer(status, found, content)


class RemoteRepository:
    """A repository below the root of a server, with commits made by plain git."""

    def __init__(self, root: Path, name: str) -> None:
        self.name, self._folder, self._work = name, root / f"{name}.git", root / f"work/{name}"
        self._work.mkdir(parents=True)
        self._git("init", "--quiet", "--bare", str(self._folder))
        for key in ("allowFilter", "allowAnySHA1InWant"):
            self._git("config", f"uploadpack.{key}", "true")

    def commit(self, files: Mapping[str, str | bytes], *, ref: str | None = None) -> str:
        """Add files to those of the last commit; return the new commit, to which ``ref`` points."""
        tree = {
            "GIT_WORK_TREE": str(self._work),
            "GIT_INDEX_FILE": str(self._folder / "work.index"),
        }
        for path, content in files.items():
            target = self._work / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        self._git("add", "--all", ".", cwd=self._work, **tree)
        self._git("commit", "--quiet", "--allow-empty", "--message=x", cwd=self._work, **tree)
        commit = self._git("rev-parse", "HEAD").strip()
        if ref is not None:
            self.point(ref, commit)
        return commit

    def point(self, ref: str, commit: str) -> None:
        """Make a ref point to a commit."""
        self._git("update-ref", ref, commit)

    def _git(self, *arguments: str, cwd: Path | None = None, **variables: str) -> str:
        done = subprocess.run(
            ["git", *_WHO, *arguments],
            env=_QUIET | {"GIT_DIR": str(self._folder)} | variables,
            cwd=cwd,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout


class GitServer:
    """Server for the time of ``with``. Tests change its attributes at any time.

    Attributes:
        tokens: names of the repositories that the holder of each token sees.
        public: names of the repositories that everybody sees.
        moved: address to which requests for a repository are redirected.
        before_pack: called before each request for objects is answered.
        requests: all requests, in their order.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tokens: dict[str, set[str]] = {}
        self.public: set[str] = set()
        self.moved: dict[str, str] = {}
        self.before_pack: Callable[[], object] = lambda: None
        self.requests: list[Sent] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(b"")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers.get("content-length", "0"))))

            def _answer(self, body: bytes) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                found = server._respond(Sent(self.command, self.path, headers), body)
                self.send_response(found.status)
                for name, value in found.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(found.body)))
                self.end_headers()
                self.wfile.write(found.body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=partial(self._server.serve_forever, poll_interval=0.02), daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def repository(self, name: str, *, token: str | None = None) -> RemoteRepository:
        """Make a repository, which is public without a token."""
        if token is None:
            self.public.add(name)
        else:
            self.tokens.setdefault(token, set()).add(name)
        return RemoteRepository(self.root, name)

    def url(self, name: str) -> str:
        """Return the address of a repository."""
        return f"http://127.0.0.1:{self._server.server_port}/{name}.git"

    def _respond(self, sent: Sent, body: bytes) -> Transfer:
        self.requests.append(sent)
        name = sent.target.partition(".git/")[0].strip("/")
        if name in self.moved:
            target = self.moved[name] + sent.target.partition(".git")[2]
            return Transfer(301, {"location": target}, b"")
        given = sent.headers.get("authorization")
        if given is None and name not in self.public:
            return Transfer(401, {"www-authenticate": 'Basic realm="GitHub"'}, b"")
        seen = {
            one for token, names in self.tokens.items() if basic(token) == given for one in names
        }
        if name not in self.public | seen:
            return Transfer(404, {}, b"Repository not found.")
        if sent.method == "POST" and b"command=fetch" in body:
            self.before_pack()
        return http_backend(self.root, sent.method, sent.target, sent.headers, body)
