"""Categories of files, such as docs, tests and code, by path and changed lines. Pure.

The path gives each file exactly one kind. A file may also be relevant to security, by its path or
its changed lines. The patterns for security are broad on purpose: a false match only costs a better
model, but a missed file is reviewed by a cheaper model. Authors choose file names freely, so
categories only select a model. They are not a defence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

from reviewbot.core.late_pattern import late_pattern
from reviewbot.core.plan.languages import language_of
from reviewbot.core.plan.lockfiles import LOCKFILES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.diff.parse import FileDiff

Kind = Literal[
    "docs", "tests", "config", "dependencies", "ci", "infrastructure", "migrations", "code"
]
Category = Literal[Kind, "security"]
CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)

SEARCHED: Final = 500_000
"""Maximum bytes of changed lines of one file to search for code relevant to security."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MANIFESTS: Final = LOCKFILES | _words(
    """
    build.gradle build.gradle.kts build.sbt bower.json cargo.toml cartfile composer.json
    conanfile.py conanfile.txt constraints.txt dependencies.gradle deno.json deno.jsonc
    dependabot.yml dependabot.yaml directory.packages.props environment.yml environment.yaml
    flake.nix gemfile go.mod go.work jsr.json libs.versions.toml mix.exs nuget.config package.json
    package.swift packages.config pipfile pnpm-workspace.yaml podfile pom.xml project.clj
    pubspec.yaml pyproject.toml rebar.config renovate.json renovate.json5 settings.gradle
    settings.gradle.kts setup.cfg setup.py stack.yaml vcpkg.json
    """
)
_MANIFEST: Final = late_pattern(
    r"(?s)\A(?=.*\.(?:txt|in)$)(?>.*?(?:^|[-_.])requirements(?=[-_.]))"
    r"|\.(?:gemspec|podspec|csproj|fsproj|vbproj)$"
)

_TEST_FOLDERS: Final = _words(
    "test tests __tests__ __mocks__ __snapshots__ testdata test-data test_data e2e cypress"
    " androidtest unittest unittests integrationtest integrationtests"
)
# Matches the name with its case: "latest.py" is not a test, "ChargeTest.java" is a test.
_TEST_NAME: Final = late_pattern(
    r"^(?:test_[^/]*|conftest)\.py$|[-_.](?:test|tests|spec|specs|e2e|cy)\.[a-zA-Z]+$"
    r"|[a-z0-9](?:Test|Tests|Spec|IT)\.(?:java|kt|kts|scala|groovy|cs|fs|vb|swift|php|m|mm)$"
)

_CI_FOLDERS: Final = (
    *("/.github/workflows/", "/.github/actions/", "/.circleci/", "/.buildkite/", "/.gitlab/ci/"),
    *("/.woodpecker/", "/.tekton/", "/.forgejo/workflows/", "/.gitea/workflows/"),
)
_CI_NAMES: Final = _words(
    """
    .gitlab-ci.yml .travis.yml appveyor.yml .appveyor.yml azure-pipelines.yml .drone.yml
    bitbucket-pipelines.yml buildspec.yml cloudbuild.yaml codefresh.yml jenkinsfile
    .pre-commit-config.yaml .woodpecker.yml .cirrus.yml
    """
)

_PROSE: Final = _words("md markdown mdx rst adoc asciidoc txt text org textile pod rdoc tex typ")
_NO_PROSE: Final = _words("cmakelists.txt meson_options.txt robots.txt")
_PROSE_NAMES: Final = _words(
    "readme changelog changes history news license licence copying notice authors contributors"
    " maintainers contributing security todo"
)
_DOC_FOLDERS: Final = _words("doc docs documentation")
_DOC_LANGUAGES: Final = frozenset({None, "html", "css", "make"})

SAMPLE_FOLDERS: Final = (
    _TEST_FOLDERS
    | _DOC_FOLDERS
    | _words(
        "fixture fixtures __fixtures__ example examples sample samples demo demos tutorial"
        " tutorials mock mocks seed seeds seeders stub stubs spec specs t"
    )
)
"""Names of folders of tests, fixtures, examples and documentation, in lower case."""
_SAMPLE_NAME: Final = late_pattern(
    r"(?:^|[-_.])(?:example|sample)s?(?:[-_.]|$)|^test[-_]|\.(?:template|dist|jmx)$"
    r"|\.(?:md|markdown|mdx|rst|adoc|asciidoc)$|^(?:readme|changelog)(?:\.|$)"
)

_MIGRATION_FOLDERS: Final = _words("migrations migration migrate flyway liquibase")

