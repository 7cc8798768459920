"""Setting up the App as the documentation describes it, and as an attacker would try."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest

from reviewbot.errors import ConfigError
from reviewbot.store.private_files import check_private_folder, read_file
from tests.support.forks import ROOT
from tests.support.setup_pages import PUBLIC, Html, asked, browsing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
async def test_the_link_that_is_printed_opens_through_a_tunnel(tmp_path: Path) -> None:
    """docs/github-app.md: on your own machine use a tunnel, and its address as --public-url."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "reviewbot", "serve", "--port", "0"),
        *("--public-url", "https://abc.trycloudflare.com"),
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "REVIEWBOT_STATE_DIR": str(tmp_path / "state"),
            "PYTHONPATH": str(ROOT),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        first = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        second = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        port = re.search(r"127\.0\.0\.1:(\d+)", first)
        link = urlsplit(second.split()[-1])
        assert port
        assert link.netloc == "abc.trycloudflare.com"
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(
                f"http://127.0.0.1:{port[1]}{link.path}?{link.query}",
                headers={"host": link.netloc},  # as cloudflared, ngrok and Funnel hand it on
            )
        assert answer.status_code == 303, answer.text
    finally:
        process.terminate()
        await process.communicate()


async def test_github_sends_the_browser_back_to_the_address_that_was_given(tmp_path: Path) -> None:
    """A proxy that tells the server its own name (nginx does unless told otherwise)."""
    async with browsing(tmp_path, public_url=PUBLIC) as browser:
        assert browser.link.startswith(PUBLIC)
        link = urlsplit(browser.link)
        entered = await browser.get(f"{link.path}?{link.query}")
        assert entered.status_code == 303
        form = await browser.page()
        confirm = await browser.page(**form.fields | {"step": "confirm"})
        manifest, _ = asked(confirm)
        assert manifest["redirect_url"] == f"{PUBLIC}/github/setup/done"


async def test_a_page_of_another_site_cannot_fill_the_form_in(tmp_path: Path) -> None:
    async with browsing(tmp_path) as browser:
        form = await browser.enter()
        answer = await browser.client.get(
            "/github/setup",
            params=form.fields | {"step": "confirm", "public_url": "https://evil.example"},
            headers={
                "sec-fetch-site": "cross-site",
                "sec-fetch-mode": "navigate",
                "sec-fetch-dest": "document",
            },
        )
        assert not Html(answer.text).fields.get("manifest", "").count("evil.example")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
def test_what_belongs_to_somebody_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "github-app"
    folder.mkdir(mode=0o700)
    key = folder / "private-key.pem"
    key.write_text("x")
    key.chmod(0o600)
    os.chown(key, 65534, 65534)
    os.chown(folder, 65534, 65534)
    with pytest.raises(ConfigError):
        check_private_folder(folder)
    with pytest.raises(ConfigError):
        read_file(key, str(key), private=True)
