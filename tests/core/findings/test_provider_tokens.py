"""A provider's token is redacted and is an error, wherever it is committed.

Tokens have random bodies and are made at run time, so that no scanner of this repository reports
them. Formats are from the providers' documentation and betterleaks 2.0.
"""

from __future__ import annotations

import random
import re
import string
from typing import TYPE_CHECKING, Final

import pytest

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.findings.secrets import MAX_FINDINGS, secret_findings
from reviewbot.core.plan.chunk_view import view
from reviewbot.core.safety import leak_scan
from reviewbot.core.safety.redact import redact_file
from tests.support.chunk_plans import plan

if TYPE_CHECKING:
    from reviewbot.core.findings.finding import Finding

ALPHABETS: Final = {
    "w": string.ascii_letters + string.digits,
    "l": string.ascii_letters,
    "n": string.ascii_lowercase + string.digits,
    "u": string.ascii_uppercase + string.digits,
    "c": string.ascii_uppercase + "234567",
    "b": string.ascii_letters + string.digits + "_-",
    "h": string.digits + "abcdef",
    "d": string.digits,
    "q": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
}
BODY: Final = re.compile(r"\{([wlnucbhdq])(\d+)\}")
# A body is written as its alphabet and its length: {h40} is 40 hexadecimal digits.
FORMATS: Final = {
    "1password-secret-key": "A3-{u6}-{u11}-{u5}-{u5}-{u5}",
    "adobe": "p8e-{n32}",
    "age": "AGE-SECRET-KEY-1{q58}",
    "airtable": "pat{w14}.{h64}",
    "anthropic": "sk-ant-api03-{b93}AA",
    "apify": "apify_api_{w36}",
    "artifactory": "AKCp{w69}",
    "atlassian": "ATATT3x{b185}",
    "aws": "AKIA{c16}",
    "aws-temporary": "ASIA{c16}",
    "aws-bedrock": "ABSK{w128}",
    "buildkite": "bkua_{n40}",
    "circleci": "CCIPAT_{w22}_{h40}",
    "clojars": "CLOJARS_{n60}",
    "cloudflare-origin-ca": "v1.0-{h24}-{h146}",
    "databricks": "dapi{h32}",
    "datastax": "AstraCS:{w40}",
    "deno": "ddp_{w36}",
    "digitalocean": "dop_v1_{h64}",
    "docker-hub": "dckr_pat_{b27}",
    "doppler": "dp.pt.{n43}",
    "duffel": "duffel_live_{n43}",
    "dynatrace": "dt0c01.{u24}.{u64}",
    "easypost": "EZAK{w54}",
    "figma": "figd_{b40}",
    "github": "ghp_{w36}",
    "github-oauth": "gho_{w36}",
    "github-installation": "ghs_{w36}",
    "github-fine-grained": "github_pat_{w22}_{w59}",
    "gitlab": "glpat-{b20}",
    "gitlab-runner": "glrt-{b20}",
    "gitlab-trigger": "glptt-{h40}",
    "google-api": "AIza{b35}",
    "google-client-secret": "GOCSPX-{b28}",
    "grafana": "glsa_{w32}_{h8}",
    "groq": "gsk_{w52}",
    "heroku": "HRKU-AA{b58}",
    "hugging-face": "hf_{w34}",
    "infracost": "ico-{w32}",
    "linear": "lin_api_{w40}",
    "mailersend": "mlsn.{h64}",
    "mailgun": "key-{h32}",
    "neon": "napi_{w64}",
    "new-relic": "NRAK-{u27}",
    "notion": "ntn_{d11}{w35}",
    "npm": "npm_{w36}",
    "nvidia": "nvapi-{b64}",
    "openai": "sk-proj-{b74}T3BlbkFJ{b74}",
    "openrouter": "sk-or-v1-{h64}",
    "paddle": "pdl_live_apikey_{n26}_{w22}_{w3}",
    "perplexity": "pplx-{w48}",
    "planetscale": "pscale_tkn_{b43}",
    "postman": "PMAK-{h24}-{h34}",
    "prefect": "pnu_{w36}",
    "google-service-account": '{"private_key": "-----BEGIN '
    + "PRIVATE KEY-----\\n{w64}\\n{w64}\\n",
    "pulumi": "pul-{h40}",
    "pypi": "pypi-AgEIcHlwaS5vcmc{b150}",
    "readme": "rdme_{n70}",
    "replicate": "r8_{w37}",
    "rubygems": "rubygems_{h48}",
    "sendgrid": "SG.{b22}.{b43}",
    "sendinblue": "xkeysib-{h64}-{w16}",
    "sentry": "sntryu_{h64}",
    "shippo": "shippo_live_{h40}",
    "shopify": "shpat_{h32}",
    "slack-bot": "xoxb-{d12}-{d12}-{w24}",
    "slack-user": "xoxp-{d12}-{d12}-{d12}-{h32}",
    "slack-hook": "https://hooks.slack" + ".com/services/T{u10}/B{u10}/{w24}",
    "slack-app": "xapp-1-A{u10}-{d13}-{h64}",
    "stripe": "sk_live_{w24}",
    "stripe-restricted": "rk_live_{w99}",
    "supabase": "sb_secret_{b31}",
    "tailscale": "tskey-auth-k{w8}CNTRL-{w32}",
    "telegram": "7{d9}:AA{w33}",
    "terraform": "{w14}.atlasv1.{w65}",
    "twilio": "SK{h32}",
    "azure-storage": "AccountKey={w86}==",
    "vault": "hvs.{b95}",
}


