"""Settings for a verb: what its flags say on top of every other layer."""

from __future__ import annotations

from pathlib import Path

from runner.cli.voice import Voice
from runner.settings import Settings, load_settings

__all__ = ["settings_for"]


def settings_for(voice: Voice, *, beside: Path | None = None, **flags: str | int | None) -> Settings:
    """The settings of this command; `beside` is the manifest's folder, `flags` what the verb's own options set."""
    settings = load_settings(flags={**flags, "store": voice.store, "color": voice.color}, beside=beside)
    voice.settings = settings.simulated() if voice.sim else settings
    return voice.settings
