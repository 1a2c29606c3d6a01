"""CSV files of extensions: taken as a whole or refused with the line that is wrong."""

from pathlib import Path

import pytest

from actors.cli.table_file import Entry, TableError, read_table


def read(tmp_path: Path, text: str | bytes) -> list[Entry]:
    path = tmp_path / "phones.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_table(path)


def test_rows(tmp_path: Path) -> None:
    text = '\ufeffnumber,password,name\r\n100,s3cret,"Müller, Jörg"\r\n\r\n 101 , pass word ,\r\n'
    assert read(tmp_path, text) == [Entry("100", "s3cret", "Müller, Jörg"), Entry("101", " pass word ", "")]


def test_columns_in_another_order_and_without_names(tmp_path: Path) -> None:
    assert read(tmp_path, "Password,Number\nx,100\n") == [Entry("100", "x", "")]


def test_only_a_header_is_nothing_to_import(tmp_path: Path) -> None:
    assert read(tmp_path, "number,password,name\n") == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1: expected a header row with number,password,name, got ''"),
        ("100,x,Anna\n", "1: expected a header row with number,password,name, got '100,x,Anna'"),
        ("number,password,colour\n", "1: expected a header row"),
        ("number,password,number\n", "1: expected a header row"),
        ("number,password,name\n100,x,a\n101,x\n", "3: expected 3 columns, got 2"),
        ("number,password,name\n100,x,a,b\n", "2: expected 3 columns, got 4"),
        (
            "number,password,name\n1 0,x,a\n",
            "2: expected a number of 1 to 64 digits, letters or -_.+*, got '1 0'",
        ),
        ("number,password,name\n100,,a\n", "2: expected a password of 1 to 128 printable characters"),
        ("number,password,name\n100,x,a\n101,x,a\n100,y,b\n", "4: number 100 was in line 2 already"),
        ('number,password,name\n100,x,"a\nb"\n', "3: expected a name"),
        ('number,password,name\n100,x,"a"b\n', "2: ',' expected after '\"'"),
        (b"number,password,name\n100,x,J\xf6rg\n", "cannot be read: it is not UTF-8"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str | bytes, problem: str) -> None:
    with pytest.raises(TableError) as caught:
        read(tmp_path, text)
    assert f"phones.csv:{problem}" in str(caught.value).replace("csv: ", "csv:")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"none\.csv: cannot be read: No such file"):
        read_table(tmp_path / "none.csv")