_INFRA_SUFFIXES: Final = (
    *(".tf", ".tfvars", ".tf.json", ".hcl", ".bicep", ".dockerfile", ".containerfile", ".nomad"),
    *(".service", ".timer", ".socket"),
)
_INFRA_NAME: Final = late_pattern(
    r"^(?:docker|container)file(?:\..+)?$|^(?:docker-)?compose(?:[-_.].+)?\.ya?ml$"
    r"|^(?:vagrantfile|procfile|caddyfile|chart\.yaml|kustomization\.ya?ml|helmfile\.ya?ml"
    r"|skaffold\.ya?ml|fly\.toml|app\.ya?ml|serverless\.ya?ml|pulumi.*\.ya?ml|nginx.*\.conf"
    r"|\.dockerignore)$"
)
_INFRA_FOLDERS: Final = _words(
    "terraform ansible k8s kubernetes helm kustomize pulumi cloudformation infra infrastructure"
    " deploy deployment deployments"
)

_CONFIG_EXTENSIONS: Final = _words(
    "yaml yml toml ini cfg conf config properties env json json5 jsonc plist editorconfig"
)

_AGENT_NAMES: Final = _words(
    "agents.md claude.md gemini.md skill.md copilot-instructions.md .cursorrules .windsurfrules"
    " .mcp.json mcp.json"
)
_AGENT_FOLDERS: Final = _words(".claude .cursor .codex .gemini")
_GUARDS: Final = _words(
    "codeowners sudoers authorized_keys known_hosts sshd_config .npmrc .pypirc .netrc .pgpass"
    " .htaccess .htpasswd .gitmodules .env"
)
_KEY_SUFFIXES: Final = (".pem", ".key", ".crt", ".cer", ".p12", ".pfx", ".jks", ".keystore")