class Words:
    per_byte = 0.5

    def count(self, text: str) -> int:
        return len(text) // 2


def token(form: str, source: random.Random) -> str:
    """A token with random bodies."""
    return BODY.sub(lambda body: "".join(source.choices(ALPHABETS[body[1]], k=int(body[2]))), form)


# Secrets that only the text beside them gives away. {w40} is within the value.
NAMED: Final = {
    "aws-secret": 'aws_secret_access_key = "{w40}"',
    "cloudflare": 'cloudflare_api_key = "{h37}"',
    "database-url": "postgres://app:{w16}@db.corp/app",
    "datadog": 'datadog_api_key = "{h40}"',
    "discord": 'discord_token = "{h64}"',
    "heroku": 'HEROKU_API_KEY="{h8}-{h4}-{h4}-{h4}-{h12}"',
    "json-web-token": "eyJ{w33}.eyJ{w60}.{w43}",
    "password": 'password = "{w20}"',
}
ENGINES: Final = ("with betterleaks", "without betterleaks")


@pytest.fixture
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without betterleaks":
        monkeypatch.setattr(leak_scan, "engine", lambda: None)


def reported(lines: list[str], path: str) -> tuple[list[Finding], str]:
    """The findings for a new file of these lines, and the text that is shown of it."""
    rows = "".join(f"+{line}\n" for line in lines)
    (file,) = parse_diff(
        f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n{rows}".encode()
    )
    redaction = redact_file(file)
    (chunk,) = plan([file], skip=lambda _: None, count=Words()).chunks
    shown = view(file, chunk, replacements=redaction.replacements)
    found = list(secret_findings(chunk, shown, redaction, rules={}, threshold=0.7))
    return found, "\n".join(line.text for hunk in shown.hunks for line in hunk.lines)


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("path", ["src/client.py", "tests/fixtures/sample.example.md"])
@pytest.mark.parametrize(("name", "form"), FORMATS.items(), ids=FORMATS.keys())
def test_every_token_of_a_provider_is_an_error(name: str, form: str, path: str) -> None:
    source = random.Random(name)  # noqa: S311 - no secret, and the same in each run
    tokens = [token(form, source) for _ in range(MAX_FINDINGS)]
    found, text = reported([f'x = "{one}"' for one in tokens], path)
    errors = {one.line for one in found if one.severity == "error"}
    assert errors == set(range(1, len(tokens) + 1))
    assert not any(one.placement.held for one in found)
    assert [one for one in tokens if one[-16:] in text] == []


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("name", "form"), NAMED.items(), ids=NAMED.keys())
def test_a_secret_is_an_error_in_source_whatever_gives_it_away(name: str, form: str) -> None:
    source = random.Random(name)  # noqa: S311 - no secret, and the same in each run
    lines = [token(form, source) for _ in range(10)]
    found, text = reported(lines, "src/client.py")
    assert {one.line for one in found if one.severity == "error"} == set(range(1, 11))
    assert {one.placement.kind for one in found} == {"inline"}
    assert [line for line in lines if line in text] == []


def test_a_key_of_a_cache_is_no_key_of_mailgun() -> None:
    digest = "9f86d081884c7d659a2feaa0c55ad015"
    assert reported([f'x = "cache-key-{digest}"', f'y = "api_key-{digest}"'], "src/a.py")[0] == []
