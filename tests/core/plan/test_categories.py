"""Categories: a file is of one kind by its path; security is looked for in path and lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.config.file import schema
from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.core.plan.categories import (
    CATEGORIES,
    SAMPLE_FOLDERS,
    SEARCHED,
    categories_of,
    is_sample,
    kind_of,
)
from tests.support.timing import cpu_at_most

KINDS = {
    "dependencies": """
        package.json pyproject.toml requirements.txt requirements-dev.txt dev-requirements.in
        requirements/base-requirements.txt go.mod Cargo.toml pom.xml app/build.gradle.kts Gemfile
        reviewbot.gemspec src/Shop.csproj uv.lock web/yarn.lock setup.py .github/dependabot.yml
        tests/requirements.txt docs/requirements.txt
    """,
    "tests": """
        tests/core/test_diff.py test/a.js src/__tests__/cart.tsx test_money.py money_test.go
        src/cart.test.ts src/cart.spec.tsx src/ChargeTest.java ChargeTests.cs app/ChargeIT.java
        conftest.py spec/models/order_spec.rb spec/support/factory.rb tests/data/big.json
        e2e/login.ts pkg/testdata/x.golden src/MoneySpec.scala cypress/support/index.js
        tests/README.md
    """,
    "ci": """
        .github/workflows/ci.yml .github/actions/setup/action.yml .gitlab-ci.yml Jenkinsfile
        sub/Jenkinsfile .circleci/config.yml .pre-commit-config.yaml azure-pipelines.yml
        .buildkite/run.sh
    """,
    "docs": """
        README.md README docs/guide.md LICENSE LICENSE-MIT CHANGELOG.rst notes.txt docs/index.html
        docs/_static/site.css docs/Makefile a/CONTRIBUTING.adoc man/x.pod AGENTS.md
    """,
    "migrations": """
        shop/migrations/0002_total.py db/migrate/20260101_add.rb alembic/versions/ab12_add.py
        schema.sql src/flyway/V1__init.sql
    """,
    "infrastructure": """
        Dockerfile docker/api.dockerfile Dockerfile.prod docker-compose.yml compose.prod.yaml
        main.tf prod.tfvars k8s/api.yaml deploy/run.sh helm/templates/x.tpl Chart.yaml nginx.conf
        systemd/app.service .dockerignore ansible/hosts.ini
    """,
    "config": """
        settings.yaml app.toml .editorconfig .eslintrc tsconfig.json app.properties .env.example
        config/database.yml docs/openapi.yaml .github/labels.yml
    """,
    "code": """
        shop/charge.py src/cart.ts a.go Makefile CMakeLists.txt docs/conf.py latest.py contest.py
        src/contests/a.py testing.py attest/a.go src/specs.ts spec/reader.ts app.xml robots.txt
        deploy/main.py inspect.py protest.py LATEST.java Manifest.java web/site.css
    """,
}

SAMPLES = """
    tests/a.py src/__tests__/cart.tsx test_money.py money_test.go conftest.py spec/order_spec.rb
    fixtures/users.json a/examples/run.py example.py samples/app.ts demo/main.go tutorial/part1.py
    .env.example config.example.yml settings-sample.py app.conf.template phpunit.xml.dist
    README.md README docs/conf.py doc/a.txt guide.rst Documentation/x.adoc CHANGELOG t/unit/base.t
    docker/test-restart.sh scripts/test_login.sh perf/load.jmx db/seeds/users.rb
    """
NO_SAMPLES = """
    src/a.py latest.py contest.py passwords.txt notes.txt .env config.yml template.yaml
    src/examples.d/x_sampler.py resampled.py docker-compose.yml deploy/secrets.tpl
    """


@pytest.mark.parametrize(
    ("path", "kind"), [(path, kind) for kind, paths in KINDS.items() for path in paths.split()]
)
def test_a_path_tells_the_kind(path: str, kind: str) -> None:
    assert kind_of(path) == kind


@given(st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=40))
def test_every_path_has_one_kind(path: str) -> None:
    assert kind_of(path) in CATEGORIES


@pytest.mark.parametrize("path", SAMPLES.split())
def test_tests_fixtures_examples_and_documentation_are_samples(path: str) -> None:
    assert is_sample(path)


@pytest.mark.parametrize("path", NO_SAMPLES.split())
def test_no_other_file_is_a_sample(path: str) -> None:
    assert not is_sample(path)


def test_the_docs_list_the_folders_of_samples() -> None:
    page = (Path(__file__).parents[3] / "docs" / "offline-rules.md").read_text("utf-8")
    assert {name for name in SAMPLE_FOLDERS if f"`{name}`" not in page} == set()


def test_the_categories_are_those_of_the_schema_and_of_the_docs() -> None:
    known = schema()["properties"]["routes"]["items"]["properties"]["categories"]["items"]["enum"]
    assert tuple(known) == CATEGORIES
    page = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text("utf-8")
    for category in CATEGORIES:
        assert f"| `{category}` |" in page


def changed(path: str, *lines: str, old: str | None = None) -> FileDiff:
    """A file with these lines, markers included; ``old`` is where it was before."""
    olds, news = (sum(line[0] != mark for line in lines) for mark in "+-")
    head = f"diff --git a/{old or path} b/{path}\n"
    if old:
        head += f"similarity index 50%\nrename from {old}\nrename to {path}\n"
    body = "".join(f"{line}\n" for line in lines)
    text = f"{head}--- a/{old or path}\n+++ b/{path}\n@@ -1,{olds} +1,{news} @@\n{body}"
    (file,) = parse_diff(text.encode("utf-8", "surrogateescape"))
    return file


def is_security(path: str, *lines: str, old: str | None = None) -> bool:
    return "security" in categories_of(changed(path, *(lines or ("+x = 1",)), old=old))


@pytest.mark.parametrize(
    "path",
    """
    app/auth.py src/OAuthClient.java lib/authz/rules.go api/permissions.py core/crypto/aes.rs
    web/csrf.ts app/models/user_session.rb login.php src/signIn.ts secrets.py conf/tls.yaml
    src/sandbox.c src/apiKeys.ts src/access_control.py CODEOWNERS .npmrc certs/site.pem id.key
    AGENTS.md docs/CLAUDE.md .claude/settings.json .github/copilot-instructions.md
    vault/config.hcl KeyStore.kt src/JWTAuth.cs security/policy.py
    """.split(),  # noqa: SIM905 - a list of paths reads best as one
)
def test_a_path_that_speaks_of_security_is_security(path: str) -> None:
    assert is_security(path)


@pytest.mark.parametrize(
    "path",
    """
    app/charge.py src/authors.py lib/author/name.go passage.py tokens.py obsession.py src/keys.py
    certain.py decertify.py web/cursor.ts insignia.py ssler.c README.md docs/auth.md SECURITY.md
    tests/test_auth.py src/login.test.ts
    """.split(),  # noqa: SIM905 - as above
)
def test_words_that_only_look_alike_and_tests_and_prose_are_not(path: str) -> None:
    assert not is_security(path)


LINES = """
    result = eval(text)
    os.system(command)
    subprocess.run(command, shell=True)
    const out = execSync(command)
    data = pickle.loads(blob)
    config = yaml.load(text)
    node.innerHTML = name
    <div dangerouslySetInnerHTML={html} />
    cur.execute(f"SELECT {name}")
    cur.execute("SELECT '%s'" % name)
    if user.is_admin:
    @login_required
    res.setHeader("Access-Control-Allow-Origin", "*")
    requests.get(url, verify=False)
    tls.Config{InsecureSkipVerify: true}
    hashlib.md5(password)
    unsafe { *pointer }
    strcpy(target, source);
    chmod 777 run.sh
    securityContext: { privileged: true }
    on: pull_request_target
