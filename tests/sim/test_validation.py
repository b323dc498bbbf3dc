"""Which creates are valid, by the catalogue."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sim.conftest import CATALOGUE, Talk, talk

VIDEO: dict[str, Any] = {"model": "seedance-1-5-pro", "prompt": "waves"}


def minimal(model: dict[str, Any]) -> dict[str, Any]:
    params = {
        param["key"]: param.get("default") or "https://example.org/a.mp4"
        for param in model["params"]
        if param.get("required")
    }
    if model.get("structured_params"):
        params["dialogue"] = [{"voice": "Adam", "text": "Hello."}]
    body: dict[str, Any] = {"model": model["id"], "params": params}
    return body | ({"prompt": "waves"} if model["prompt"]["required"] else {})


@pytest.mark.parametrize("model", CATALOGUE["models"], ids=lambda model: model["id"])
def test_every_model_takes_its_minimal_request_and_reserves_its_base_price(
    service: Talk, model: dict[str, Any]
) -> None:
    status, task = service.create(**minimal(model))

    assert (status, task.get("reserved_credits")) == (200, model["base_credits"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"model": "no-such", "prompt": "x"}, "model: no such model"),
        ({"prompt": "x"}, "model: required"),
        ({"model": 7, "prompt": "x"}, "model: required"),
        ({"model": "gpt-5-2-chat", "prompt": "x"}, "use the Chat API"),
        ({**VIDEO, "files": []}, "files: not accepted"),
        ({**VIDEO, "extra": 1}, "extra: unknown field"),
        ({**VIDEO, "client_request_id": 7}, "client_request_id: must be a string"),
        ({"model": "z-image"}, "prompt: required"),
        ({"model": "z-image", "prompt": ""}, "prompt: required"),
        ({"model": "z-image", "prompt": ["x"]}, "prompt: must be a string"),
        ({"model": "z-image", "prompt": "x" * 1001}, "at most 1000"),
        ({**VIDEO, "params": []}, "params: must be an object"),
        ({**VIDEO, "params": {"duration": 8}}, "params.duration: must be a string"),
        ({**VIDEO, "params": {"duration": "9"}}, "one of 4, 8, 12"),
        ({**VIDEO, "params": {"generate_audio": True}}, "must be a string"),
        ({**VIDEO, "params": {"nonsense": "1"}}, "nonsense: not a parameter"),
        ({"model": "seedance-2", "prompt": "x", "params": {"duration": "5"}}, "must be a number"),
        ({"model": "seedance-2", "prompt": "x", "params": {"duration": True}}, "must be a number"),
        ({"model": "seedance-2", "prompt": "x", "params": {"duration": 3}}, "at least 4"),
        ({"model": "seedance-2", "prompt": "x", "params": {"duration": 16}}, "at most 15"),
        ({"model": "seedream-4-0", "prompt": "x", "params": {"max_images": 1.5}}, "steps of 1"),
        ({"model": "google-imagen4", "prompt": "x", "params": {"seed": 5}}, "must be a string"),
        ({"model": "elevenlabs-turbo-2-5", "prompt": "x"}, "params: required"),
        ({"model": "elevenlabs-turbo-2-5", "prompt": "x", "params": {}}, "params.voice: required"),
        ({"model": "elevenlabs-dialogue-v3", "params": {}}, "params.dialogue: required"),
        ({"model": "elevenlabs-dialogue-v3", "params": {"dialogue": []}}, "list of objects"),
        ({"model": "elevenlabs-dialogue-v3", "params": {"dialogue": [{"voice": "Adam"}]}}, "list of objects"),
    ],
)
def test_a_create_that_breaks_a_rule_says_which(service: Talk, body: dict[str, Any], message: str) -> None:
    status, answer = service.create(**body)

    assert (status, answer["error"]["code"]) == (400, "validation_failed")
    assert message in answer["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"model": NaN}'])
def test_a_body_that_is_no_json_object_is_refused(service: Talk, body: bytes) -> None:
    answer = service.send("POST", "/api/v1/generations", body, {"Content-Type": "application/json"})

    assert service.code(answer) == (400, "validation_failed")


def test_a_create_must_say_that_it_is_json(service: Talk) -> None:
    assert service.code(service.create(content_type="text/plain")) == (400, "validation_failed")


def test_all_mistakes_are_told_at_once(service: Talk) -> None:
    _, answer = service.create(model="seedance-1-5-pro", params={"duration": 8, "resolution": "8K"})

    assert [word in answer["error"]["message"] for word in ("prompt", "duration", "resolution")] == [True] * 3


def test_a_prompt_may_be_as_long_as_the_model_says(service: Talk) -> None:
    assert service.create(model="z-image", prompt="x" * 1000)[0] == 200


def test_number_steps_survive_binary_fractions(service: Talk) -> None:
    params = {"voice": "TX3LPaxmHKxFdv7VOQHJ", "stability": 0.35, "speed": 1.15}

    assert service.create(model="elevenlabs-turbo-2-5", prompt="x", params=params)[0] == 200


class TestSwitches:
    def test_types_lenient_turns_numbers_and_booleans_into_the_strings_of_a_select(self) -> None:
        lenient = talk(types="lenient")

        assert lenient.create(**VIDEO, params={"duration": 8, "generate_audio": True})[0] == 200
        assert lenient.create(model="seedance-2", prompt="x", params={"duration": "99"})[0] == 200
        assert lenient.create(model="seedance-2", prompt="x", params={"duration": "long"})[0] == 400

    def test_unknown_keys_can_be_dropped_instead_of_refused(self) -> None:
        assert talk(unknown_keys="drop").create(**VIDEO, extra=1, params={"nonsense": "1"})[0] == 200

    def test_a_prompt_can_be_counted_in_code_points_or_in_utf16(self) -> None:
        body = {"model": "z-image", "prompt": "🐈" * 600}

        assert talk().create(**body)[0] == 200
        assert talk(prompt_counts="utf16").create(**body)[0] == 400

    @pytest.mark.parametrize("status", [200, 201, 202])
    def test_the_status_of_a_create_is_a_setting(self, status: int) -> None:
        assert talk(create_status=status).create()[0] == status