# A path as words: "OAuthClient/api_key.go" is "o auth client api key go".
_WORD: Final = late_pattern(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECURITY_PATH: Final = late_pattern(
    r"\b(?:auth|authn|authz|authenticat(?:e|ion|or|ors)|authori[sz](?:e|ation|er|ers)|oauth|oidc"
    r"|openid|saml|sso|ldap|kerberos|jwt|jwks|logins?|logout|signin|sign in|log in|passwords?"
    r"|passwd|passphrases?|credentials?|secrets?|sessions?|cookies?|permissions?|acls?|rbac|abac"
    r"|iam|privileges?|access control|crypto|cryptography|encrypt(?:ion|ed)?|decrypt(?:ion)?"
    r"|ciphers?|hmac|signing|tls|ssl|certs?|certificates?|pki|csrf|xsrf|cors|csp|xss"
    r"|saniti[sz](?:e|er|ers|ation)|sandbox(?:ed|ing)?|firewalls?|waf|security|vault|keyring"
    r"|keychain|key ?store|mfa|totp|otp|webauthn|passkeys?|captcha|sudo|(?:api|private) keys?)\b"
)
_SECURITY_LINES: Final = (
    # Started programs, and text that is run as code.
    r"\b(?:eval|exec|execfile|system|popen|shell_exec|passthru|proc_open|exec(?:file)?sync"
    r"|spawn(?:sync)?|exec[lv]p?e?)\s*\(",
    r"subprocess|child_process|processbuilder|getruntime\(|shell\s*=\s*true|os/exec",
    r"invoke-expression|new\s+function\s*\(|vm\.run",
    # Deserialization of objects.
    r"pickle|marshal\.load|yaml\.(?:unsafe_|full_)?load\b|unserialize\(|objectinputstream",
    r"binaryformatter|readobject\(|xmldecoder",
    # Markup and queries built from text.
    r"innerhtml|outerhtml|dangerouslyset|v-html|insertadjacenthtml|document\.write",
    r"mark_?safe|html_safe|bypasssecurity|template\.html\(|\|\s*safe\b|autoescape",
    r"execute\w{0,20}\(\s{0,20}f?[\"'][^\"']{0,200}(?:\{|[\"']\s{0,9}(?:%|\+|\.format))",
    # Keys, authentication and permissions.
    r"passw(?:or)?d|passphrase|credential|secret|api_?key|private_?key|bearer\b",
    r"(?:access|refresh|auth|id|csrf)_?token|authenticat|authori[sz]|\bjwt\b|[cx]srf",
    r"permission|privilege|is_?admin|is_?superuser|login_?required|access-control-",
    r"set-?cookie|set_cookie|http_?only|samesite|session_?id",
    # Cryptography and certificates.
    r"crypt|cipher|\bmd5|\bsha-?1\b|\brc4\b|hmac|argon2|pbkdf2|verify\s*[=:]\s*false",
    r"insecure|rejectunauthorized|check_hostname|cert_none|ssl_?context|tls_?config",
    # Memory, files, and privileges of processes.
    r"\bunsafe\b|\b(?:strcpy|strcat|v?sprintf|gets|memcpy|alloca)\s*\(|extractall\(",
    r"chmod|chown|setuid|setgid|sudo\b|privileged|0\.0\.0\.0|hostnetwork|cap_add",
    r"pull_request_target|sandbox|saniti[sz]e|xxe|resolve_?entities",
)
_SECURITY_LINE: Final = late_pattern("|".join(_SECURITY_LINES).encode())


def categories_of(file: FileDiff) -> frozenset[Category]:
    """Return the categories of ``file``: its kind, and ``security`` if it is relevant."""
    kind = kind_of(file.path)
    return frozenset({kind, "security"} if _is_security(file, kind) else {kind})


def kind_of(path: str) -> Kind:
    """Return the kind of a file by its path; ``code`` if no pattern matches."""
    *folders, name = path.lower().split("/")
    where = set(folders)
    if name in _MANIFESTS or _MANIFEST.search(name):
        return "dependencies"
    if _is_test(path, where):
        return "tests"
    if name in _CI_NAMES or any(folder in f"/{path.lower()}" for folder in _CI_FOLDERS):
        return "ci"
    if _is_prose(name, where):
        return "docs"
    if where & _MIGRATION_FOLDERS or {"alembic", "versions"} <= where or name.endswith(".sql"):
        return "migrations"
    return _kind_of_machinery(name, where)


def is_sample(path: str) -> bool:
    """Return whether a file is a test, a fixture, an example or documentation, by its path alone.

    Narrower than :func:`kind_of` for prose: ``passwords.txt`` is no documentation.
    """
    *folders, name = path.lower().split("/")
    where = set(folders)
    return (
        not where.isdisjoint(SAMPLE_FOLDERS)
        or _SAMPLE_NAME.search(name) is not None
        or _is_test(path, where)
    )


def _kind_of_machinery(name: str, where: set[str]) -> Kind:
    extension = name.rpartition(".")[2]
    settings = extension in _CONFIG_EXTENSIONS or name.startswith(".")
    if name.endswith(_INFRA_SUFFIXES) or _INFRA_NAME.search(name):
        return "infrastructure"
    if where & _INFRA_FOLDERS and (settings or extension in ("sh", "tpl", "j2")):
        return "infrastructure"
    return "config" if settings else "code"


def _is_test(path: str, where: set[str]) -> bool:
    name = path.rpartition("/")[2]
    ruby = "spec" in where and name.endswith(".rb")
    return bool(where & _TEST_FOLDERS) or ruby or _TEST_NAME.search(name) is not None


def _is_prose(name: str, where: set[str]) -> bool:
    _, dot, extension = name.rpartition(".")
    if name in _NO_PROSE:
        return False
    if extension in _PROSE if dot else name.partition("-")[0] in _PROSE_NAMES:
        return True
    page = language_of(name) in _DOC_LANGUAGES and extension not in _CONFIG_EXTENSIONS
    return page and not where.isdisjoint(_DOC_FOLDERS)


def _is_security(file: FileDiff, kind: Kind) -> bool:
    """Return whether ``file`` is relevant to security. Prose counts if it instructs agents."""
    paths = {path for path in (file.old_path, file.new_path) if path}
    if any(_steers_agents(path) for path in paths):
        return True
    if kind in ("docs", "tests"):
        return False
    return any(map(_is_guard, paths)) or any(
        _SECURITY_LINE.search(text) for text in _changed_text(file)
    )


def _steers_agents(path: str) -> bool:
    *folders, name = path.lower().split("/")
    return name in _AGENT_NAMES or not _AGENT_FOLDERS.isdisjoint(folders)


def _is_guard(path: str) -> bool:
    name = path.lower().rpartition("/")[2]
    if name in _GUARDS or name.endswith(_KEY_SUFFIXES):
        return True
    return _SECURITY_PATH.search(" ".join(_WORD.findall(path)).lower()) is not None


def _changed_text(file: FileDiff) -> Iterator[bytes]:
    """Yield added and removed lines in lower case, by hunk. Removing a check matters, too."""
    room = SEARCHED
    for hunk in file.hunks:
        text = b"\n".join(raw for kind, raw in hunk.iter_raw() if kind != "context")[:room]
        yield text.lower()
        room -= len(text)
        if room <= 0:
            return
