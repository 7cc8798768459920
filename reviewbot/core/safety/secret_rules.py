"""Built-in patterns for secrets with a fixed prefix, for all platforms. Pure.

betterleaks (``leak_scan``) has more patterns, but no build for Python 3.14 and for musl. The
built-in patterns find the tokens of common providers without it. They also find what betterleaks
misses: ``ghs_`` installation tokens of 520 characters (https://github.blog/changelog, "GitHub App
installation tokens: new format"), and tokens that betterleaks reports only beside the name of their
account. The forms are those of the providers' documentation and of betterleaks 2.0.

A pattern is compiled when a text contains one of its words. Every repeat is bounded or possessive,
so the search is linear.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from reviewbot.core.safety.search_text import Hit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.safety.search_text import Kind, ScanText


@dataclass(frozen=True, slots=True)
class _Rule:
    """A built-in rule, which is tried only if the text contains one of its ``words``.

    A group ``value`` of the pattern is the secret; without the group, the match is.
    """

    name: str
    description: str
    words: tuple[str, ...]
    pattern: str
    kind: Kind = "secret"


def _rule(name: str, description: str, words: str, pattern: str, kind: Kind = "secret") -> _Rule:
    return _Rule(name, description, tuple(words.split()), pattern, kind)


def _token(name: str, description: str, prefix: str, body: str) -> _Rule:
    """Return the rule for a prefix and a body, with no letter or digit beside them."""
    pattern = _NOT_AFTER_WORD + re.escape(prefix) + body + _NOT_BEFORE_WORD
    return _Rule(name, description, (prefix,), pattern)


_NOT_AFTER_WORD: Final = r"(?<![A-Za-z0-9])"
_NOT_BEFORE_WORD: Final = r"(?![A-Za-z0-9])"
_RULES: Final = (
    _rule(
        "aws-access-key",
        "AWS access key",
        "AKIA ASIA ABIA ACCA",
        _NOT_AFTER_WORD
        + r"(?:AKIA|ASIA|ABIA|ACCA)(?![A-Z0-9]{9}EXAMPLE)[A-Z0-9]{16}(?![A-Za-z0-9])",
    ),
    _rule(
        "github-token",
        "GitHub token",
        "ghp_ gho_ ghu_ ghs_ ghr_",
        r"gh[pousr]_[A-Za-z0-9_.\-]{35,2000}[A-Za-z0-9_\-]",
    ),
    _rule("github-token", "GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{22,255}"),
    _rule("anthropic-key", "Anthropic key", "sk-ant-", r"sk-ant-[A-Za-z0-9_\-]{20,256}"),
    _rule(
        "openai-key",
        "API key",
        "sk-",
        _NOT_AFTER_WORD + r"sk-(?:(?:proj|svcacct|admin|service)-[A-Za-z0-9_\-]{32,256}"
        r"|(?:or-v1-)?[A-Za-z0-9]{32,128})",
    ),
    _rule(
        "stripe-key",
        "Stripe key",
        "sk_live_ sk_test_ rk_live_ rk_test_",
        r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,247}",
    ),
    _rule("slack-token", "Slack token", "xox", r"xox[abeoprs]-[A-Za-z0-9\-]{10,250}"),
    _rule("slack-token", "Slack app token", "xapp-", r"xapp-[0-9]-[A-Za-z0-9\-]{20,250}"),
    _rule(
        "slack-webhook",
        "Slack webhook",
        "hooks.slack.com/",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/_\-]{20,256}",
    ),
    _rule(
        "gitlab-token",
        "GitLab token",
        "glpat- gldt- glrt- glcbt- glptt- glft- glimt- glsoat-",
        r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|soat)-[A-Za-z0-9_\-]{20,300}",
    ),
    _rule("npm-token", "npm token", "npm_", r"npm_[A-Za-z0-9]{36}"),
    _rule("pypi-token", "PyPI token", "pypi-AgE", r"pypi-AgE[A-Za-z0-9_\-]{50,1000}"),
    _rule("google-key", "Google API key", "AIza", r"AIza[A-Za-z0-9_\-]{35}"),
    _rule("google-secret", "Google client secret", "GOCSPX-", r"GOCSPX-[A-Za-z0-9_\-]{28}"),
    _token("hugging-face-token", "Hugging Face token", "hf_", r"[A-Za-z0-9]{34}"),
    _rule("sendgrid-key", "SendGrid key", "SG.", r"SG\.[A-Za-z0-9_\-]{22}\.[A-Za-z0-9_\-]{43}"),
    _rule(
        "digitalocean-token",
        "DigitalOcean token",
        "dop_v1_ doo_v1_ dor_v1_",
        r"do[opr]_v1_[a-f0-9]{64}",
    ),
    _rule(
        "airtable-token",
        "Airtable token",
        "pat",
        _NOT_AFTER_WORD + r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}",
    ),
    _rule(
        "artifactory-key", "Artifactory key", "AKCp", _NOT_AFTER_WORD + r"AKCp[A-Za-z0-9]{68,70}"
    ),
    _rule(
        "planetscale-token",
        "PlanetScale token",
        "pscale_",
        r"pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_=.\-]{32,64}",
    ),
    _rule("supabase-key", "Supabase key", "sb_secret_", r"sb_secret_[A-Za-z0-9_\-]{31}"),
    _rule(
        "tailscale-key",
        "Tailscale key",
        "tskey-",
        r"tskey-(?:api|auth|client|scim|webhook)-[A-Za-z0-9_\-]{20,128}",
    ),
    _token(
        "1password-key",
        "1Password secret key",
        "A3-",
        r"[A-Z0-9]{6}-[A-Z0-9]{6,11}(?:-[A-Z0-9]{5,6}){3,4}",
    ),
    _token("adobe-secret", "Adobe client secret", "p8e-", r"[a-z0-9]{32}"),
    _token(
        "age-key", "age secret key", "AGE-SECRET-KEY-1", r"[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"
    ),
    _token("apify-token", "Apify token", "apify_api_", r"[A-Za-z0-9]{36}"),
    _token("atlassian-token", "Atlassian token", "ATATT3", r"[A-Za-z0-9_\-=]{180,200}"),
    _token("aws-bedrock-key", "Amazon Bedrock key", "ABSK", r"[A-Za-z0-9+/]{109,269}={0,2}"),
    _rule("buildkite-token", "Buildkite token", "bkua_", r"bkua_[a-z0-9]{40}"),
    _token("circleci-token", "CircleCI token", "CCIPAT_", r"[A-Za-z0-9]{22}_[a-f0-9]{40}"),
    _token("clojars-token", "Clojars token", "CLOJARS_", r"[a-z0-9]{60}"),
    _token(
        "cloudflare-origin-key", "Cloudflare origin CA key", "v1.0-", r"[a-f0-9]{24}-[a-f0-9]{146}"
    ),
    _token("databricks-token", "Databricks token", "dapi", r"[a-f0-9]{32}(?:-[0-9])?"),
    _token("datastax-token", "DataStax token", "AstraCS:", r"[A-Za-z0-9:]{30,100}"),
    _token("deno-token", "Deno token", "ddp_", r"[A-Za-z0-9]{36}"),
    _token("docker-token", "Docker Hub token", "dckr_pat_", r"[A-Za-z0-9_\-]{27}"),
    _token("docker-token", "Docker Hub token", "dckr_oat_", r"[A-Za-z0-9_\-]{32}"),
    _rule(
        "doppler-token",
        "Doppler token",
        "dp.",
        _NOT_AFTER_WORD
        + r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9\-_]{2,35}\.)?[A-Za-z0-9]{40,44}"
        + _NOT_BEFORE_WORD,
    ),
    _rule("duffel-token", "Duffel token", "duffel_", r"duffel_(?:live|test)_[A-Za-z0-9_\-=]{43}"),
    _token("dynatrace-token", "Dynatrace token", "dt0c01.", r"[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    _rule(
        "easypost-token", "EasyPost key", "EZAK EZTK", _NOT_AFTER_WORD + r"EZ[AT]K[A-Za-z0-9]{54}"
    ),
    _token("figma-token", "Figma token", "figd_", r"[A-Za-z0-9_\-]{40}"),
    _rule("grafana-token", "Grafana token", "glsa_", r"glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}"),
    _token("grafana-token", "Grafana Cloud token", "glc_", r"[A-Za-z0-9+/]{32,400}={0,2}"),
    _token("groq-key", "Groq key", "gsk_", r"[A-Za-z0-9]{52}"),
    _token("heroku-key", "Heroku key", "HRKU-AA", r"[A-Za-z0-9_\-]{58}"),
    _token("infracost-key", "Infracost key", "ico-", r"[A-Za-z0-9]{32}"),
    _token("linear-key", "Linear key", "lin_api_", r"[A-Za-z0-9]{40}"),
    _token("mailersend-token", "MailerSend token", "mlsn.", r"[a-f0-9]{64}"),
    _rule(
        "mailgun-key",
        "Mailgun key",
        "key-",
        r"(?<![A-Za-z0-9_\-])key-[a-f0-9]{32}" + _NOT_BEFORE_WORD,
    ),
    _token("neon-key", "Neon key", "napi_", r"[A-Za-z0-9]{64}"),
    _rule(
        "new-relic-key",
        "New Relic key",
        "NRAK- NRJS- NRII-",
        _NOT_AFTER_WORD
        + r"(?:NRAK-[A-Z0-9]{27}|NRJS-[a-f0-9]{19}|NRII-[A-Za-z0-9\-]{32})"
        + _NOT_BEFORE_WORD,
    ),
    _token("notion-token", "Notion token", "ntn_", r"[0-9]{11}[A-Za-z0-9]{35}"),
    _token("nvidia-key", "NVIDIA key", "nvapi-", r"[A-Za-z0-9_\-]{64}"),
    _rule(
        "paddle-key",
        "Paddle key",
        "pdl_",
        r"pdl_(?:live|sdbx)_apikey_[a-z0-9]{26}_[A-Za-z0-9]{22}_[A-Za-z0-9]{3}",
    ),
    _token("perplexity-key", "Perplexity key", "pplx-", r"[A-Za-z0-9]{48}"),
    _token("postman-key", "Postman key", "PMAK-", r"[a-f0-9]{24}-[a-f0-9]{34}"),
    _token("prefect-key", "Prefect key", "pnu_", r"[A-Za-z0-9]{36}"),
    _token("pulumi-token", "Pulumi token", "pul-", r"[a-f0-9]{40}"),
    _token("readme-key", "ReadMe key", "rdme_", r"[a-z0-9]{70}"),
    _token("replicate-token", "Replicate token", "r8_", r"[A-Za-z0-9]{37}"),
    _token("rubygems-key", "RubyGems key", "rubygems_", r"[a-f0-9]{48}"),
    _token("sendinblue-key", "Brevo key", "xkeysib-", r"[a-f0-9]{64}-[A-Za-z0-9]{16}"),
    _token("sentry-token", "Sentry token", "sntryu_", r"[a-f0-9]{64}"),
    _rule(
        "sentry-token", "Sentry organization token", "sntrys_", r"sntrys_[A-Za-z0-9+/=_\-]{40,400}"
    ),
    _rule("shippo-token", "Shippo token", "shippo_", r"shippo_(?:live|test)_[a-f0-9]{40}"),
    _rule(
        "shopify-token",
        "Shopify token",
        "shpat_ shpca_ shppa_ shpss_",
        r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
    ),
    _rule(
        "telegram-token",
        "Telegram bot token",
        ":AA",
        r"(?<![A-Za-z0-9])(?P<value>[0-9]{8,10}:AA[A-Za-z0-9_\-]{32,33})(?![A-Za-z0-9_\-])",
    ),
    _rule(
        "terraform-token",
        "HCP Terraform token",
        ".atlasv1.",
        _NOT_AFTER_WORD + r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9\-_=]{60,70}",
    ),
    _token("twilio-key", "Twilio key", "SK", r"[a-f0-9]{32}"),
    _rule(
        "vault-token",
        "Vault token",
        "hvs. hvb. hvr.",
        _NOT_AFTER_WORD + r"hv[sbr]\.[A-Za-z0-9_\-]{24,250}",
    ),
    _rule(
        "azure-storage-key",
        "Azure storage key",
        "AccountKey=",
        r"AccountKey=(?P<value>[A-Za-z0-9+/]{86}==)",
    ),
    _rule(
        "jwt",
        "JSON Web Token",
        "eyJ",
        # Possessive, and only at the start of a run: a failed attempt is not made twice.
        r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{10,}+\.eyJ[A-Za-z0-9_\-]{10,}+\.[A-Za-z0-9_\-]{10,}+",
    ),
    _rule(
        "password-in-url",
        "Password in a URL",
        "://",
        r"""://[^\s/:@"'`<>]{0,128}:(?P<value>[^\s/@"'`<>]{3,256})@(?=[\w\[])""",
        "password",
    ),
)
_WORD: Final = r"(?:pass(?:word|wd)?|passphrase|pw|pwd|secret|token|changeme|example|credentials?)"
_STANDS_FOR_A_PASSWORD: Final = re.compile(
    r"[$%{(*].*|[^{}$\ufffd\n]*+[{}$\ufffd].*|\[+\w+\]+|x+|\.+"
    r"|(?:required|nullable|sometimes|string|bail|confirmed)(?:\|[\w:,]+)+"
    # DB_PASSWORD, dbPassword
    r"|(?-i:(?:[A-Z]{1,20}_){1,4}(?:PASSWORD|PASS|PWD|SECRET|TOKEN)|[a-z]{1,20}Password)"
    rf"|[-_]?(?:(?:your|my|the)[-_]?)?{_WORD}(?:[-_]?{_WORD}){{0,5}}[-_]?\d{{0,3}}",
    re.IGNORECASE,
)
_EXPRESSION: Final = re.compile(r"[A-Za-z_$][\w$]*(?:\??\.[\w$]*)+[(\[].*")


def find(scan: ScanText) -> Iterator[Hit]:
    """Yield every secret that matches a built-in rule."""
    for rule in _RULES:
        if not any(word in scan.text for word in rule.words):
            continue
        pattern = _compiled(rule.pattern)
        group = "value" if "value" in pattern.groupindex else 0
        for match in pattern.finditer(scan.text):
            if rule.kind == "password" and stands_for_a_password(match[group]):
                continue
            line, start, end = scan.place(*match.span(group))
            yield Hit(line, start, end, rule.kind, rule.name, f"{rule.description}.")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern, compiled on its first use: most reviews need few of them."""
    return re.compile(pattern)


def stands_for_a_password(value: str) -> bool:
    """Return whether ``value`` is a template, a mask, a validation rule, or "my-secret-pw"."""
    return _STANDS_FOR_A_PASSWORD.fullmatch(value) is not None


def is_expression(value: str) -> bool:
    """Return whether ``value`` is a call or an index of code, such as ``form.fields[0]``."""
    return _EXPRESSION.fullmatch(value) is not None
