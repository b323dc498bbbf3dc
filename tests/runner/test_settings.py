"""Settings: the first layer that speaks wins, ceilings only ever shrink, and keys come from nowhere unsafe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from jobs.rates import Rate
from runner.errors import AuthError, UsageError
from runner.settings import BASE_URL, ENVIRONMENT, Caps, Settings, load_settings, ray_variables

KEY = "rvya_sk_" + "canary0123456789"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for a manifest, with nothing of this machine's above it that matters."""
    folder = tmp_path / "project" / "manifests"
    folder.mkdir(parents=True)
    return folder


def load(
    place: Path,
    *,
    flags: Mapping[str, str | int | None] | None = None,
    environ: Mapping[str, str] | None = None,
    project: str | None = None,
    user: str | None = None,
) -> Settings:
    if project is not None:
        (place.parent / "rivya-batch.toml").write_text(project, encoding="utf-8")
    config = place.parent.parent / "user" / "config.toml"
    if user is not None:
        config.parent.mkdir(exist_ok=True)
        config.write_text(user, encoding="utf-8")
    return load_settings(flags=flags, environ=environ or {}, beside=place, user_config=config)


def test_without_anything_set_everything_is_built_in(place: Path) -> None:
    settings = load(place)

    assert settings == Settings(origins=settings.origins)
    assert settings.base_url == BASE_URL
    assert settings.store == Path(".rivya/ledger.db")
    assert {origin for name, origin in settings.origins.items() if name != "key"} == {"built-in"}
    assert settings.origins["key"] == "nowhere"


def test_a_flag_outranks_the_environment_which_outranks_the_project_which_outranks_the_user(place: Path) -> None:
    user = 'account = "user"\nstore = "u.db"\nbase_url = "https://user.test"\n'
    project = 'account = "project"\nstore = "p.db"\n'
    environ = {"RIVYA_BATCH_ACCOUNT": "environment"}

    assert load(place, user=user).account == "user"
    assert load(place, project=project, user=user).account == "project"
    settings = load(place, project=project, user=user, environ=environ)
    assert settings.account == "environment"
    assert settings.origins["account"] == "RIVYA_BATCH_ACCOUNT"
    flagged = load(place, project=project, user=user, environ=environ, flags={"account": "flag", "store": None})
    assert flagged.account == "flag"
    assert flagged.store == place.parent / "p.db"
    assert flagged.origins["store"] == str(place.parent / "rivya-batch.toml")
    assert flagged.base_url == "https://user.test"


@pytest.mark.parametrize(
    ("flag", "environment", "project", "user", "expected", "origin"),
    [
        (100, "200", 300, 400, 100, "--budget"),
        (400, "300", 200, 100, 100, "user"),
        (400, "300", 100, 200, 100, "project"),
        (400, "100", 200, 300, 100, "RIVYA_BATCH_BUDGET"),
        (None, None, None, 0, 0, "user"),
        (None, None, None, None, None, "built-in"),
        (5, "5", 5, 5, 5, "--budget"),
    ],
)
def test_the_smallest_budget_of_all_layers_holds(
    place: Path,
    flag: int | None,
    environment: str | None,
    project: int | None,
    user: int | None,
    expected: int | None,
    origin: str,
) -> None:
    settings = load(
        place,
        flags={"budget": flag},
        environ={} if environment is None else {"RIVYA_BATCH_BUDGET": environment},
        project=None if project is None else f"budget = {project}",
        user=None if user is None else f"budget = {user}",
    )

    files = {"project": str(place.parent / "rivya-batch.toml"), "user": str(place.parent.parent / "user/config.toml")}
    assert settings.caps.budget == expected
    assert settings.origins["budget"] == files.get(origin, origin)


def test_the_slowest_rate_of_all_layers_holds_whatever_its_unit(place: Path) -> None:
    settings = load(place, flags={"creates": "2/s"}, project='creates = "60/min"\npolls = "10/s"\nin_flight = 4')

    assert settings.caps.creates == Rate(count=60, window_s=60.0)
    assert settings.caps.polls == Rate(count=10, window_s=1.0)
    assert settings.caps.in_flight == 4


def test_the_manifest_joins_as_one_more_layer_and_can_only_lower(place: Path) -> None:
    settings = load(place, flags={"budget": 100, "creates": "1/s"})
    lower = settings.capped(Caps(budget=50, creates=Rate(count=2, window_s=1.0), in_flight=8), origin="sweep.yaml")

    assert lower.caps.budget == 50
    assert lower.caps.creates == Rate(count=1, window_s=1.0)
    assert lower.caps.in_flight == 8
    assert lower.origins["budget"] == "sweep.yaml"
    assert lower.origins["creates"] == "--creates"


@pytest.mark.parametrize("value", ["", "ten", "-1", "1.5", "1_000", "٣", "1" * 30, "0x10", " 1"])
def test_a_budget_that_is_no_whole_number_is_an_error_and_never_ignored(place: Path, value: str) -> None:
    if value == "":
        assert load(place, environ={"RIVYA_BATCH_BUDGET": value}).caps.budget is None
        return
    with pytest.raises(UsageError, match="RIVYA_BATCH_BUDGET"):
        load(place, environ={"RIVYA_BATCH_BUDGET": value})


