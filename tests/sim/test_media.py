"""Media are real: decoders read them, and every task looks its own way."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import av
import pytest
from PIL import Image

from runner.sim import media
from runner.sim.exchange import MediaOrder
from runner.sim.media import Fidelity, MediaMissingError, Studio

ORDER = MediaOrder(
    task_id="task_1",
    index=0,
    kind="video",
    extension="mp4",
    mime_type="video/mp4",
    width=320,
    height=180,
    seconds=2.0,
    title="Seedance 1.5 Pro",
    prompt="A canvas sneaker on black marble",
    caption=("aspectRatio 16:9", "duration 8"),
)
SHAPES = [(320, 180), (180, 320), (320, 320)]


@pytest.mark.parametrize("fidelity", ["real", "fast"])
@pytest.mark.parametrize(("width", "height"), SHAPES)
def test_a_clip_is_h264_that_browsers_play(fidelity: Fidelity, width: int, height: int) -> None:
    data = Studio(fidelity).render(replace(ORDER, width=width, height=height))
    assert data.find(b"moov") < data.find(b"mdat")  # plays before it has come down whole
    with av.open(BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))

        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    assert len(frames) >= 8
    got = frames[0]
    assert (got.width > got.height, got.width < got.height) == (width > height, width < height)


@pytest.mark.parametrize("fidelity", ["real", "fast"])
@pytest.mark.parametrize(("extension", "form"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")])
def test_a_still_opens_in_its_format(fidelity: Fidelity, extension: str, form: str) -> None:
    data = Studio(fidelity).render(replace(ORDER, kind="image", extension=extension))
    picture = Image.open(BytesIO(data))
    picture.load()

    assert picture.format == form


@pytest.mark.parametrize("fidelity", ["real", "fast"])
@pytest.mark.parametrize("extension", ["mp3", "wav"])
def test_a_tune_decodes(fidelity: Fidelity, extension: str) -> None:
    data = Studio(fidelity).render(replace(ORDER, kind="audio", extension=extension))
    with av.open(BytesIO(data), "r") as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))

    assert samples >= 800


def test_every_task_and_every_result_of_it_looks_different_and_always_the_same() -> None:
    still = replace(ORDER, kind="image", extension="png")
    orders = [still, replace(still, task_id="task_2"), replace(still, index=1), replace(still, prompt="A red boot")]
    first, second = ([Studio("real").render(order) for order in orders] for _ in range(2))

    assert first == second
    assert len(set(first)) == len(orders)


def test_a_rendered_medium_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = Studio("real")
    assert studio.ready(ORDER) is None
    data = studio.render(ORDER)

    assert studio.ready(ORDER) is data


def test_what_is_kept_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "_KEPT_BYTES", 1)
    studio = Studio("real")
    studio.render(replace(ORDER, kind="image", extension="png"))

    assert studio.ready(replace(ORDER, kind="image", extension="png")) is None


@pytest.mark.parametrize("prompt", ["", "x" * 4000, "line\nbreak \x1b[31m", "Ein Schuh, 靴, 👟", "word " * 900])
def test_any_prompt_can_be_drawn(prompt: str) -> None:
    data = Studio("real").render(replace(ORDER, kind="image", extension="png", width=96, height=512, prompt=prompt))

    assert Image.open(BytesIO(data)).size == (96, 512)


def test_without_the_media_libraries_real_media_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "painting", None)

    with pytest.raises(MediaMissingError, match=r"rivya-batch\[media\]"):
        Studio("real")
    assert Studio("fast").render(ORDER)


def test_constant_media_need_no_media_library() -> None:
    source = (Path(media.__file__).parent / "tiny.py").read_text()

    assert "PIL" not in source
    assert "import av" not in source
