"""Passwords and keys are found and not sent, in whatever form a file assigns them."""

from __future__ import annotations

import random
import re
import string
from typing import Final

import pytest

from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.core.prompt.numbered import chunk_lines
from reviewbot.core.prompt.views import Views
from reviewbot.core.safety import assigned_secrets, leak_scan
from reviewbot.core.safety.redact import redact_file
from reviewbot.core.safety.search_text import ScanText
from tests.support.chunk_plans import plan

# {} is the value. The text around it is the form.
FORMS: Final[dict[str, tuple[str, ...]]] = {
    "src/settings.py": (
        'password = "{}"',
        'password    = "{}"',
        'db_password        = "{}"',
        'password                = "{}"',
        'password\t\t\t\t\t= "{}"',
        'DB = {{"user": "app", "password":     "{}"}}',
        'DATABASES = {{\n    "default": {{\n        "PASSWORD": "{}",\n    }},\n}}',
        "connect(host='db', password='{}')",
        "password    = '{}'",
        'password = """{}"""',
        'password = (\n    "{}"\n)',
        'password: str = "{}"',
        'password:    str    = "{}"',
        'self.password    = "{}"',
        'password = b"{}"',
        'password = os.environ.get("DB_PASSWORD", "{}")',
        'API_KEY = "{}"',
        'API_KEY        = "{}"',
        'WEBHOOK_SECRET = "{}"',
        'app.config["SECRET_KEY"] = "{}"',
        'get(api, headers={{"Authorization": "Bearer {}"}})',
        'os.environ["DB_PASSWORD"]     = "{}"',
    ),
    "main.go": (
        'password := "{}"',
        'const (\n\tuser        = "app"\n\tpassword    = "{}"\n)',
        'var password string = "{}"',
        'Config{{\n\tUser:        "app",\n\tPassword:    "{}",\n}}',
        "password := `{}`",
        'const (\n\tregion       = "eu"\n\tapiKey       = "{}"\n)',
        'm := map[string]string{{"password":    "{}"}}',
        '\tpassword\t\t\t\t\t= "{}"',
        'var apiKey = []byte("{}")',
    ),
    "main.tf": (
        'resource "db" "a" {{\n  username             = "app"\n  password             = "{}"\n}}',
        'variable "db_password" {{\n  type    = string\n  default = "{}"\n}}',
        '  environment {{\n    variables = {{\n      DB_PASSWORD          = "{}"\n    }}\n  }}',
        '    "password"           = "{}"',
        "  password = <<EOT\n{}\nEOT",
    ),
    "deploy.yaml": (
        "password: {}",
        "user:       app\npassword:       {}",
        'db:\n  password: "{}"',
        "db:\n  password: '{}'",
        "password: |\n  {}",
        "password: >-\n  {}",
        "- password: {}",
        'env:\n  - name: DB_PASSWORD\n    value: "{}"',
        "env:\n  - name: DB_PASSWORD\n    value: {}",
        "db: {{user: app, password: {}}}",
        "password: &pw {}",
        "api_key: {}",
    ),
    "config.json": (
        '{{"password": "{}"}}',
        '  "password"        :        "{}",',
        '{{\n  "db": {{\n    "password": "{}"\n  }}\n}}',
        '{{"password":"{}"}}',
        '  "password":\n    "{}"',
        '{{"name": "DB_PASSWORD", "value": "{}"}}',
        '"env": "{{\\"password\\": \\"{}\\"}}"',
        '  "apiKey": "{}"',
    ),
    "Cargo.toml": (
        'password = "{}"',
        'password        = "{}"',
        "[db]\npassword = '{}'",
        'db = {{ user = "app", password = "{}" }}',
        'password = """\n{}"""',
    ),
    "setup.ini": (
        "password = {}",
        "password         = {}",
        "password: {}",
        "password={}",
        'password        = "{}"',
        "db.password = {}",
    ),
    ".env": (
        "DB_PASSWORD={}",
        'DB_PASSWORD="{}"',
        "DB_PASSWORD='{}'",
        "export DB_PASSWORD={}",
        "API_KEY={}",
        "DB_PASSWORD      = {}",
    ),
    "app.properties": (
        "spring.datasource.password={}",
        "spring.datasource.password      =      {}",
        "db.password: {}",
    ),
    "web.xml": (
        "<password>{}</password>",
        '<user name="app" password="{}"/>',
        '<user name="app"   password   =   "{}"/>',
        '<add key="DbPassword" value="{}" />',
        "<password>\n    {}\n</password>",
        '<property name="password" value="{}"/>',
        '<property name="password">{}</property>',
        "<password><![CDATA[{}]]></password>",
        "<key>ApiKey</key>\n<string>{}</string>",
    ),
    "Dockerfile": (
        "ENV DB_PASSWORD={}",
        "ENV DB_PASSWORD {}",
        'ARG DB_PASSWORD="{}"',
        "ENV USER=app \\\n    DB_PASSWORD={}",
        "ENV DB_PASSWORD        {}",
    ),
    "run.sh": (
        'export DB_PASSWORD="{}"',
        "DB_PASSWORD={}",
        "DB_PASSWORD='{}'",
        "mysql --password={} app",
        "tool --password {}",
        'tool --password "{}"',
        '  local api_key="{}"',
        'DB_PASSWORD="${{DB_PASSWORD:-{}}}"',
        "PGPASSWORD={} psql",
    ),
    "app.ts": (
        'const password = "{}";',
        'const password      = "{}";',
        '{{ user: "app", password: "{}" }}',
        "  user:         'app',\n  password:         '{}',",
        'const password: string = "{}";',
        "const password = `{}`;",
        'const password = process.env.DB_PASSWORD || "{}";',
        'const password = process.env.DB_PASSWORD ?? "{}";',
        'const apiKey = "{}";',
        'const password =\n  "{}";',
        '<Client apiKey="{}" />',
        'config.apiKey        = "{}"',
    ),
    "App.java": (
        'String password = "{}";',
        'private static final String PASSWORD          = "{}";',
        'config.setPassword("{}");',
        '@Value(password = "{}")',
        'props.put("password", "{}");',
        'private static final String API_KEY = "{}";',
    ),
    "App.cs": (
        'string password = "{}";',
        'var c = "Server=db;User Id=app;Password={};";',
        'public string Password {{ get; set; }} = "{}";',
        'new Login {{ User = "a", Password     = "{}" }}',
        'var password = @"{}";',
    ),
    "app.php": (
        "$password = '{}';",
        "'password' => '{}',",
        "'user'         => 'app',\n'password'         => '{}',",
        "define('DB_PASSWORD', '{}');",
        "define('DB_PASSWORD',     '{}');",
        "'key' => env('API_KEY', '{}'),",
        'private $password    = "{}";',
        "const API_KEY = '{}';",
    ),
    "app.rb": (
        "password = '{}'",
        "{{ password: '{}' }}",
        ":password => '{}'",
        ":password      => '{}'",
        "ENV.fetch('DB_PASSWORD', '{}')",
        "password = ENV['DB_PASSWORD'] || '{}'",
        'config.secret_key_base = "{}"',
        "@password ||= '{}'",
    ),
    "dump.sql": (
        "CREATE USER app WITH PASSWORD '{}';",
        "CREATE USER 'app'@'%' IDENTIFIED BY '{}';",
        "SET PASSWORD = '{}';",
        "ALTER ROLE app PASSWORD    '{}';",
    ),
    "main.c": (
        '#define DB_PASSWORD "{}"',
        '#define DB_PASSWORD          "{}"',
        'const char *password = "{}";',
        'static char password[]    = "{}";',
        '.password = "{}",',
    ),
    "main.rs": (
        'let password = "{}";',
        'const PASSWORD: &str = "{}";',
        'const PASSWORD: &str      = "{}";',
        'let password = String::from("{}");',
        'password: "{}".to_string(),',
    ),
    "Main.kt": (
        'val password = "{}"',
        'private const val PASSWORD: String = "{}"',
    ),
    "HOWTO.md": (
        '```\npassword    = "{}"\n```',
        "Use `password={}` to log in.",
        "password: {}",
        "| password | `{}` |",
    ),
}
EACH: Final = [(path, form) for path, forms in FORMS.items() for form in forms]


