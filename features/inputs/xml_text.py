"""XML files of annotations, in any encoding and without what makes a small file expand."""

import re
from pathlib import Path
from xml.etree import ElementTree

from features.errors import InputError
from features.inputs.text_lines import read_file

_DECLARED = re.compile(rb"<\?xml[^>]*?encoding=[\"']([A-Za-z0-9._-]+)[\"']")


def read_xml(path: Path) -> ElementTree.Element:
    """Read a whole XML file.

    Returns
    -------
    Element
        The root.

    Raises
    ------
    InputError
        As for `features.inputs.text_lines.read_file`, or it is no XML, or it has a DTD, with which
        a small file can expand without end.
    """
    content = read_file(path).lstrip()
    attempts: list[tuple[bytes, str | None]] = [(content, None)]
    declared = _DECLARED.match(content)
    try:  # the parser knows no encoding of several bytes but Unicode's
        text = content.decode(declared[1].decode("ascii")) if declared else ""
        attempts.append((text.encode("utf-8"), "utf-8"))
    except UnicodeError:  # some tools state another encoding than they write
        attempts.append((content, "utf-8"))
    except LookupError:
        pass
    reason: Exception | None = None
    for data, encoding in attempts:
        parser = ElementTree.XMLParser(target=_WithoutDTD(), encoding=encoding)
        try:
            return ElementTree.fromstring(data, parser)
        except _HasDTD:
            raise InputError(
                f"{path} has a DTD, which annotations of this form don't. Remove it."
            ) from None
        except (ElementTree.ParseError, ValueError, LookupError) as error:
            reason = reason or error
    raise InputError(f"{path} is not XML ({reason}). Write it again in UTF-8, or remove it.")


class _HasDTD(Exception):
    pass


class _WithoutDTD(ElementTree.TreeBuilder):
    def doctype(self, *declaration: object) -> None:
        raise _HasDTD
