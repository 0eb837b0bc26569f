"""Rows of a csv file, however it is written: its encoding, separator, line ends and quotes.

Spreadsheets and libraries differ in all four. What can be told from the first bytes and the first
line is told from them; a file that can't be read so is refused with its line.
"""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from features.errors import InputError
from features.inputs.image_kinds import image_suffixes
from features.inputs.name_forms import ending_of
from features.inputs.text_lines import encoding_of, require_file, require_own_kind

_FIRST_FIELD = re.compile(
    r"""(?:\s*"(?:[^"]|"")*"\s*|\s*'(?:[^']|'')*'\s*|[^,;\t"]*)([,;\t])( ?)"""
)
_IN_SINGLE_QUOTES = re.compile(r"'(?:[^']|'')*'(?: ?([,;\t|]) ?'(?:[^']|'')*')+\s*")
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")  # .xlsx and .ods, .xls
_JSON = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\[\s*)?\{\s*"')
csv.field_size_limit(1 << 26)  # masks and outlines of objects stand in one field
_BLANKS = re.compile(r'"[^"]*"(?: (?:"[^"]*"|[^ "]+))+\s*')  # a header of R's write.table
_FORMULA = re.compile(r'\A\s*="([^"]*)"\s*\Z')
_MARKS = re.compile(r'[,;|\t"]')
_STATED = re.compile(r'"?sep=([,;\t|])"?\s*', re.IGNORECASE)  # a first line for Excel


class _Form(NamedTuple):
    delimiter: str
    skip_blanks: bool  # the header has a blank behind its first separator
    skip_line: bool = False  # the first line only states the separator
    formulas: bool = False  # fields like ="001", which keep a spreadsheet from changing them
    row_names: bool = False  # lines begin with a field that the header lacks, as R writes them
    quote: str = '"'


def csv_rows(
    path: Path, *, ragged: bool = False, content: bytes | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of every line that is not blank, the header first.

    Parameters
    ----------
    path : Path
        In one of the encodings of `text_lines.encoding_of`. Fields are separated by what follows
        the first field of the first line: a comma, a semicolon or a tab; or else by `|`, or by
        blanks behind pictures' names or between quoted names, as R writes them. The names of R's
        rows get a column "". Quotes are single where all fields of the first or the second line
        have them.
    ragged : bool
        Allow lines of other lengths than the header's.
    content : bytes, optional
        The file, if it lies in an archive; `path` is then for messages.

    Yields
    ------
    line : int
        From 1.
    fields : list of str
        Blanks around them are kept; those before them are not if the header begins its second
        field with one.

    Raises
    ------
    InputError
        Another encoding, quotes that don't close, or a line of another length.
    """
    width = line = 0
    try:
        with _text(path, content) as file:
            form = _form(file)
            reader = csv.reader(
                file,
                strict=True,
                delimiter=form.delimiter,
                skipinitialspace=form.skip_blanks,
                quotechar=form.quote,
            )
            for fields in reader:
                line = reader.line_num + form.skip_line
                if not any(map(str.strip, fields)):
                    continue  # spreadsheets leave lines of separators at the end
                if form.formulas:
                    fields = [_FORMULA.sub(r"\1", field) for field in fields]
                if form.row_names and not width:
                    fields.insert(0, "")
                width = width or _width(fields)
                if len(fields) > width and not any(map(str.strip, fields[width:])):
                    del fields[width:]  # a separator behind the last field
                if len(fields) != width and not ragged:
                    raise InputError(
                        f"{path}, line {line}: {len(fields)} fields where the header has {width}. "
                        f"{_remedy(len(fields), width, form.delimiter)}"
                    )
                yield line, fields
    except UnicodeError:
        raise InputError(f"{path} is not UTF-8. Save it again with that encoding.") from None
    except csv.Error as error:
        raise InputError(f"{path}, after line {line}: {error}. Repair the quotes.") from None


def _remedy(found: int, width: int, delimiter: str) -> str:
    if found < width:
        return f"Complete the line; what stands between fields is {delimiter!r}, as in the header."
    if found == width + 1:  # as R writes row names
        return (
            "Quote a name that holds a comma; if the first field is a row's number, give it a name "
            "in the header."
        )
    return "Quote a name that holds a comma."


def _width(header: list[str]) -> int:
    """Count the columns; a separator behind the last name begins none."""
    return max(place for place, name in enumerate(header, start=1) if name.strip())


def plain_header(header: list[str]) -> list[str]:
    """Give a header's names without blanks around them, in lower case, to compare with."""
    return [name.strip().casefold() for name in header]


def _text(path: Path, content: bytes | None) -> TextIO:
    if content is None:
        require_file(path)
    file = open(path, "rb") if content is None else io.BytesIO(content)  # noqa: SIM115
    start = file.read(512)
    file.seek(0)
    try:
        if start.startswith(_WORKBOOKS):
            raise InputError(f"{path} is a workbook of a spreadsheet. Save it as csv, in UTF-8.")
        require_own_kind(path, start)
        if _JSON.match(start):
            raise InputError(
                f"{path} holds JSON and no table. Give it the ending .json, or .jsonl if each line "
                "is an object."
            )
    except InputError:
        file.close()
        raise
    return io.TextIOWrapper(file, encoding=encoding_of(start), newline="")


def _form(file: TextIO) -> _Form:
    """Read the form from the first line, and leave the file where the rows begin."""
    first = file.readline()
    while first and not first.strip():
        first = file.readline()
    if stated := _STATED.fullmatch(first):
        behind = file.tell()
        second = file.readline()
        file.seek(behind)
        return _Form(stated[1], False, True, '="' in second)
    second = file.readline()
    file.seek(0)
    found = _FIRST_FIELD.match(first)
    delimiter = "|" if "|" in first else " " if _BLANKS.fullmatch(first) else ","
    delimiter = found[1] if found else " " if _has_blanks(first, second) else delimiter
    row_names = second.startswith(f'"1"{delimiter}') and first.startswith('"')
    if row_names:
        widths = [len(fields) for fields in csv.reader([first, second], delimiter=delimiter)]
        row_names = widths[1:] == [widths[0] + 1]
    single = any(
        (quoted := _IN_SINGLE_QUOTES.fullmatch(line)) and quoted[1] == delimiter
        for line in (first, second)
    )
    by_blanks = delimiter == " " and '"' not in first  # perhaps several of them
    return _Form(
        delimiter,
        by_blanks or bool(found and found[2]),
        formulas='="' in first + second,
        row_names=row_names,
        quote="'" if single else '"',
    )


def _has_blanks(first: str, second: str) -> bool:
    """Tell whether lines begin with a picture and have blanks between fields, as Caffe's lists."""
    if _MARKS.search(first + second):
        return False
    (name, *rest), (below, *more) = (line.split() or [""] for line in (first, second))
    if rest and ending_of(name) in image_suffixes():
        return True
    return bool(rest) and len(rest) == len(more) and ending_of(below) in image_suffixes()
