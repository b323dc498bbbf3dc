"""Result addresses: how many, for how long, and what they stand for."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from runner.sim.profile import DEMO_KEY
from tests.sim.conftest import Talk, talk

LATER_S = 3600.0


def finished(service: Talk, **body: Any) -> Any:
    _, task = service.create(**{"prompt": "x", **body})
    service.now_s += LATER_S
    return service.status(task["id"])


def fetch(service: Talk, url: str, *, secret: str | None = None) -> int:
    service.secret = secret
    parts = urlsplit(url)
    return service.send("GET", f"{parts.path}?{parts.query}")[0]


@pytest.mark.parametrize(
    ("body", "types"),
    [
        ({"model": "z-image"}, ["image/png"]),
        ({"model": "nano-banana", "params": {"output_format": "jpeg"}}, ["image/jpeg"]),
        ({"model": "seedream-4-0", "params": {"max_images": 3}}, ["image/png"] * 3),
        ({"model": "seedance-2", "params": {"return_last_frame": "true"}}, ["video/mp4", "image/png"]),
        ({"model": "suno-music"}, ["audio/mpeg"]),
        ({"model": "elevenlabs-sound-effect-v2", "params": {"output_format": "pcm_16000"}}, ["audio/wav"]),
    ],
)
def test_a_task_has_as_many_results_of_the_type_as_asked_for(
    service: Talk, body: dict[str, Any], types: list[str]
) -> None:
    result = finished(service, **body)["result"]
    assert result["primary_url"] == result["urls"][0]
    seen = []
    for url in result["urls"]:
        assert fetch(service, url) == 200
        seen.append(service.last.headers["content-type"])

    assert seen == types


@pytest.mark.parametrize(
    ("model", "params", "pixels"),
    [
        ("seedance-1-5-pro", {}, (320, 320)),
        ("seedance-1-5-pro", {"aspectRatio": "9:16"}, (180, 320)),
        ("sora-2", {"aspect_ratio": "portrait"}, (180, 320)),
        ("qwen-image", {"image_size": "portrait_4_3"}, (384, 512)),
        ("nano-banana-2", {"aspect_ratio": "1:8"}, (96, 512)),
        ("hailuo-pro", {}, (320, 180)),
    ],
)
def test_media_have_the_shape_that_was_asked_for(
    service: Talk, model: str, params: dict[str, str], pixels: tuple[int, int]
) -> None:
    fetch(service, finished(service, model=model, params=params)["result"]["primary_url"])
    order = service.last.media

    assert order is not None
    assert (order.width, order.height) == pixels


def test_an_address_with_another_signature_name_or_task_shows_nothing(service: Talk) -> None:
    url = finished(service, model="z-image")["result"]["primary_url"]

    assert fetch(service, url[:-1] + "x") == 403
    assert fetch(service, url.replace("exp=", "exp=9")) == 403
    assert fetch(service, url.partition("&sig=")[0]) == 403
    assert fetch(service, url.replace("/0.png", "/1.png")) == 404
    assert fetch(service, url.replace("task_", "task_0")) == 404


def test_an_address_dies_at_its_time_and_a_new_look_gives_a_new_one() -> None:
    service = talk(result_lifetime_s=60.0)
    task = finished(service, model="z-image")
    service.now_s += 60
    assert fetch(service, task["result"]["primary_url"]) == 410
    service.secret = DEMO_KEY

    assert fetch(service, service.status(task["id"])["result"]["primary_url"]) == 200


def test_without_fresh_addresses_a_result_is_gone_for_good() -> None:
    service = talk(result_lifetime_s=LATER_S, fresh_urls=False)
    task = finished(service, model="z-image")
    service.now_s += LATER_S

    assert fetch(service, service.status(task["id"])["result"]["primary_url"]) == 410


def test_an_address_may_last_for_ever() -> None:
    service = talk(result_lifetime_s=None)
    url = finished(service, model="z-image")["result"]["primary_url"]
    service.now_s += 1e9

    assert fetch(service, url) == 200


def test_results_may_want_the_key() -> None:
    service = talk(results_need_key=True)
    url = finished(service, model="z-image")["result"]["primary_url"]

    assert [fetch(service, url), fetch(service, url, secret=DEMO_KEY)] == [401, 200]


def test_urls_may_be_absent() -> None:
    assert set(finished(talk(urls_field=False), model="z-image")["result"]) == {"primary_url"}


def test_an_unfinished_task_has_no_media(service: Talk) -> None:
    url = finished(service, model="z-image")["result"]["primary_url"]
    service.now_s -= LATER_S

    assert fetch(service, url) == 404
