"""`rivya-batch report [RUN]`: the run as one HTML page."""

from __future__ import annotations

import time
from pathlib import Path

import click

from runner.cli.figures import count, size
from runner.cli.files import write_whole
from runner.cli.flags import verb
from runner.cli.loading import settings_for
from runner.cli.notices import told
from runner.cli.voice import Voice
from runner.models_cache import load_catalogue
from runner.page_data import folder_of, page_data, source_of
from runner.report.page_file import embedded_page, linked_page
from runner.views import resolve_run

__all__ = ["command"]

# Below it the posters are there before a line about them is read.
POSTERS_WORTH_TELLING = 100


@verb(
    "report",
    example="rivya-batch report --open",
    more="RUN defaults to the latest. The page is report.html in the run's output folder; it loads media from beside "
    "it, so keep it there, or use --embed for a page that travels alone.",
)
@click.argument("run", required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The page.  [default: OUT/report.html]")
@click.option("--open", "is_opened", is_flag=True, help="Show it in the browser.")
@click.option("--embed", is_flag=True, help="Carry the media inside, up to 15 MB, for a mail.")
@click.pass_obj
def command(voice: Voice, run: str | None, output: Path | None, *, is_opened: bool, embed: bool) -> None:
    settings = settings_for(voice)
    data = page_data(settings.store, resolve_run(settings.store, run), now_s=time.time(), tell=told)
    catalogue, source = load_catalogue(settings.base_url, now_epoch_s=time.time()), source_of(data.summary)
    out = output or _beside_the_results(data.summary.out_dir)

    def drawing(posters: int) -> None:
        if posters >= POSTERS_WORTH_TELLING:
            voice.talk(f"drawing {count(posters, 'poster')}")

    if embed:
        page = embedded_page(data, catalogue=catalogue, source=source)
    else:
        page = linked_page(data, out, catalogue=catalogue, source=source, told=drawing)
    write_whole(out, page.text)
    size_bytes = out.stat().st_size
    if voice.json:
        voice.object({"report": str(out), "bytes": size_bytes, "items": page.items})
    else:
        voice.data(f"{out}\n")
        voice.talk(f"{count(page.items, 'item')}, {size(size_bytes)}")
    if is_opened and click.launch(str(out)):
        voice.alert(f"no browser could be started; open {out}")


def _beside_the_results(out_dir: str) -> Path:
    """In the output folder; in the current one when nothing was saved."""
    return (folder_of(out_dir) or Path()) / "report.html"
