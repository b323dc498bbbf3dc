"""Where settings are said, most important first: flags, the environment, two files. And how what they say is read.

Two things a file that travels with a manifest may not say: where requests go and which key goes with them. Otherwise a
folder from a stranger could send the key to the stranger.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from jobs.rates import Rate, parse_rate
from jobs.suggest import did_you_mean
from jobs.wording import listed
from runner.errors import UsageError
from runner.ledger.store import is_database

__all__ = [
    "CAPS",
    "PROJECT_FILE",
    "Layer",
    "all_layers",
    "first_said",
    "read_account",
    "read_cap",
    "read_small_file",
    "read_text",
]

PROJECT_FILE: Final = "rivya-batch.toml"

# A settings or key file is a few lines; more than this is another file by mistake.
FILE_BYTES_MAX: Final = 64 * 1024

# Ceilings: of these the smallest of all layers holds, of all else what the first layer says.
CAPS: Final = ("budget", "creates", "polls", "uploads", "downloads", "in_flight")
_USER_KEYS: Final = ("store", "account", *CAPS, "base_url", "api_key_file", "notify_secret_file")
_PROJECT_KEYS: Final = ("store", "account", *CAPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one place says, by the name of the setting, and what a person calls the place that says it."""

    values: Mapping[str, object]
    origins: Mapping[str, str]


def all_layers(
    flags: Mapping[str, object], environ: Mapping[str, str], folder: Path, user_config: Path | None
) -> tuple[Layer, ...]:
    """All that is said, most important first. Raises `UsageError` for a file that is broken or says what it may not.

    The project's file is looked for in `folder` and above it.
    """
    given = Layer(values=flags, origins={name: "--" + name.replace("_", "-") for name in flags})
    return given, _from_environment(environ), *_from_files(folder, user_config or _user_config_file())


def _from_environment(environ: Mapping[str, str]) -> Layer:
    named = {
        "api_key": "RIVYA_API_KEY",
        "api_key_file": "RIVYA_API_KEY_FILE",
        "base_url": "RIVYA_BASE_URL",
        "store": "RIVYA_BATCH_STORE",
        "budget": "RIVYA_BATCH_BUDGET",
        "account": "RIVYA_BATCH_ACCOUNT",
        "notify_secret": "RIVYA_BATCH_NOTIFY_SECRET",
        "notify_secret_file": "RIVYA_BATCH_NOTIFY_SECRET_FILE",
    }
    origins = {name: variable for name, variable in named.items() if environ.get(variable)}  # empty is unset
    return Layer(values={name: environ[variable] for name, variable in origins.items()}, origins=origins)


def _user_config_file() -> Path:
    """The user's own settings, in the folder the platform keeps such files in."""
    return platformdirs.user_config_path("rivya-batch") / "config.toml"


def _from_files(folder: Path, user_config: Path) -> Iterable[Layer]:
    folder = folder.absolute()
    project = next(
        (place / PROJECT_FILE for place in (folder, *folder.parents) if (place / PROJECT_FILE).is_file()), None
    )
    if project is not None:
        yield _from_toml(project, _PROJECT_KEYS)
    if user_config.is_file():
        yield _from_toml(user_config, _USER_KEYS)


def _from_toml(file: Path, allowed: tuple[str, ...]) -> Layer:
    try:
        values = tomllib.loads(read_small_file(file).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as problem:
        raise UsageError(f"{file} cannot be read as TOML: {problem}", next_step="mend or remove the file") from problem
    for name in values:
        if name not in allowed:
            raise UsageError(
                f"{file} has a setting `{name}`, which {_why_not(name)}.", next_step=_instead(name, allowed)
            )
    for name in ("store", "api_key_file", "notify_secret_file"):
        if name in values and not is_database(str(values[name])):  # a path in a file is meant from that file's folder
            values[name] = str(file.parent / Path(read_text(values[name], str(file))).expanduser())
    return Layer(values=values, origins=dict.fromkeys(values, str(file)))


def _why_not(name: str) -> str:
    if name == "api_key":
        return "no settings file may hold"
    if name in _USER_KEYS:
        return "only the environment or your own config file may set: a manifest's folder may come from a stranger"
    return "does not exist"


def _instead(name: str, allowed: tuple[str, ...]) -> str:
    if name == "api_key":
        return "use RIVYA_API_KEY, or RIVYA_API_KEY_FILE with a file that only you can read"
    if name in _USER_KEYS:
        return f"set it in {_user_config_file()}"
    return did_you_mean(name, allowed, f"there are {listed(allowed)}")


def first_said(layers: Iterable[Layer], name: str, built_in: object) -> tuple[object, str]:
    """What the first layer that names a setting says of it, and where."""
    for layer in layers:
        if name in layer.values:
            return layer.values[name], layer.origins[name]
    return built_in, "built-in"


def _wrong(value: object, origin: str, wanted: str) -> UsageError:
    return UsageError(f"{origin} is {value!r}, which is not {wanted}.", next_step=f"correct {origin}")


def read_text(value: object, origin: str) -> str:
    """A text that is not empty. Like all that read a value it raises `UsageError` for what nobody could mean."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise _wrong(value, origin, "a text")
    return value


def read_account(value: object, origin: str) -> str:
    """A label for the account."""
    label = read_text(value, origin)
    if len(label) > 64 or not label.isprintable():
        raise _wrong(value, origin, "a label of at most 64 printable characters")
    return label


def read_cap(name: str, value: object, origin: str) -> int | Rate:
    """A ceiling: a number of credits or tasks, or a rate."""
    if name in ("budget", "in_flight"):
        least = 0 if name == "budget" else 1
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise _wrong(
                value, origin, f"a whole number of {'credits' if name == 'budget' else 'tasks'}, {least} or more"
            )
        return value
    rate = parse_rate(read_text(value, origin))
    if rate is None:
        raise _wrong(value, origin, "a rate such as `5/s` or `60/min`")
    return rate


def read_small_file(file: Path) -> bytes:
    """What a settings or key file holds."""
    with file.open("rb") as stream:
        data = stream.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise UsageError(f"{file} is larger than {FILE_BYTES_MAX} bytes, so it is another file by mistake.")
    return data