def values(count: int) -> list[str]:
    """Random texts, made at run time, so that no scanner of this repository reports them."""
    source = random.Random(4)  # noqa: S311 - no secret, and the same in each run
    letters = string.ascii_letters + string.digits
    return ["".join(source.choices(letters, k=18)) + "7q" for _ in range(count)]


@pytest.fixture(params=["with betterleaks", "without betterleaks"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param.startswith("without"):
        monkeypatch.setattr(leak_scan, "engine", lambda: None)


class Words:
    per_byte = 0.5

    def count(self, text: str) -> int:
        return len(text) // 2


def added(path: str, rows: list[str]) -> FileDiff:
    body = "".join(f"+{row}\n" for row in rows)
    head = f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(rows)} @@\n"
    (file,) = parse_diff((head + body).encode())
    return file


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("path", "form"), EACH)
def test_an_assigned_secret_is_found_and_not_sent(path: str, form: str) -> None:
    for value in values(3):
        rows = form.format(value).split("\n")
        file = added(path, rows)
        redaction = redact_file(file)
        at = next(number for number, row in enumerate(rows) if value in row)
        kind = "secret" if "PI" in form.upper() or "SECRET" in form.upper() else "password"
        assert redaction.replacements == {(0, at): rows[at].replace(value, f"[REDACTED:{kind}]")}
        assert [(one.line, one.confidence) for one in redaction.secrets] == [(at, "medium")]
        chunks = plan([file], skip=lambda _: None, count=Words()).chunks
        views, unread = Views([file], lambda _: ()).of(chunks)
        sent = "\n".join(line for view in views for line in chunk_lines(view))
        assert not unread
        assert f"[REDACTED:{kind}]" in sent
        assert value not in sent


