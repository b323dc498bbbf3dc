"""The live page: what happens to a run appears in it, and nobody but its person gets anything from its server."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from runner.cli.notices import told
from runner.models_cache import packaged_catalogue
from runner.report import server as serving
from runner.report.live_page import LivePage
from runner.report.server import PageServer, serve_page
from runner.settings import load_settings

Look = Callable[..., tuple[Page, Any]]
TOKEN = "t" * 32


@contextmanager
def served(run: str = "reveal") -> Iterator[PageServer]:
    """The server in a loop of its own, for as long as the block lasts."""
    settings = load_settings(flags={"store": ".rivya/sim.db"}, beside=None)
    page = LivePage(run, settings, packaged_catalogue(), told)
    ready = threading.Event()
    box: dict[str, Any] = {}

    async def serve() -> None:
        stop = asyncio.Event()
        async with serve_page(page, token=TOKEN, port=0) as opened:
            box.update(server=opened, loop=asyncio.get_running_loop(), stop=stop)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield box["server"]
    finally:
        box["loop"].call_soon_threadsafe(box["stop"].set)
        thread.join(10)
        assert not thread.is_alive(), "it ends when it is told to, whoever watches"


def ask(server: PageServer, path: str, *, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    told = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return told


def media_of(server: PageServer) -> str:
    _, _, page = ask(server, f"/{TOKEN}/")
    model = json.loads(page.decode().partition('id="data">')[2].partition("</script>")[0])
    first: str = next(item["files"][0]["src"] for item in model["items"])
    return f"/{TOKEN}/{first.removeprefix('./')}"


def test_what_the_run_does_appears_in_the_open_page(
    ran: Any, look: Look, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "LOOK_S", 0.05)
    manifest = Path("reveal.yaml")
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("a mug]", "a mug, a cup]"), encoding="utf-8")
    with served() as server:
        page, seen = look(server.address + "#sheet")
        done = page.locator("[data-filter=succeeded]")
        expect(page.locator("#view-sheet .cell[data-state=good]")).to_have_count(16)
        expect(page.locator("body:not(.cut) .feed .on")).to_be_visible()
        done.click()

        assert run("run", "reveal.yaml", "--sim") == 0

        expect(page.locator(".headline")).to_contain_text("18 of 18")
        expect(page.locator("#view-sheet .cell[data-state=good]")).to_have_count(18)
        expect(done).to_have_text("done 18")
        expect(done).to_be_focused()  # who is there with the keyboard is left there
        assert seen.clips() == []
    expect(page.locator(".feed .off")).to_be_visible()


def test_clips_of_the_live_page_play_when_they_are_pointed_at_and_not_before(ran: Any, look: Look) -> None:
    with served() as server:
        page, seen = look(server.address)
        expect(page.locator(".cell")).to_have_count(6)
        assert seen.clips() == []
        page.locator(".cell").nth(2).hover()
        expect(page.locator(".stage.moving")).to_have_count(1)
        assert len(set(seen.clips())) == 1


def test_nobody_without_the_token_and_no_page_under_another_name_gets_anything(ran: Any) -> None:
    with served() as server:
        for path in ("/", f"/{TOKEN[:-1]}/", f"/{TOKEN}x/", "/x/", f"/{TOKEN}", "//", f"/{TOKEN}/../{TOKEN}/x"):
            assert ask(server, path)[0] == 404, path
        for host in ("evil.test", f"evil.test:{server.port}", "127.0.0.1", "localhost.evil.test", "[::1]"):
            assert ask(server, f"/{TOKEN}/", Host=host)[0] == 404, host
        assert ask(server, f"/{TOKEN}/", Host=f"localhost:{server.port}")[0] == 200
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            assert ask(server, f"/{TOKEN}/", method=method)[0] == 404, method
        _, headers, _ = ask(server, f"/{TOKEN}/", Origin="https://evil.test")
        assert not [name for name in headers if name.startswith("access-control")]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "connect-src 'self'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("from=3", b"retry: 2000\n\n"),
        ("from=1", b"retry: 2000\n\nid: 2\ndata:\n\nid: 3\ndata:\n\n"),
        ("from=0", b"retry: 2000\n\nevent: reload\ndata:\n\n"),  # the first news is not remembered any more
        ("from=4", b"retry: 2000\n\nevent: reload\ndata:\n\n"),
        ("from=-1", b"retry: 2000\n\nevent: reload\ndata:\n\n"),
        ("", b"retry: 2000\n\nevent: reload\ndata:\n\n"),
    ],
)
def test_who_was_away_is_told_what_was_missed_or_to_begin_anew(ran: Any, asked: str, told: bytes) -> None:
    with served() as server:
        server._version = 3
        server._news.extend((number, b"id: %d\ndata:\n\n" % number) for number in (2, 3))
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", f"/{TOKEN}/events?{asked}")
        assert connection.getresponse().read(len(told)) == told
        connection.close()


def test_who_takes_no_news_is_let_go_before_they_fill_the_memory_and_may_come_back(
    ran: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "NEWS_WAITING_MAX", 2)

    async def slept() -> list[bytes | None]:
        settings = load_settings(flags={"store": ".rivya/sim.db"}, beside=None)
        page = LivePage("reveal", settings, packaged_catalogue(), told)
        server = PageServer(page, token=TOKEN, first=replace(page.moment(), position=(0, 0, "")))
        watcher: asyncio.Queue[bytes | None] = asyncio.Queue()
        server._watchers.add(watcher)
        for _ in range(3):
            server._now = replace(server._now, position=(0, 0, ""))
            await server._look()
        return [watcher.get_nowait() for _ in range(watcher.qsize())]

    with ThreadPoolExecutor(1) as other:  # the browser's driver holds this thread's loop
        told_it = other.submit(lambda: asyncio.run(slept())).result()
    assert told_it == [None], "the end of its stream, and nothing that would wait for it"


def test_a_page_is_there_also_when_its_ledger_is_away_for_a_moment(ran: Any) -> None:
    with served() as server:
        Path(".rivya").rename("moved")
        assert ask(server, f"/{TOKEN}/")[0] == 200
        Path("moved").rename(".rivya")


def test_files_are_given_out_only_if_the_ledger_names_them_below_the_run_s_folder(ran: Any) -> None:
    with served() as server:
        media = media_of(server)
        status, headers, body = ask(server, media)
        assert (status, headers["content-type"], headers["x-content-type-options"]) == (200, "video/mp4", "nosniff")
        assert headers["content-security-policy"] == "sandbox", "a result in a tab of its own runs nothing"
        whole = ask(server, media, Range="bytes=4-7")
        assert (whole[0], whole[2]) == (206, body[4:8])
        assert whole[1]["content-range"] == f"bytes 4-7/{len(body)}"
        identity = media.split("/")[3]
        for name in (
            "/media/i1-none/1",
            f"/media/{identity}/2",
            f"/media/{identity}/0",
            f"/media/{identity}/../../../reveal.yaml",
            "/media/..%2f..%2freveal.yaml/1",
            "/media/%2fetc%2fpasswd/1",
            "/reveal.yaml",
        ):
            assert ask(server, f"/{TOKEN}{name}")[0] == 404, name
        assert ask(server, media.replace("/media/", "/poster/"))[1]["content-type"] == "image/webp"


def test_a_link_that_leads_out_of_the_folder_is_not_followed(ran: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(b"secret")
    for clip in Path("out").rglob("*.mp4"):
        clip.unlink()
        clip.symlink_to(secret)
    with served() as server:
        _, _, page = ask(server, f"/{TOKEN}/")
        model = json.loads(page.decode().partition('id="data">')[2].partition("</script>")[0])
        clips = [item for item in model["items"] if item["job"] == "motion"]
        assert {item["files"][0]["state"] for item in clips} == {"missing"}
        assert not [item for item in clips if "src" in item["files"][0]]
        assert ask(server, f"/{TOKEN}/media/{clips[0]['id']}/1")[0] == 404
