"""XMP sidecars: tags beside each picture, where photo programs read them.

The sidecar of ``photo.jpg`` is ``photo.jpg.xmp``, as digiKam and darktable name it; tags are items
of ``dc:subject``. What a sidecar already holds stays: tags are only added to it. Those that this
program added are also listed in a property of its own, so that one that people took out stays out.
Source: XMP specification part 1 (ISO 16684-1), 7.4 to 7.7; Dublin Core's subject in part 1, 8.4.
"""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from features.errors import InputError, plain_words
from features.files import require_regular, write_bytes

NAMESPACES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "multilabel": "urn:multilabel-from-cache:xmp#",
}
_SUBJECT, _ADDED = "dc:subject", "multilabel:added"
_PACKET = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n{}\n<?xpacket end="w"?>\n'


def sidecar_of(picture: Path) -> Path:
    """Give the path of a picture's sidecar.

    Examples
    --------
    >>> sidecar_of(Path("a/photo.jpg")).as_posix()
    'a/photo.jpg.xmp'
    """
    return picture.with_name(picture.name + ".xmp")


def missing_tags(sidecar: Path, tags: Sequence[str]) -> list[str]:
    """List the tags that a sidecar lacks; all of them where there is none.

    A tag that was added before and is there no longer was taken out by hand, and is not lacking.

    Raises
    ------
    InputError
        The file is no XMP sidecar, no file at all, or a link to nothing.
    """
    require_regular(sidecar)
    if not sidecar.exists():
        if sidecar.is_symlink():
            raise InputError(
                f"{sidecar} is a symbolic link to nothing, so it is left as it is. Remove it, or "
                "make the file that it names."
            )
        return list(tags)
    rdf = _rdf(_read(sidecar))
    lists = [one for name in (_SUBJECT, _ADDED) for one in _properties(rdf, name)]
    known = {item.text for one in lists for item in one.iter(_name("rdf:li"))}
    return [tag for tag in tags if tag not in known]


def add_tags(sidecar: Path, tags: Sequence[str]) -> list[str]:
    """Add tags to a sidecar, which is made if there is none; nothing in it is taken away.

    Parameters
    ----------
    sidecar : Path
    tags : sequence of str

    Returns
    -------
    list of str
        Those that it lacked.

    Raises
    ------
    InputError
        The file is no XMP sidecar, which then stays as it is.
    """
    added = missing_tags(sidecar, tags)
    if not added:
        return []
    root = _read(sidecar) if sidecar.exists() else _empty()
    for name in (_SUBJECT, _ADDED):
        bag = _bag(root, name, sidecar)
        for tag in added:
            SubElement(bag, _name("rdf:li")).text = tag
    for prefix, uri in NAMESPACES.items():
        ElementTree.register_namespace(prefix, uri)
    write_bytes(
        sidecar.resolve(), _PACKET.format(ElementTree.tostring(root, encoding="unicode")).encode()
    )
    return added


def _name(short: str) -> str:
    prefix, _, local = short.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def _empty() -> Element:
    root = Element(_name("x:xmpmeta"))
    SubElement(root, _name("rdf:RDF"))
    return root


def _read(sidecar: Path) -> Element:
    """Parse a sidecar, keeping comments, instructions and the prefixes that its writer chose."""
    try:
        for _, (prefix, uri) in ElementTree.iterparse(sidecar, ["start-ns"]):
            if prefix and not prefix.startswith("ns"):
                ElementTree.register_namespace(prefix, uri)
        builder = _WithoutDTD(insert_comments=True, insert_pis=True)
        root = ElementTree.parse(sidecar, ElementTree.XMLParser(target=builder)).getroot()
    except (ElementTree.ParseError, ValueError, LookupError, OSError) as error:
        reason = plain_words(error, known=sidecar)
        raise InputError(
            f"{sidecar} can't be read as an XMP sidecar ({reason}), and stays as it is. Move it "
            "away, or repair it with the program that wrote it."
        ) from error
    if root.find(f".//{_name('rdf:RDF')}") is None and root.tag != _name("rdf:RDF"):
        raise InputError(
            f"{sidecar} is no XMP sidecar: it has no rdf:RDF element. It stays as it is; move it "
            "away."
        )
    return root


class _WithoutDTD(ElementTree.TreeBuilder):
    """Refuses a document type, which could expand to gigabytes."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("it declares a document type")


def _rdf(root: Element) -> Element:
    rdf = root if root.tag == _name("rdf:RDF") else root.find(f".//{_name('rdf:RDF')}")
    assert rdf is not None  # `_read` has checked it
    return rdf


def _properties(rdf: Element, name: str) -> list[Element]:
    """List a property of the picture itself: pictures that it was made of may have their own."""
    return rdf.findall(f"{_name('rdf:Description')}/{_name(name)}")


def _bag(root: Element, name: str, sidecar: Path) -> Element:
    """Find the list that is a property's value, or make one."""
    rdf = _rdf(root)
    listed = next(iter(_properties(rdf, name)), None)
    if listed is None:
        description = rdf.find(_name("rdf:Description"))
        if description is None:
            description = SubElement(rdf, _name("rdf:Description"), {_name("rdf:about"): ""})
        listed = SubElement(description, _name(name))
    for kind in ("rdf:Bag", "rdf:Seq", "rdf:Alt"):
        found = listed.find(_name(kind))
        if found is not None:
            return found
    if listed.text and listed.text.strip():
        raise InputError(
            f"{sidecar} holds {name} as plain text, which XMP does not allow. It stays as it "
            "is; repair it with the program that wrote it."
        )
    return SubElement(listed, _name("rdf:Bag"))