def confidences(line: str) -> list[str]:
    """The confidences of the assigned secrets in a line."""
    scan = ScanText([line], re.compile(r"x\Z"))
    return [one.confidence for one in assigned_secrets.find(scan)]


SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
UUID = "0a1b2c3d-4e5f-4a7b-8c9d-0e1f2a3b4c5d"


@pytest.mark.parametrize(
    "line",
    [
        # The name is not that of a secret.
        f'checksum = "{SHA}"',
        f'commit_sha    = "{SHA}"',
        f'request_id = "{UUID}"',
        f'public_key = "{SHA}"',
        f'access_key_id = "{SHA}"',
        f'CACHE_KEY: "{SHA}"',
        f'password_hash = "{SHA}"',
        f'next_token = "{SHA}"',
        f'sitekey = "{SHA}"',
        f"checksum/secret: {SHA}",
        "existingSecret: postgres-creds-9f3a2b1c",
        f'monkey = "{SHA}"',
        f'"integrity": "sha512-{SHA}=="',
        # The value is a name, a word, a path, a reference, or encrypted.
        "password = request.form.password1",
        "password = get_password2(config)",
        "password: str = field2.password",
        'PASSWORD = "password1"',
        'api_key = "my-service-api-key-1"',
        'api_key = "your-api-key-aB3dE5fG7h"',
        'token = "com.example.auth.token2"',
        'api_key = "arn:aws:secretsmanager:eu-west-1:123456789012:a1b2"',
        'secret = "projects/12345/secrets/db-1a2b3c4d"',
        'token = "https://a1b2.c3d4e5/f6g7h8"',
        "password: ENC[AES256_GCM,data:aB3dE5fG7hI9jK1lM3nO5pQ7=,iv:x]",
        'password: "ENC(aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW)"',
        "password = ${DB_PASSWORD1}",
        "tokens: 1000000000",
        'token = "1234567890123456"',
        'secret = "a1a1a1a1a1a1a1a1"',
        'password == "aB3dE5fG7h"',
        "the password has letters2 and numbers",
        "",
    ],
)
def test_other_values_of_ordinary_code_are_not_reported(line: str) -> None:
    assert confidences(line) == []


@pytest.mark.parametrize("name", ["TEST_API_KEY", "fakePassword", "mock_secret"])
def test_a_value_that_its_name_calls_made_up_is_redacted_with_low_confidence(name: str) -> None:
    (value,) = values(1)
    assert confidences(f'{name} = "{value}"') == ["low"]


def test_positions_survive_runs_of_blanks() -> None:
    token = "SG" + "." + values(1)[0] + "ab." + "c3" * 21 + "d"
    row = f"a     =\t\t  'é'      # {token}     b      {token}"
    assert redact_file(added("a.py", [row])).replacements == {
        (0, 0): row.replace(token, "[REDACTED:secret]")
    }


@pytest.mark.parametrize(
    "piece",
    [
        "password",
        "password ",
        "password" + " " * 190,
        "password =" + " " * 190 + "\n" + " " * 190 + "(",
        'password" {\n' + "a = x\n" * 4,
        "password = 'a",
        "password: " + "a" * 40,
        "identified by ",
        "a.password-",
        "\u0130password=",
    ],
)
def test_hostile_text_is_searched_in_linear_time(piece: str) -> None:
    text = piece * (400_000 // len(piece))
    found = list(assigned_secrets.find(ScanText(text.split("\n"), re.compile(r"x\Z"))))
    assert found == []