"""


@pytest.mark.parametrize("line", [line.strip() for line in LINES.strip().splitlines()])
@pytest.mark.parametrize("mark", ["+", "-"])
def test_a_changed_line_that_matters_to_security_makes_it_so_also_when_it_goes(
    line: str, mark: str
) -> None:
    assert is_security("app/charge.py", " a", f"{mark}{line}", "+b")
    assert not is_security("app/charge.py", f" {line}", "+b"), "context is not the change"


@pytest.mark.parametrize(
    "line",
    [
        "total = order.total * rate",
        "evaluate(order)",
        "filesystem(order)",
        "description = text.strip()",
        "for key, value in items.items():",
        "execute(plan)",
        'execute("SELECT 1")',
    ],
)
def test_ordinary_lines_are_not(line: str) -> None:
    assert not is_security("app/charge.py", f"+{line}")


def test_a_file_that_leaves_a_sensitive_place_still_counts() -> None:
    assert is_security("app/misc.py", " a", "+b", old="app/auth/check.py")
    assert not is_security("app/misc.py", " a", "+b", old="app/other.py")


def test_a_file_is_of_its_kind_besides() -> None:
    assert categories_of(changed("app/auth.py", "+x")) == {"code", "security"}
    assert categories_of(changed("docs/a.md", "+eval(x)")) == {"docs"}
    assert categories_of(changed("main.tf", "+iam_password = 1")) == {"infrastructure", "security"}


def test_half_a_megabyte_of_changed_lines_is_looked_through() -> None:
    line = "+" + "x" * 999
    many = [line] * (SEARCHED // 1000 - 1)
    assert is_security("a.py", *many, "+eval(x)")
    assert not is_security("a.py", *many, line, line, "+eval(x)")
    assert is_security("a.py", "+eval(x)", *many, line, line)
    hunks = "".join(f"@@ -{n}0 +{n}0 @@\n-x\n+{'y' * 300_000}\n" for n in (1, 2, 3))
    (file,) = parse_diff(f"--- a/a.py\n+++ b/a.py\n{hunks}@@ -90 +90 @@\n-x\n+eval(x)\n".encode())
    assert categories_of(file) == {"code"}


@pytest.mark.parametrize(
    "text",
    ["execute", "execute(", 'execute("', "verify ", "shell" + " " * 50, "'" * 9, "| ", "new  "],
)
def test_no_line_makes_the_search_slow(text: str) -> None:
    file = changed("a.py", "+" + text * (SEARCHED // len(text)))
    with cpu_at_most(100):
        categories_of(file)


def test_no_path_makes_the_search_slow() -> None:
    with cpu_at_most(100):
        for part in ("requirements-", "x.test", "compose-", "a/", "A", "tls"):
            categories_of(changed(part * (4000 // len(part)) + "x", "+x"))
