"""GET /api/v1/models: the catalogue as the service shows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runner.sim.catalogue import CHAT_MODEL_ID, ModelSpec

__all__ = ["model_listing"]


def model_listing(models: Iterable[ModelSpec], *, bare: bool) -> dict[str, Any]:
    """The public list. It also names a model that cannot be called here, as the documentation says it does."""
    return {"object": "list", "data": [*(_entry(model, bare=bare) for model in models), _chat_entry()]}


def _entry(model: ModelSpec, *, bare: bool) -> dict[str, Any]:
    inputs = list(model.raw["inputs"])
    by_url = "url" in inputs
    modes = _modes(model)
    return {
        "id": model.id,
        "display_name": model.display_name,
        "category": model.category,
        "runtime": "async_task",
        "base_credits": model.base_credits,
        "billing_type": model.raw["billing_type"],
        "supported_modes": modes,
        "max_prompt_length": model.prompt_max,
        "reference_media": None if bare else model.raw.get("reference"),
        "params": [] if bare else [*model.raw["params"], *(model.raw.get("structured_params") or [])],
        "api_status": "available",
        "api_input_status": "available_url_input" if by_url else "available_text",
        "supported_api_inputs": inputs,
        "requires_files_api": False,
        "requires_upload_for_modes": [mode for mode in modes if not mode.startswith("text-") and not by_url],
        "url_input_supported": by_url,
        "file_kinds": sorted(model.kinds),
        "chat_capabilities": None,
        "notices": list(model.raw.get("notes") or []),
    }


def _modes(model: ModelSpec) -> list[str]:
    if model.category == "audio":
        return ["text-to-speech" if "voice" in model.params or model.structured else "text-to-audio"]
    modes = [f"text-to-{model.category}"] if model.prompt_required else []
    modes += [f"{kind}-to-{model.category}" for kind in sorted(model.kinds)]
    return modes or [f"video-to-{model.category}"]


def _chat_entry() -> dict[str, Any]:
    return {
        "id": CHAT_MODEL_ID,
        "display_name": "GPT-5.2 Chat",
        "category": "chat",
        "runtime": "chat",
        "base_credits": 1,
        "billing_type": "METERED",
        "supported_modes": ["chat-completion"],
        "max_prompt_length": None,
        "reference_media": None,
        "params": [],
        "api_status": "studio_only",
        "api_input_status": "available_text",
        "supported_api_inputs": ["text"],
        "requires_files_api": False,
        "requires_upload_for_modes": [],
        "url_input_supported": False,
        "file_kinds": [],
        "chat_capabilities": {"streaming": True},
        "notices": [],
    }
