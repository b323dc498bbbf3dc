"""Real media, drawn: a looping landscape whose colours belong to the task, with its words written on it.

Clips loop without a seam, so that a wall of them can play side by side. Needs Pillow and PyAV.
"""

from __future__ import annotations

import colorsys
from array import array
from fractions import Fraction
from functools import lru_cache
from io import BytesIO
from math import cos, pi, sin

import av
from PIL import Image, ImageDraw, ImageFont

from runner.sim.dice import roll
from runner.sim.exchange import MediaOrder

__all__ = ["paint"]

_FRAMES_PER_S = 10  # calm water needs no more, and every frame costs encoding time
_INDEX_BYTES = "4096"  # kept free before the pictures, so that a clip plays before it has come down whole
_FIRST_HUE, _HUES = 0.45, 0.62  # from teal over blue, violet and red to orange; skies are not green
_HILLS = 4
_STARS = 26
_SUPERSAMPLING = 2  # drawn twice as large and shrunk: smooth edges
_MARGIN_PX = 8
_PROMPT_LINES_MAX, _CAPTION_LINES_MAX = 2, 2
_AUDIO_HZ = 22_050
_NOTES = (0, 3, 5, 7, 10, 12)  # a pentatonic scale in semitones: any order of it is pleasant
_NOTE_S = 0.25
_BASE_HZ = 220.0

_Colour = tuple[int, int, int]


def paint(order: MediaOrder) -> bytes:
    """The whole file for an order."""
    if order.kind == "video":
        return _clip(order)
    if order.kind == "image":
        return _still(order)
    return _tune(order)


def _colour(hue: float, saturation: float, value: float) -> _Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