@pytest.mark.parametrize(
    "text",
    [
        "budget = true",
        "budget = 1.5",
        'budget = ["1"]',
        "in_flight = 0",
        'creates = "fast"',
        "creates = 5",
        "account = 1",
        'account = ""',
        'account = "a\\nb"',
        "store = 1",
        "broken",
        "budget = 1\nbudget = 2",
    ],
)
def test_a_settings_file_with_a_value_nobody_could_mean_is_refused(place: Path, text: str) -> None:
    with pytest.raises(UsageError) as raised:
        load(place, project=text)

    assert "rivya-batch.toml" in raised.value.message
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "next_step"),
    [
        ("bugdet = 1", "did you mean `budget`?"),
        ('base_url = "https://stranger.test"', "set it in"),
        ('api_key_file = "k"', "set it in"),
        (f'api_key = "{KEY}"', "use RIVYA_API_KEY"),
    ],
)
def test_a_manifests_folder_can_neither_redirect_the_key_nor_hold_one(place: Path, text: str, next_step: str) -> None:
    with pytest.raises(UsageError) as raised:
        load(place, project=text)

    assert raised.value.next_step.startswith(next_step)
    assert KEY not in raised.value.message


def test_the_nearest_project_file_counts_alone(place: Path) -> None:
    (place / "rivya-batch.toml").write_text('account = "near"', encoding="utf-8")

    settings = load(place, project='account = "far"\nbudget = 1')

    assert (settings.account, settings.caps.budget) == ("near", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://rivya.ai", "https://rivya.ai"),
        ("https://rivya.ai/", "https://rivya.ai"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_the_service_is_reached_over_https_or_on_this_machine(place: Path, text: str, expected: str) -> None:
    assert load(place, environ={"RIVYA_BASE_URL": text}).base_url == expected


@pytest.mark.parametrize(
    "text",
    ["http://rivya.ai", "ftp://rivya.ai", "rivya.ai", "https://", "https://u:p4ss@rivya.ai", "https://rivya.ai?x=1"],
)
def test_any_other_address_is_refused_without_showing_a_password(place: Path, text: str) -> None:
    with pytest.raises(UsageError) as raised:
        load(place, environ={"RIVYA_BASE_URL": text})

    assert "p4ss" not in str(raised.value)


def test_the_key_comes_from_the_environment_and_is_never_shown(place: Path) -> None:
    settings = load(place, environ={"RIVYA_API_KEY": KEY, "RIVYA_API_KEY_FILE": "/does/not/exist"})

    assert settings.need_key().reveal() == KEY
    assert settings.origins["key"] == "RIVYA_API_KEY"
    assert KEY not in repr(settings)


def test_the_key_comes_from_a_file_that_only_its_owner_reads(place: Path) -> None:
    file = place / "key"
    file.write_text(f"{KEY}\n", encoding="ascii")
    file.chmod(0o600)

    settings = load(place, environ={"RIVYA_API_KEY_FILE": str(file)})

    assert settings.need_key().reveal() == KEY
    assert settings.origins["key"] == "RIVYA_API_KEY_FILE"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_file_that_others_can_read_is_not_used(place: Path, mode: int) -> None:
    file = place / "key"
    file.write_text(KEY, encoding="ascii")
    file.chmod(mode)

    settings = load(place, environ={"RIVYA_API_KEY_FILE": str(file)})

    assert settings.key is None
    with pytest.raises(AuthError, match="can be read by others") as raised:
        settings.need_key()
    assert raised.value.next_step == f"chmod 600 {file}"
    assert raised.value.exit_code == 4


@pytest.mark.parametrize("content", [b"", b"two words", b"two\nlines", b"\xff\xfe", b"x" * 70_000])
def test_a_key_file_with_something_else_in_it_is_a_problem_only_for_who_needs_the_key(
    place: Path, content: bytes
) -> None:
    file = place / "key"
    file.write_bytes(content)
    file.chmod(0o600)

    settings = load(place, environ={"RIVYA_API_KEY_FILE": str(file)})

    assert settings.key is None
    with pytest.raises((AuthError, UsageError)):
        settings.need_key()


def test_a_key_where_its_file_should_be_named_is_not_shown(place: Path) -> None:
    with pytest.raises(AuthError, match="RIVYA_API_KEY_FILE holds a key") as raised:
        load(place, environ={"RIVYA_API_KEY_FILE": KEY}).need_key()

    assert KEY not in raised.value.message + raised.value.next_step


def test_no_key_at_all_says_how_to_give_one(place: Path) -> None:
    for environ in ({}, {"RIVYA_API_KEY": ""}, {"RIVYA_API_KEY_FILE": str(place / "none")}):
        with pytest.raises(AuthError) as raised:
            load(place, environ=environ).need_key()
        assert raised.value.exit_code == 4
        assert "RIVYA_API_KEY" in raised.value.message + raised.value.next_step


@pytest.mark.parametrize(
    ("flag", "environ", "expected"),
    [
        ("auto", {}, None),
        ("auto", {"NO_COLOR": "1"}, False),
        ("auto", {"NO_COLOR": ""}, None),
        ("auto", {"FORCE_COLOR": "1"}, True),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ("auto", {"TERM": "dumb"}, False),
        ("always", {"NO_COLOR": "1"}, True),
        ("never", {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colours_follow_the_flag_then_the_environment_then_the_terminal(
    place: Path, flag: str, environ: dict[str, str], expected: bool | None
) -> None:
    assert load(place, flags={"color": flag}, environ=environ).color is expected


def test_a_simulated_run_has_a_ledger_of_its_own_and_no_real_key(place: Path) -> None:
    real = load(place, environ={"RIVYA_API_KEY": KEY, "RIVYA_BATCH_STORE": "work/books.db"})

    simulated = real.simulated()

    assert simulated.store == Path("work/sim.db")
    assert simulated.need_key().reveal() != KEY
    assert simulated.account == "sim"
    assert (real.service, simulated.service) == (BASE_URL, "simulator")
    assert load(place, flags={"store": "mine.db"}).simulated().store == Path("mine.db")


def test_every_documented_variable_is_read_and_no_other(place: Path) -> None:
    class Spy(dict[str, str]):
        asked: set[str]

        def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
            self.asked.add(key)
            return default

    spy = Spy()
    spy.asked = set()
    load_settings(environ=spy, beside=place, user_config=place / "none")

    assert spy.asked - {"TERM"} == set(ENVIRONMENT)


def test_settings_of_this_process_are_read_when_nothing_is_handed_in(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("RIVYA_BATCH_ACCOUNT", "mine")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place))

    assert load_settings().account == "mine"


def test_the_secret_of_notifications_comes_from_the_environment_or_a_private_file(place: Path) -> None:
    file = place / "notify-secret"
    file.write_text("a-secret-to-sign\n", encoding="utf-8")
    file.chmod(0o600)

    for environ in (
        {"RIVYA_BATCH_NOTIFY_SECRET": "a-secret-to-sign"},
        {"RIVYA_BATCH_NOTIFY_SECRET_FILE": str(file)},
    ):
        settings = load(place, environ=environ)
        assert settings.notify_secret is not None
        assert settings.notify_secret.reveal() == "a-secret-to-sign"
        assert "a-secret-to-sign" not in repr(settings)
    assert load(place).notify_secret is None
    assert load(place).notify_problem == ""


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("RIVYA_BATCH_NOTIFY_SECRET", "tiny", "is shorter than 8 characters"),
        ("RIVYA_BATCH_NOTIFY_SECRET", "in two words", "holds a space"),
        ("RIVYA_BATCH_NOTIFY_SECRET_FILE", "/does/not/exist", "cannot be read"),
        ("RIVYA_BATCH_NOTIFY_SECRET_FILE", KEY, "holds a key"),
    ],
)
def test_a_secret_that_cannot_be_used_is_no_reason_to_end_a_run(place: Path, name: str, value: str, why: str) -> None:
    settings = load(place, environ={name: value})

    assert settings.notify_secret is None
    assert why in settings.notify_problem
    assert name in settings.notify_problem
    assert value not in settings.notify_problem or value.startswith("/")


def test_a_manifests_folder_names_no_secret_to_sign_with(place: Path) -> None:
    with pytest.raises(UsageError, match="only the environment or your own config file"):
        load(place, project='notify_secret_file = "k"')


def test_ray_gets_our_environment_and_is_kept_from_telling_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    ours = {"RIVYA_API_KEY_FILE": "mine/key", "PGPASSFILE": "", "LANG": "C", "RAY_USAGE_STATS_ENABLED": "1"}
    environ = ray_variables(ours)

    assert environ["LANG"] == "C"
    assert environ["RAY_USAGE_STATS_ENABLED"] == environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] == "0"
    assert environ["RIVYA_API_KEY_FILE"] == "/mine/key"
    assert environ["PGPASSFILE"] == ""


def test_a_key_file_beginning_with_a_tilde_is_the_same_one_for_ray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert ray_variables({"RIVYA_API_KEY_FILE": "~/k"})["RIVYA_API_KEY_FILE"] == str(tmp_path / "k")


@pytest.mark.parametrize(("said", "is_own"), [(None, True), ("", True), ("local", True), ("10.0.0.1:6379", False)])
def test_a_ray_of_ones_own_keeps_to_the_loopback_address_and_a_cluster_does_not(said: str | None, is_own: bool) -> None:
    environ = ray_variables({} if said is None else {"RAY_ADDRESS": said})

    assert environ["RAY_ADDRESS"] == (said or "local")
    assert environ.get("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER") == ("0" if is_own else None)
