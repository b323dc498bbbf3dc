"""The catalogue that is known without asking anybody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jobs.catalogue import CatalogueError
from runner.models_cache import CACHE_AGE_S_MAX, cache_file, load_catalogue, packaged_catalogue, store_catalogue

SERVICE = "https://rivya.test"
NOW_S = 1_800_000_000.0
LIVE = {"object": "list", "data": [{"id": "z-image", "display_name": "Z", "category": "image", "base_credits": 7}]}


def test_without_a_cache_the_release_knows_its_models() -> None:
    catalogue = load_catalogue(SERVICE, now_epoch_s=NOW_S)

    assert catalogue.source == "packaged"
    assert "seedance-1-5-pro" in catalogue.models


def test_what_the_service_told_is_remembered_for_a_week_and_for_that_service_only() -> None:
    live = store_catalogue(SERVICE, LIVE, now_epoch_s=NOW_S)

    assert (live.source, live.fetched_at, live.models["z-image"].base_credits) == (
        "live",
        "2027-01-15T08:00:00.000Z",
        7,
    )
    cached = load_catalogue(SERVICE, now_epoch_s=NOW_S + CACHE_AGE_S_MAX)
    assert (cached.source, cached.models) == ("cached", live.models)
    assert load_catalogue(SERVICE, now_epoch_s=NOW_S + CACHE_AGE_S_MAX + 1).source == "packaged"
    assert load_catalogue(SERVICE, now_epoch_s=NOW_S - 1).source == "packaged"
    assert load_catalogue("http://127.0.0.1:8000", now_epoch_s=NOW_S).source == "packaged"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema_version":2}', "\ud800", "x" * 17 * 1024 * 1024])
def test_a_cache_that_cannot_be_read_is_as_good_as_none(text: str) -> None:
    file = cache_file(SERVICE)
    file.parent.mkdir(parents=True)
    file.write_bytes(text.encode("utf-8", "surrogatepass"))

    assert load_catalogue(SERVICE, now_epoch_s=NOW_S).source == "packaged"


def test_a_cache_without_a_time_is_not_trusted() -> None:
    store_catalogue(SERVICE, LIVE, now_epoch_s=NOW_S)
    file = cache_file(SERVICE)
    file.write_text(file.read_text().replace("2027-01-15T08:00:00.000Z", "lately"))

    assert load_catalogue(SERVICE, now_epoch_s=NOW_S).source == "packaged"


def test_a_cache_that_cannot_be_written_costs_nothing_but_the_cache() -> None:
    cache_file(SERVICE).parent.parent.mkdir(parents=True)
    cache_file(SERVICE).parent.write_text("in the way")

    assert store_catalogue(SERVICE, LIVE, now_epoch_s=NOW_S).source == "live"


def test_a_write_that_fails_leaves_the_old_cache_and_no_litter(monkeypatch: pytest.MonkeyPatch) -> None:
    store_catalogue(SERVICE, LIVE, now_epoch_s=NOW_S)

    def broken(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", broken)
    store_catalogue(SERVICE, {"data": []}, now_epoch_s=NOW_S + 1)

    assert load_catalogue(SERVICE, now_epoch_s=NOW_S + 1).fetched_at == "2027-01-15T08:00:00.000Z"
    assert list(cache_file(SERVICE).parent.iterdir()) == [cache_file(SERVICE)]


def test_an_answer_without_a_list_is_no_catalogue() -> None:
    with pytest.raises(CatalogueError):
        store_catalogue(SERVICE, {"error": {}}, now_epoch_s=NOW_S)

    assert not cache_file(SERVICE).exists()


def test_the_packaged_catalogue_is_read_without_a_client() -> None:
    assert packaged_catalogue().fetched_at is None
    probe = "import sys, runner.models_cache; sys.exit('aiohttp' in sys.modules)"

    subprocess.run([sys.executable, "-c", probe], check=True, cwd=Path(__file__).parents[2])
