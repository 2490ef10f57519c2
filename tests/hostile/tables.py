"""Tables as people and programs write them: what stands in the file, how it is read, and what must come of it.

The outcome is the classes with their rows of features, or words of the one line that refuses the table, or words of a
warning beside the classes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

# What most of these say: two features, two classes, in this order
RIGHT = {"x": [[1.0, 2.5], [2.0, 1.0]], "y": [[3.0, 5.0], [4.0, 4.0]]}


class Case(NamedTuple):
    """A table and what must come of it."""

    content: str | bytes
    classes: dict[str, list[list[float]]] | None = None
    words: str | None = None
    options: dict[str, Any] = {}  # noqa: RUF012  # never changed


def right(content: str | bytes, words: str | None = None, classes: Any = RIGHT, **options: Any) -> Case:
    return Case(content, classes, words, options)


def wrong(content: str | bytes, words: str, **options: Any) -> Case:
    return Case(content, None, words, options)


GOOD = "a,b,kind\n1,2.5,x\n2,1,x\n3,5,y\n4,4,y\n"
EURO = "a;b;kind\n1;2,5;x\n2;1;x\n3;5;y\n4;4,0;y\n"


def labels(*four: str) -> str:
    """The same features with these labels."""
    return "a,b,kind\n" + "".join(
        f"{row},{mark}\n" for row, mark in zip(("1,2.5", "2,1", "3,5", "4,4"), four, strict=True)
    )


NUMBERED = {"0": RIGHT["x"], "1": RIGHT["y"]}

TABLES: dict[str, Case] = {
    # how a table is written
    "plain": right(GOOD),
    "semicolons": right(GOOD.replace(",", ";")),
    "tabs": right(GOOD.replace(",", "\t")),
    "bars, named": right(GOOD.replace(",", "|"), delimiter="|"),
    "bars": wrong(GOOD.replace(",", "|"), "if these are several, give the delimiter between them"),
    "blanks, named": right(GOOD.replace(",", " "), delimiter=" "),
    "line ends of Windows": right(GOOD.replace("\n", "\r\n")),
    "line ends of old Macs": right(GOOD.replace("\n", "\r")),
    "no line end at the end": right(GOOD.rstrip()),
    "byte order mark": right(b"\xef\xbb\xbf" + GOOD.encode()),
    "blank lines": right(GOOD.replace("\n", "\n\n")),
    "blanks around cells": right(GOOD.replace(",", " , ")),
    "everything in quotes": right("".join('"' + r.replace(",", '","') + '"\n' for r in GOOD.split("\n") if r)),
    "separator announced": right("sep=;\n" + GOOD.replace(",", ";")),
    "another separator inside quotes": right(GOOD.replace("a,b", '"a;1;2;3","b;c;d"')),
    "comma inside quotes": right(GOOD.replace("x\n", '"x, y"\n'), classes={"x, y": RIGHT["x"], "y": RIGHT["y"]}),
    "line break inside quotes": right(GOOD.replace("x\n", '"x\nz"\n'), classes={"x\nz": RIGHT["x"], "y": RIGHT["y"]}),
    "quote inside quotes": right(GOOD.replace("x\n", '"x""z"\n'), classes={'x"z': RIGHT["x"], "y": RIGHT["y"]}),
    "more columns, features named": right(
        GOOD.replace("kind", "kind,note").replace("\n", ",hello\n").replace("note,hello", "note"), features=["a", "b"]
    ),
    "decimal comma": right(EURO, decimal=","),
    "decimal comma, tabs": right(EURO.replace(";", "\t"), decimal=","),
    "decimal point beside a comma": wrong(EURO.replace("4,0", "4.0"), "'4.0', but the decimal is ','", decimal=","),
    "decimal comma unsaid": wrong(EURO, "'2,5', not a number; for a decimal comma give decimal = ','"),
    "decimal comma between commas": wrong("a,b,kind\n1,0,2,5,x,y\n", "if numbers have a decimal comma"),
    "thousands": wrong(GOOD.replace("1,2.5", '"1,000.5",2.5'), "'1,000.5', not a number"),
    "delimiter of two characters": wrong(GOOD, "delimiter is ',,'", delimiter=",,"),
    "delimiter is the decimal": wrong(GOOD, "they must differ", delimiter=",", decimal=","),
    "decimal of a letter": wrong(GOOD, "decimal is 'x'", decimal="x"),
    # what is no table
    "nothing": wrong("", "no columns found"),
    "blank": wrong(" \n\n", "no columns found"),
    "UTF-16": wrong(GOOD.encode("utf-16"), "UTF-16 text; save it as UTF-8"),
    "Latin-1": wrong(
        GOOD.replace("y", "\u00e9").encode("latin-1"), "byte 0xe9 in line 4 is of another encoding, such as Latin-1"
    ),
    "a picture": wrong(b"\x89PNG\r\n\x1a\n\0\0", "of no text"),
    "NUL": wrong(GOOD.replace("x", "\0"), "binary data"),
    "comment before the header": wrong("# made by hand\n" + GOOD, "the header begins with '#'"),
    "comment between rows": wrong(GOOD.replace("3,5", "# so far\n3,5"), "comment lines are not read"),
    "an open quote": wrong(GOOD.replace("2.5", '"2.5'), "not a CSV table"),
    # header and rows
    "no header": wrong("1,2.5,x\n2,1,x\n3,5,y\n", "the columns are 1, 2.5, x; is the header line missing?"),
    "no header, numbers alone": wrong("1,2.5,0\n2,1,0\n3,5,1\n", "the first line holds numbers (1, 2.5, 0)"),
    "no header, label of the first row": wrong("1,2,4\n2,1,0\n3,5,1\n", "the first line holds numbers", label="4"),
    "numbers as names, all named": right(GOOD.replace("a,b,kind", "0,1,2"), label="2", features=["0", "1"]),
    "column without name": wrong(GOOD.replace("a,b", "a,"), "column 2 without a name"),
    "index column of pandas": wrong(",a,kind\n0,1,x\n1,3,x\n2,1,y\n3,7,y\n", "if it numbers the rows"),
    "index column of R": wrong('"a","kind"\n"1",1,"x"\n"2",3,"x"\n', "give that column a name too"),
    "index column with a name": wrong("id,a,kind\n1,7,x\n2,3,x\n3,1,y\n4,7,y\n", "'id' numbers the rows"),
    "index column among named features": right("id,b,kind\n1,2.5,x\n2,1,x\n3,5,y\n4,4,y\n", features=["id", "b"]),
    "the same name twice": wrong(GOOD.replace("a,b", "a,a"), "a second column 'a'"),
    "cells too many": wrong(GOOD.replace("3,5,y", "3,5,y,z"), "row 4 has 4 cells, the header has 3"),
    "separator at the end": wrong(GOOD.replace("x\n", "x,\n"), "a separator too many"),
    "cells too few": wrong(GOOD.replace("3,5,y", "3,5"), "row 4 has 2 cells"),
    "feature named twice": wrong(GOOD, "column 'a' is named 2 times", features=["a", "a"]),
    "label among the features": wrong(GOOD, "label is among the features", features=["a", "kind"]),
    "unknown feature": wrong(GOOD, "no column 'c'; the columns are a, b, kind", features=["a", "c"]),
    "label over again": right(
        "a,b,kind\n0,2.5,0\n0,1,0\n1,5,1\n1,4,1\n",
        words="feature 'a' holds the labels themselves",
        classes={"0": [[0, 2.5], [0, 1]], "1": [[1, 5], [1, 4]]},
    ),
    # cells
    "missing cells": wrong(
        "a,b,kind\n1,,x\n,1,x\nNA,5,y\n4,4,y\n", "row 2, column 'b' is empty; missing cells by column: 'a' 2, 'b' 1"
    ),
    "a missing cell": wrong(GOOD.replace("2.5", "n/a"), "row 2, column 'b' is 'n/a', a missing value"),
    "a column of words": wrong(
        GOOD.replace("1,2", "red,2").replace("2,1", "blue,1"),
        "'red', not a number; cells without a number by column: 'a' 2",
    ),
    "infinite": wrong(GOOD.replace("2.5", "-inf"), "'-inf', not a finite number"),
    "too large a number": wrong(GOOD.replace("2.5", "1e999"), "'1e999', not a finite number"),
    "underscore": wrong(GOOD.replace("2.5", "2_5"), "'2_5', not a number"),
    "per cent": wrong(GOOD.replace("2.5", "25%"), "'25%', not a number"),
    "constant": wrong("a,b,kind\n1,7,x\n2,7,x\n3,7,y\n4,7,y\n", "feature 'b' is constant (7)"),
    "escape sequence": wrong(GOOD.replace("2.5", "\x1b[2J"), r"'\x1b[2J', not a number"),
    # labels
    "1 and 1.0": right(labels("0", "0.0", "1", "1.0"), words="'0' and '0.0' are one number", classes=NUMBERED),
    "01 and 1": right(labels("00", "0", "01", "1"), words="'0' and '00' are one number", classes=NUMBERED),
    "numbers with a decimal comma": right(
        "a;b;kind\n1;2,5;0,5\n2;1;0,5\n3;5;10\n4;4;10\n", classes={"0,5": RIGHT["x"], "10": RIGHT["y"]}, decimal=","
    ),
    "order of numbers": right(labels("9", "9", "10", "10"), classes={"9": RIGHT["x"], "10": RIGHT["y"]}),
    "blank after a label": right(labels("x", "x ", "y", " y")),
    "no-break blank after a label": right(labels("x", "x\u00a0", "y", "y")),
    "two ways to write an accent": right(
        labels("\u00e9", "e\u0301", "y", "y"), classes={"y": RIGHT["y"], "\u00e9": RIGHT["x"]}
    ),
    "case": wrong(labels("Yes", "yes", "no", "no"), "labels 'Yes' and 'yes', which differ in case or blanks alone"),
    "blanks inside a label": wrong(labels("a b", "a  b", "no", "no"), "differ in case or blanks alone"),
    "no label": wrong(labels("x", "x", "", "y"), "row 4, column 'kind' has no label"),
    "None and NA": wrong(
        labels("x", "NA", "None", "NA"), "row 3, column 'kind' has no label; missing labels: 'NA' 2, 'None' 1"
    ),
    "nan among numbers": wrong(labels("0", "nan", "1", "1"), "missing labels: 'nan' 1"),
    "one class": wrong(labels("x", "x", "x", "x"), "a single class ('x')"),
    "a class of one": wrong(labels("x", "x", "x", "y"), "class 'y' has 1 sample"),
    "blanks between cells": wrong(GOOD.replace(",", " "), "if these are several, give the delimiter between them"),
    "a target of regression": wrong(
        "a,kind\n" + "".join(f"{k % 7},{k / 8}\n" for k in range(50)),
        "50 different values in 50 rows, which are no classes",
    ),
    "measurements as labels": wrong(labels("0.1", "0.2", "0.3", "0.4"), "has 1 sample"),
    "names of mathematics": right(
        labels("$x_1$", "$x_1$", "<b>", "<b>"), classes={"$x_1$": RIGHT["x"], "<b>": RIGHT["y"]}
    ),
}
