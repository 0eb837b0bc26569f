"""XMP sidecars: what is added, what stays, what is refused."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classify.tag.xmp import NAMESPACES, add_tags, missing_tags
from features.errors import InputError

RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
DC = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
FORMS = {
    "no subject": f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}/></x:xmpmeta>',
    "no wrapper": f'<rdf:RDF {RDF}><rdf:Description rdf:about="" {DC}/></rdf:RDF>',
    "sequence": f"<rdf:RDF {RDF}><rdf:Description {DC}><dc:subject><rdf:Seq><rdf:li>old</rdf:li>"
    "</rdf:Seq></dc:subject></rdf:Description></rdf:RDF>",
    "packet": f'<?xpacket begin="" id="x"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}>'
    '<rdf:Description rdf:about=""/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>',
}


def tags_of(path):
    subjects = ElementTree.parse(path).getroot().iter(f"{{{NAMESPACES['dc']}}}subject")
    return [item.text for one in subjects for item in one.iter(f"{{{NAMESPACES['rdf']}}}li")]


@pytest.mark.parametrize("form", FORMS)
def test_tags_are_added_to_every_form(tmp_path, form):
    path = tmp_path / "a.jpg.xmp"
    path.write_text(FORMS[form], encoding="utf-8")
    old = tags_of(path)
    assert missing_tags(path, ["sea", "sky"]) == ["sea", "sky"]
    assert add_tags(path, ["sea", "sky"]) == ["sea", "sky"]
    assert tags_of(path) == [*old, "sea", "sky"]
    assert missing_tags(path, ["sky", "tree"]) == ["tree"]


def test_tags_of_pictures_that_it_was_made_of_are_not_its_own(tmp_path):
    """Photoshop keeps them in a pantry, each with a description."""
    path = tmp_path / "a.jpg.xmp"
    path.write_text(
        f'<rdf:RDF {RDF}><rdf:Description rdf:about="" {DC} xmlns:m="http://ns.adobe.com/xap/1.0/mm/">'
        "<m:Pantry><rdf:Bag><rdf:li><rdf:Description><dc:subject><rdf:Bag><rdf:li>sea</rdf:li>"
        "</rdf:Bag></dc:subject></rdf:Description></rdf:li></rdf:Bag></m:Pantry></rdf:Description>"
        "</rdf:RDF>"
    )
    assert add_tags(path, ["sea", "sky"]) == ["sea", "sky"]
    own = f"{{{NAMESPACES['rdf']}}}Description/{{{NAMESPACES['dc']}}}subject"
    (subject,) = ElementTree.parse(path).getroot().findall(own)
    assert [item.text for item in subject.iter(f"{{{NAMESPACES['rdf']}}}li")] == ["sea", "sky"]
    assert len(tags_of(path)) == 3 and missing_tags(path, ["sea", "sky"]) == []


def test_comments_and_instructions_stay(tmp_path):
    path = tmp_path / "a.jpg.xmp"
    kept = "<!-- mine --><?adobe-xap-filters esc='CR'?>"
    path.write_text(f"<rdf:RDF {RDF}>{kept}<rdf:Description {DC}/></rdf:RDF>")
    add_tags(path, ["sea"])
    assert kept in path.read_text(encoding="utf-8")


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), min_size=1), unique=True)
)
def test_any_label_comes_back(tmp_path_factory, tags):
    path = tmp_path_factory.mktemp("xmp") / "a.xmp"
    assert add_tags(path, tags) == tags
    assert (tags_of(path) if tags else []) == tags
    assert add_tags(path, tags) == []


def test_a_tag_that_was_taken_out_stays_out(tmp_path):
    path = tmp_path / "a.jpg.xmp"
    add_tags(path, ["sea", "sky"])
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("<rdf:li>sea</rdf:li>", "<rdf:li>mine</rdf:li>", 1))
    assert add_tags(path, ["sea", "sky", "tree"]) == ["tree"]
    assert tags_of(path) == ["mine", "sky", "tree"]
    assert missing_tags(path, ["sea", "mine", "cow"]) == ["cow"]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "can't be read as an XMP sidecar"),
        (b"<rdf", "can't be read as an XMP sidecar"),
        (b"\xff\xfe\x00", "can't be read as an XMP sidecar"),
        (b"<html/>", "is no XMP sidecar"),
        (b'<!DOCTYPE a [<!ENTITY e "e">]><a>&e;</a>', "it declares a document type"),
        (
            f"<rdf:RDF {RDF}><rdf:Description {DC}><dc:subject>sea</dc:subject></rdf:Description>"
            "</rdf:RDF>".encode(),
            "as plain text",
        ),
    ],
)
def test_another_file_stays_as_it_is(tmp_path, content, match):
    path = tmp_path / "a.xmp"
    path.write_bytes(content)
    with pytest.raises(InputError, match=match):
        add_tags(path, ["sea"])
    assert path.read_bytes() == content
