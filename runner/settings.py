"""Settings: one frozen value, made once, that remembers where each part came from.

A value is taken from the first of: a flag, the environment, `rivya-batch.toml` beside the manifest or above it, the
user's own config file, what is built in. Budgets and rates are different on purpose: the smallest of all layers holds,
so that no layer can raise another's cap. The manifest's own limits join as one more layer (`Settings.capped`).

This is the only file that reads the environment.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from jobs.leaks import is_secret_text
from jobs.rates import Rate
from jobs.steering import Ceiling, Dial
from runner.addresses import base_url
from runner.aws import VARIABLES
from runner.errors import AuthError, RunnerError
from runner.ledger.store import LOCAL_FOLDER, Database, Store, is_database
from runner.secret import Secret
from runner.settings_layers import (
    CAPS,
    Layer,
    all_layers,
    first_said,
    read_account,
    read_cap,
    read_small_file,
    read_text,
)

__all__ = [
    "BASE_URL",
    "ENVIRONMENT",
    "SIM_SPEED",
    "SIM_STORE",
    "STORE",
    "Caps",
    "Settings",
    "aws_variables",
    "load_settings",
    "ray_variables",
]

BASE_URL: Final = "https://rivya.ai"
STORE: Final = LOCAL_FOLDER / "ledger.db"
SIM_STORE: Final = "sim.db"
# A rehearsal should take seconds: a clip that takes the real service a minute takes three seconds in the simulator.
SIM_SPEED: Final = 20.0
SIM_BASE_URL: Final = "http://127.0.0.1"  # until the simulator has its port
SIM_ACCOUNT: Final = "sim"
SIM_SERVICE: Final = "simulator"
ACCOUNT: Final = "default"

# Every variable this program reads, with what it means; `doctor` and the README list them.
ENVIRONMENT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "RIVYA_API_KEY": "the key",
        "RIVYA_API_KEY_FILE": "a file that holds the key and that only you can read",
        "RIVYA_BASE_URL": f"where the service is, default {BASE_URL}; http only for a loopback address",
        "RIVYA_BATCH_STORE": f"the ledger: a file, or postgresql://USER@HOST/DB; default {STORE} in the current folder",
        "RIVYA_BATCH_BUDGET": "a hard cap in credits for every run",
        "RIVYA_BATCH_NOTIFY_SECRET": "what notifications are signed with",
        "RIVYA_BATCH_NOTIFY_SECRET_FILE": "a file that holds it and that only you can read",
        "RIVYA_BATCH_ACCOUNT": f"a label for the account behind the key, default `{ACCOUNT}`",
        "NO_COLOR": "no colours when set",
        "FORCE_COLOR": "colours even without a terminal when set",
        "CI": "no progress screen and no questions when set",
    }
)

# `local` is one process; by the others whoever runs hands out, and `rivya-batch worker` works.
ENGINES: Final = ("local", "procrastinate", "ray")

# Ray's processes work in other folders, so names of files must be whole.
_SECRET_FILES: Final = ("RIVYA_API_KEY_FILE", "PGPASSFILE")
_QUIET_RAY: Final = MappingProxyType(
    {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under `uv run` it would send the current folder to the cluster
    }
)
# What Ray calls a cluster that Windows may not have: on Linux it also means the loopback address, where its own option
# for that is ignored.
_LOCAL_RAY: Final = MappingProxyType({"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Ceilings of one layer; None sets nothing. Rates are per endpoint class, `in_flight` counts tasks."""

    budget: int | None = None
    creates: Rate | None = None
    polls: Rate | None = None
    uploads: Rate | None = None
    downloads: Rate | None = None
    in_flight: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything set outside the manifest. `origins` says for each field which layer decided it."""

    base_url: str = BASE_URL
    store: Store = STORE
    account: str = ACCOUNT
    engine: str = ENGINES[0]  # who works on a run: this process, or workers
    caps: Caps = Caps()
    ceilings: Mapping[Dial, Ceiling] = field(
        default_factory=lambda: MappingProxyType({})
    )  # of all layers but the flags
    color: bool | None = None  # None: as the terminal says
    ci: bool = False
    embedded: bool = False  # against the simulator inside this command, wherever it listens
    key: Secret | None = None
    key_problem: RunnerError | None = None  # why there is no usable key; told only to those who need one
    notify_secret: Secret | None = None
    notify_problem: str = ""  # why there is none that can be used, though one was meant
    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def service(self) -> str:
        """What a ledger is bound to: the base URL, or the simulator, whose port is another each time."""
        return SIM_SERVICE if self.embedded else self.base_url

    def need_key(self) -> Secret:
        """The key. Raises `AuthError` when there is none or it cannot be used."""
        if self.key is not None:
            return self.key
        raise self.key_problem or AuthError(
            "There is no API key. Nothing was sent.",
            code="key-missing",
            next_step="set RIVYA_API_KEY, or RIVYA_API_KEY_FILE to a file that holds it; --sim needs none",
        )

    def capped(self, caps: Caps, *, origin: str) -> Settings:
        """These settings with one more layer of ceilings: the smaller of each two holds."""
        origins, merged = dict(self.origins), {}
        for name in CAPS:
            mine, other = getattr(self.caps, name), getattr(caps, name)
            merged[name] = mine
            if other is not None and (mine is None or _size(other) < _size(mine)):
                merged[name], origins[name] = other, origin
        return replace(self, caps=Caps(**merged), origins=MappingProxyType(origins))

    def simulated(self) -> Settings:
        """These settings for a run against the simulator: a ledger of its own, and no real key anywhere near it."""
        origins = MappingProxyType({**self.origins, **dict.fromkeys(("base_url", "account", "key"), "--sim")})
        return replace(
            self,
            base_url=SIM_BASE_URL,
            embedded=True,
            store=self._rehearsed(),
            account=SIM_ACCOUNT,
            key=Secret("no-key-is-needed-here"),
            key_problem=None,
            origins=origins,
        )

    def _rehearsed(self) -> Store:
        """A database holds a rehearsal's ledger beside the real ones; a file is another one, unless it was meant."""
        if isinstance(self.store, Database):
            return self.store.whose(SIM_ACCOUNT, SIM_SERVICE)
        return self.store if self.origins.get("store") == "--store" else self.store.with_name(SIM_STORE)


