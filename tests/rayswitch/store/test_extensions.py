"""Extensions: every change takes a version, and whoever keeps a copy can ask for what changed."""

import pytest

from rayswitch.store import BadExtension, Extension, Extensions, Store
from rayswitch.store.extensions import check_name, check_number, check_password


@pytest.fixture
def extensions(store: Store) -> Extensions:
    return Extensions(store, "example.com")


def row(number: str, name: str = "") -> Extension:
    return Extension(number, "example.com", name, "m" * 32, "s" * 64, {})


def test_a_new_store_has_none(extensions: Extensions) -> None:
    assert (extensions.version(), extensions.count(), extensions.all(), extensions.changes()) == (
        0,
        0,
        [],
        (0, []),
    )
    assert extensions.find("100") is None


def test_each_change_has_the_next_version(extensions: Extensions) -> None:
    assert extensions.put([row("100"), row("101")]) == 1
    assert extensions.put([row("100", "Anna")._replace(options={"max_calls": 2})]) == 2
    assert extensions.remove(["101", "999"]) == 3
    assert extensions.version() == 3
    found = extensions.find("100")
    assert found == row("100", "Anna")._replace(options={"max_calls": 2}, version=2)
    assert extensions.find("101") is None


def test_a_copy_is_kept_up_to_date_by_changes(extensions: Extensions) -> None:
    extensions.put([row("100"), row("101")])
    extensions.remove(["101"])
    assert extensions.changes() == (2, [row("100")._replace(version=1)])
    gone = Extension("101", "example.com", "", "", "", {}, 2, True)
    assert extensions.changes(1) == (2, [gone])
    assert extensions.changes(2) == (2, [])
    extensions.put([row("101", "again")])
    assert extensions.changes(2) == (3, [row("101", "again")._replace(version=3)])


def test_domains_are_apart(extensions: Extensions, store: Store) -> None:
    other = Extensions(store, "example.org")
    extensions.put([row("100")])
    assert (other.version(), other.count()) == (0, 0)
    other.put([row("100")])
    assert other.all()[0].domain == "example.org"


def test_the_order_is_that_of_numbers(extensions: Extensions) -> None:
    extensions.put([row(number) for number in ("1000", "99", "100", "bob")])
    assert [extension.number for extension in extensions.all()] == ["99", "100", "bob", "1000"]


@pytest.mark.parametrize("number", ["100", "bob", "b.o-b_1", "*97", "+491234", "x" * 64])
def test_numbers(number: str) -> None:
    assert check_number(number) == number


@pytest.mark.parametrize("number", ["", "a b", "a@b", "a:b", "é", "1\n", "x" * 65, "٣"])
def test_bad_numbers(number: str) -> None:
    with pytest.raises(BadExtension, match="expected a number of 1 to 64"):
        check_number(number)


def test_names() -> None:
    assert check_name("Jörg Müller") == "Jörg Müller"
    with pytest.raises(BadExtension):
        check_name("a\nb")


def test_a_bad_password_is_not_shown() -> None:
    assert check_password("p:@ß ") == "p:@ß "
    with pytest.raises(BadExtension) as caught:
        check_password("geheim\x00")
    assert "geheim" not in str(caught.value)