class _Scene:
    """A sky, a sun and hills. `at(phase)` draws one moment; phase 0 and 1 look alike."""

    def __init__(self, order: MediaOrder) -> None:
        self._task_id, self._index = order.task_id, order.index
        self._hue = _FIRST_HUE + _HUES * self._roll("hue")
        self._across, self._down = order.width * _SUPERSAMPLING, order.height * _SUPERSAMPLING
        self._sky = self._painted_sky()
        self._words = _painted_words(order)

    def _roll(self, *what: object) -> float:
        return roll(0, self._task_id, *what)

    def _painted_sky(self) -> Image.Image:
        top, middle, low = (
            _colour(self._hue, 0.75, 0.30),
            _colour(self._hue + 0.08, 0.60, 0.70),
            _colour(self._hue + 0.16, 0.45, 1.0),
        )
        column = Image.new("RGB", (1, 3))
        for row, colour in enumerate((top, middle, low)):
            column.putpixel((0, row), colour)
        sky = column.resize((self._across, self._down), Image.Resampling.BICUBIC)
        draw = ImageDraw.Draw(sky)
        for star in range(_STARS):
            x, y = self._roll("star x", star) * self._across, self._roll("star y", star) ** 2 * self._down * 0.45
            size = 1 + 2 * self._roll("star size", star)
            draw.ellipse((x, y, x + size, y + size), fill=_colour(self._hue + 0.16, 0.15, 1.0))
        return sky

    def at(self, phase: float) -> Image.Image:
        phase += self._index * 0.37  # several results of one task are moments of one scene
        picture = self._sky.copy()
        draw = ImageDraw.Draw(picture)
        self._draw_sun(draw, phase)
        for layer in range(_HILLS):
            draw.polygon(self._hill(layer, phase), fill=self._hill_colour(layer))
        picture = picture.reduce(_SUPERSAMPLING)
        picture.paste(self._words, (0, 0), self._words)
        return picture

    def _draw_sun(self, draw: ImageDraw.ImageDraw, phase: float) -> None:
        short = min(self._across, self._down)
        turn = 2 * pi * phase
        x = self._across * (0.30 + 0.40 * self._roll("sun") + 0.10 * sin(turn))
        y = self._down * (0.30 + 0.05 * cos(turn))
        for radius, paleness in ((0.17, 0.42), (0.14, 0.30), (0.11, 0.12)):
            r = radius * short
            draw.ellipse((x - r, y - r, x + r, y + r), fill=_colour(self._hue + 0.14, paleness, 1.0))

    def _hill(self, layer: int, phase: float) -> list[tuple[float, float]]:
        base = self._down * (0.46 + 0.11 * layer)
        height = self._down * (0.10 - 0.012 * layer)
        turns = 1 + layer % 2  # whole turns per loop: the end meets the beginning
        offset = 2 * pi * self._roll("hill", layer)
        waves = 1.2 + layer * 0.5
        step = max(4, self._across // 60)
        ridge = [
            (
                float(x),
                base
                - height * sin(waves * 2 * pi * x / self._across + offset + 2 * pi * turns * phase)
                - 0.35 * height * sin(3 * waves * 2 * pi * x / self._across - 2 * pi * phase),
            )
            for x in range(0, self._across + step, step)
        ]
        return [(0.0, float(self._down)), *ridge, (float(self._across + step), float(self._down))]

    def _hill_colour(self, layer: int) -> _Colour:
        depth = layer / (_HILLS - 1)
        return _colour(self._hue + 0.05 - 0.10 * depth, 0.45 + 0.35 * depth, 0.68 - 0.48 * depth)


@lru_cache(maxsize=8)
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _painted_words(order: MediaOrder) -> Image.Image:
    """The prompt, the model and the params on a dark ribbon along the lower edge, else transparent."""
    size_px = 12 if max(order.width, order.height) <= 360 else 16
    room = order.width - 2 * _MARGIN_PX
    prompt = _wrapped(order.prompt, room, size_px, _PROMPT_LINES_MAX)
    caption = _wrapped(" · ".join((order.title, *order.caption)), room, size_px - 2, _CAPTION_LINES_MAX)
    step = size_px + 3
    lines = [(text, size_px, 255) for text in prompt] + [(text, size_px - 2, 200) for text in caption]
    while len(lines) > 1 and len(lines) * step + 2 * _MARGIN_PX > order.height:
        lines.pop()
    words = Image.new("RGBA", (order.width, order.height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(words)
    top = order.height - len(lines) * step - _MARGIN_PX
    draw.rectangle((0, top - _MARGIN_PX, order.width, order.height), fill=(8, 8, 20, 150))
    for row, (text, height, brightness) in enumerate(lines):
        draw.text((_MARGIN_PX, top + row * step), text, font=_font(height), fill=(255, 255, 255, brightness))
    return words


def _wrapped(text: str, room_px: int, size_px: int, lines_max: int) -> list[str]:
    font = _font(size_px)
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    lines: list[str] = []
    for word in printable.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= room_px:
            lines[-1] = longer
        elif len(lines) == lines_max:
            lines[-1] = lines[-1].rstrip(".,;:") + " …"
            break
        else:
            lines.append(word)
    return lines


def _still(order: MediaOrder) -> bytes:
    file = BytesIO()
    form = {"jpg": "JPEG", "webp": "WEBP"}.get(order.extension, "PNG")
    _Scene(order).at(0.0).save(file, form)
    return file.getvalue()


def _clip(order: MediaOrder) -> bytes:
    file = BytesIO()
    frames = round(order.seconds * _FRAMES_PER_S)
    scene = _Scene(order)
    with av.open(file, "w", format="mp4", options={"moov_size": _INDEX_BYTES}) as container:
        stream = container.add_stream("libx264", rate=_FRAMES_PER_S, options={"preset": "veryfast", "crf": "26"})
        stream.width, stream.height, stream.pix_fmt = order.width, order.height, "yuv420p"
        stream.codec_context.thread_count = 1  # several clips are drawn at once
        for number in range(frames):
            picture = av.VideoFrame.from_image(scene.at(number / frames))  # type: ignore[no-untyped-call]
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return file.getvalue()


def _tune(order: MediaOrder) -> bytes:
    samples = _samples(order)
    file = BytesIO()
    form, codec = ("mp3", "libmp3lame") if order.extension == "mp3" else ("wav", "pcm_s16le")
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=_AUDIO_HZ)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        chunk = stream.codec_context.frame_size or len(samples)
        for start in range(0, len(samples) - chunk + 1, chunk):
            frame = av.AudioFrame(format="s16", layout="mono", samples=chunk)
            frame.planes[0].update(samples[start : start + chunk].tobytes())
            frame.sample_rate, frame.pts, frame.time_base = _AUDIO_HZ, start, Fraction(1, _AUDIO_HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def _samples(order: MediaOrder) -> array[int]:
    """A short melody made of the task's own notes."""
    samples = array("h")
    per_note = round(_NOTE_S * _AUDIO_HZ)
    for note in range(round(order.seconds / _NOTE_S)):
        pick = _NOTES[int(roll(0, order.task_id, "note", note) * len(_NOTES))]
        speed = 2 * pi * _BASE_HZ * 2 ** (pick / 12) / _AUDIO_HZ
        samples.extend(round(9000 * sin(speed * at) * (1 - at / per_note)) for at in range(per_note))
    return samples
