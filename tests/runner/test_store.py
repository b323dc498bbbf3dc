"""Where a ledger is: a file or a database, how people are shown it, and what is said when it cannot be had."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from runner import on_demand
from runner.errors import LedgerUnusable, UsageError
from runner.ledger.opening import holder, open_ledger, open_reader
from runner.ledger.store import Database, is_database, local_place, masked
from runner.settings import load_settings
from tests.postgres_server import USER, database_of, shared_server


def at(address: str) -> Database:
    return Database(address=address, account="default", base_url="https://rivya.example")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql://host:5432/db", "postgresql://host:5432/db"),
        ("postgresql://user@host/db", "postgresql://user@host/db"),
        ("postgresql://user:secret@host:5432/db", "postgresql://user:***@host:5432/db"),
        ("postgresql://user:se:c@re/t?@host/db", "postgresql://user:***@host/db"),
        ("postgresql://:secret@host/db", "postgresql://:***@host/db"),
        ("postgresql://host/db?user=me&password=secret", "postgresql://host/db?user=me&password=***"),
        (
            "postgresql://u:a@h/db?sslpassword=b&sslmode=require",
            "postgresql://u:***@h/db?sslpassword=***&sslmode=require",
        ),
        ("postgres://user:secret@one:1,two:2/db", "postgres://user:***@one:1,two:2/db"),
    ],
)
def test_an_address_is_shown_without_its_password(address: str, shown: str) -> None:
    assert masked(address) == shown
    assert str(at(address)) == shown
    assert "secret" not in repr(at(address))


@given(st.text(min_size=6, alphabet=st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="*")))
def test_no_password_is_shown_whatever_it_is_made_of(password: str) -> None:
    spellings = (password, quote(password, safe=""))

    assert {masked(f"postgresql://user:{word}@host/db") for word in spellings} == {"postgresql://user:***@host/db"}


@given(st.text(min_size=1, alphabet=st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="%@/&=")))
def test_the_password_that_the_client_connects_with_is_known(password: str) -> None:
    for word in (password, quote(password, safe="")):
        for address in (f"postgresql://user:{word}@host/db", f"postgresql://host/db?password={word}&port=1"):
            assert conninfo_to_dict(address)["password"] == password
            assert password in at(address).passwords


def test_passwords_are_known_as_they_are_spelt_and_as_they_are_meant() -> None:
    assert at("postgresql://u:a%23b#c@h/d?sslpassword=e%2Bf+g#h&user=u").passwords == (
        "a%23b#c",
        "a#b#c",
        "e%2Bf+g#h",
        "e+f+g#h",
    )
    assert at("postgresql://u@h:5432/d?sslmode=require").passwords == ()


@pytest.mark.parametrize("text", ["ledger.db", "/a/postgresql:/b", "file.postgresql", "s3://bucket"])
def test_what_is_no_address_of_a_database_is_a_file(text: str) -> None:
    assert not is_database(text)


def test_a_database_may_be_named_in_every_layer_of_the_settings(tmp_path: Path) -> None:
    address = "postgresql://me@db.example/rivya"
    (tmp_path / "rivya-batch.toml").write_text(f'store = "{address}"')

    by_file = load_settings(environ={}, beside=tmp_path)
    by_variable = load_settings(environ={"RIVYA_BATCH_STORE": address, "RIVYA_BATCH_ACCOUNT": "film"}, beside=tmp_path)
    by_flag = load_settings(flags={"store": "mine.db"}, environ={"RIVYA_BATCH_STORE": address}, beside=tmp_path)

    assert by_file.store == Database(address=address, account="default", base_url="https://rivya.ai")
    assert by_variable.store == Database(address=address, account="film", base_url="https://rivya.ai")
    assert by_flag.store == Path("mine.db")
    assert by_file.simulated().store == Database(address=address, account="sim", base_url="simulator")


def test_what_lies_beside_a_ledger_in_a_database_lies_in_the_folder_of_this_place() -> None:
    one, same = at("postgresql://me:old@host/db"), at("postgresql://me:new@host/db")
    others = [
        at("postgresql://me@host/db2"),
        one.whose("film", one.base_url),
        one.whose("default", "https://b.example"),
    ]

    others.append(at("postgresql:///db?host=/run/postgresql"))

    assert local_place(one) == local_place(same)
    assert local_place(one).parent == Path(".rivya")
    assert len({local_place(store) for store in (one, *others)}) == 5
    assert len({store.schema for store in (one, *others)}) == 3
    assert local_place(at("postgresql://me:#new@host/db")) == local_place(one)
    assert local_place(Path("x.db")) == Path("x.db")


@pytest.mark.parametrize("account", ["default", "a" * 64, "\N{SNOWMAN}", "a b", "A'\"b", "--"])
def test_an_account_s_schema_has_a_plain_name_that_postgresql_does_not_cut(account: str) -> None:
    schema = replace(at("postgresql://host/db"), account=account).schema

    assert schema.startswith("rivya_")
    assert len(schema) <= 63
    assert schema.isascii()
    assert schema.replace("_", "").isalnum()


@pytest.mark.parametrize("address", ["postgresql://host:port/db", "postgresql://[::1/db"])
def test_an_address_that_is_none_is_told(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        at(address)

    assert caught.value.code == "store-address"


def test_an_address_that_the_client_cannot_read_is_told_without_its_password() -> None:
    store = at("postgresql://me:correct-horse@host/db?sslmod=require")

    with pytest.raises(UsageError, match="sslmod") as caught:
        open_reader(store)

    assert caught.value.code == "store-address"
    assert "horse" not in str(caught.value)


# Nobody is let in


def ask_of(store: Database) -> LedgerUnusable:
    with pytest.raises(LedgerUnusable) as caught:
        open_reader(store)
    with pytest.raises(LedgerUnusable) as again:
        open_ledger(store, account=store.account, base_url=store.base_url)
    assert again.value.code == caught.value.code
    return caught.value


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("correct-horse", "wrong-horse"), "store-password"),
        ((":correct-horse", ""), "store-password"),
        ((f"{USER}:", "nobody:"), "store-password"),  # a server does not say whom it knows
        (("/t_", "/u_"), "store-no-database"),
        (("127.0.0.1:", "127.0.0.1:1"), "store-unreachable"),
    ],
)
def test_why_a_database_cannot_be_had_is_told_with_the_way_out_and_without_the_password(
    change: tuple[str, str], code: str
) -> None:
    store = database_of(shared_server())
    address = (
        store.address.replace(*change)
        if code != "store-unreachable"
        else store.address.replace(str(shared_server().port), "1")
    )

    told = ask_of(replace(store, address=address))

    assert (told.code, told.exit_code) == (code, 9)
    assert told.next_step
    assert "horse" not in f"{told} {told.message} {told.next_step}"


def test_a_user_who_may_make_nothing_is_told_what_to_grant() -> None:
    store = database_of(shared_server())
    with psycopg.connect(store.address, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest-password'")

    guest = replace(store, address=store.address.replace("runner:correct-horse", "guest:guest-password"))
    with pytest.raises(LedgerUnusable, match="permission denied") as caught:
        open_ledger(guest, account=store.account, base_url=store.base_url)

    assert caught.value.code == "store-not-allowed"
    assert "GRANT CREATE" in caught.value.next_step


def test_a_database_whose_text_is_not_utf_8_is_refused() -> None:
    server = shared_server()
    with psycopg.connect(server.address(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE narrow ENCODING 'SQL_ASCII' TEMPLATE template0")

    assert ask_of(database_of(server, name="narrow")).code == "store-encoding"


def test_a_server_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.ledger.postgres_link.OLDEST_SERVER", 99)

    assert ask_of(database_of(shared_server())).code == "store-too-old"


def test_without_the_extra_the_next_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "find_spec", lambda _name: None)

    for ask in (open_reader, holder):
        with pytest.raises(UsageError, match="needs psycopg") as caught:
            ask(at("postgresql://host/db"))
        assert caught.value.next_step == "pip install 'rivya-batch[postgres]'"