def _size(cap: int | Rate) -> float:
    return cap.per_second if isinstance(cap, Rate) else cap


def aws_variables(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What of AWS's own variables decides how a bucket is reached; secrets are not among them."""
    environ = os.environ if environ is None else environ  # noqa: TID251 - the one place
    return {name: environ[name] for name in VARIABLES if environ.get(name)}


def ray_variables(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for Ray, in a process of its own: ours with its key, and what keeps Ray from telling the world.

    RAY_ADDRESS is always in it: `local` is a Ray of one's own, which listens on the loopback address only.
    """
    environ = os.environ if environ is None else environ  # noqa: TID251 - the one place
    address = environ.get("RAY_ADDRESS") or "local"
    files = {name: str(Path(environ[name]).expanduser().absolute()) for name in _SECRET_FILES if environ.get(name)}
    return {**environ, **files, **_QUIET_RAY, **(_LOCAL_RAY if address == "local" else {}), "RAY_ADDRESS": address}


def load_settings(
    *,
    flags: Mapping[str, str | int | None] | None = None,
    environ: Mapping[str, str] | None = None,
    beside: Path | None = None,
    user_config: Path | None = None,
) -> Settings:
    """The settings of this process.

    `flags` holds what the command line gave, by setting; `beside` is the folder of the manifest (default: the current
    one). Raises `UsageError` for a value nobody could mean. A problem with the key is kept for who needs the key.
    """
    environ = os.environ if environ is None else environ  # noqa: TID251 - the one place
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    layers = all_layers(given, environ, beside or Path.cwd(), user_config)
    service = str(base_url(read_text(*first_said(layers, "base_url", BASE_URL))))
    account = read_account(*first_said(layers, "account", ACCOUNT))
    settings = Settings(
        base_url=service,
        store=_store(read_text(*first_said(layers, "store", str(STORE))), account=account, service=service),
        account=account,
        engine=read_text(*first_said(layers, "engine", ENGINES[0])),
        color=_color(first_said(layers, "color", "auto")[0], environ),
        ci=bool(environ.get("CI")),
        origins=MappingProxyType(
            {name: first_said(layers, name, "")[1] for name in ("base_url", "store", "account")}
            | dict.fromkeys(CAPS, "built-in")
        ),
    )
    for layer in layers:
        for name in (name for name in CAPS if name in layer.values):
            origin = layer.origins[name]
            cap: dict[str, Any] = {name: read_cap(name, layer.values[name], origin)}
            settings = settings.capped(Caps(**cap), origin=origin)
    settings = replace(settings, ceilings=_ceilings(layers[1:]))
    return _with_notify_secret(_with_key(settings, layers), layers)


def _ceilings(layers: Iterable[Layer]) -> Mapping[Dial, Ceiling]:
    """What no flag, manifest or `tune` may exceed: the smallest that environment and files set for each dial."""
    standing = Settings()
    for layer in layers:
        for dial in (dial for dial in Dial if dial in layer.values):
            cap: dict[str, Any] = {dial: read_cap(dial, layer.values[dial], layer.origins[dial])}
            standing = standing.capped(Caps(**cap), origin=layer.origins[dial])
    found = {dial: getattr(standing.caps, dial) for dial in Dial}
    return MappingProxyType(
        {dial: Ceiling(value=cap, origin=standing.origins[dial]) for dial, cap in found.items() if cap is not None}
    )


def _store(text: str, *, account: str, service: str) -> Store:
    if is_database(text):
        return Database(address=text, account=account, base_url=service)
    return Path(text).expanduser()


def _color(choice: object, environ: Mapping[str, str]) -> bool | None:
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return True if environ.get("FORCE_COLOR") else None


def _with_key(settings: Settings, layers: Iterable[Layer]) -> Settings:
    text, origin = first_said(layers, "api_key", None)
    file, file_origin = first_said(layers, "api_key_file", None)
    if text is None and file is None:
        return replace(settings, origins=MappingProxyType({**settings.origins, "key": "nowhere"}))
    key: Secret | None = None
    problem: RunnerError | None = None
    try:
        if text is None:
            origin = file_origin
            text = _read_key(read_text(file, origin), origin)
        key = Secret(str(text).strip())
    except RunnerError as refused:
        problem = refused
    return replace(
        settings, key=key, key_problem=problem, origins=MappingProxyType({**settings.origins, "key": origin})
    )


def _with_notify_secret(settings: Settings, layers: Iterable[Layer]) -> Settings:
    """A secret that cannot be used must not end a run: the problem is told to who waits for a notification."""
    text, origin = first_said(layers, "notify_secret", None)
    file, file_origin = first_said(layers, "notify_secret_file", None)
    if text is None and file is None:
        return settings
    try:
        if text is None:
            text, origin = _read_key(read_text(file, file_origin), file_origin), file_origin
        return replace(settings, notify_secret=Secret(str(text).strip(), what=f"notification secret ({origin})"))
    except RunnerError as problem:
        return replace(settings, notify_problem=problem.message.removesuffix(" Nothing was sent."))


def _read_key(name: str, origin: str) -> str:
    if is_secret_text(name):  # an error that names the file would show the key
        raise AuthError(
            f"{origin} holds a key, and wants the name of a file with the key in it. Nothing was sent.",
            code="key-file-is-key",
            next_step="set RIVYA_API_KEY to the key, or write the key to a file that only you can read",
        )
    file = Path(name).expanduser()
    try:
        mode = file.stat().st_mode
        if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
            raise AuthError(
                f"The key file {file} ({origin}) can be read by others on this machine, so it was not used.",
                code="key-file-open",
                next_step=f"chmod 600 {file}",
            )
        return read_small_file(file).decode("ascii", "replace")
    except OSError as problem:
        raise AuthError(
            f"The key file {file} ({origin}) cannot be read: {problem.strerror}.",
            code="key-file-unreadable",
            next_step=f"correct {origin}",
        ) from problem
