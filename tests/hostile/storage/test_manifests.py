"""Manifests that were edited: one line that names the place, what stands there, and what may."""

import json
import re
import shutil

import pytest

from features import schema
from features.cache import FeatureCache
from features.checks.json_files import parse_json, schema_fault
from features.checks.manifests import MANIFEST_SCHEMA
from features.commands.verify import find_faults
from features.errors import InputError
from features.manifest import canonical, read_manifest, write_or_check


def put(*path, value):
    """Put a value at a place of the manifest."""

    def edit(manifest):
        *above, last = path
        for key in above:
            manifest = manifest[key]
        manifest[last] = value

    return edit


def drop(*path):
    def edit(manifest):
        *above, last = path
        for key in above:
            manifest = manifest[key]
        del manifest[last]

    return edit


def renamed(old, new):
    """Give a layer another name, in both places."""

    def edit(manifest):
        manifest["layers"][new] = manifest["layers"].pop(old)
        manifest["layer_order"] = [new if one == old else one for one in manifest["layer_order"]]

    return edit


FC, ROWS = ("layers", "net/fc"), ("index", "rows")
NAME = "can't be the name of a layer"

EDITS = {
    "no schema": (drop("schema"), "the whole lacks schema"),
    "no layers": (drop("layers"), "the whole lacks layers"),
    "no order": (drop("layer_order"), "the whole lacks layer_order"),
    "no rows of shards": (drop("shard_rows"), "the whole lacks shard_rows"),
    "no index": (drop("index"), "the whole lacks index"),
    "no rows": (drop(*ROWS), "index lacks rows"),
    "no shape": (drop(*FC, "shape"), "layers.net/fc lacks shape"),
    "no layout": (drop(*FC, "layout"), "layers.net/fc lacks layout"),
    "version as text": (put("schema", value="1"), 'schema is "1"; it must be of type integer'),
    "version true": (put("schema", value=True), "schema is true; it must be of type integer"),
    "version none": (put("schema", value=None), "schema is null; it must be of type integer"),
    "version 0": (put("schema", value=0), "schema is 0; it must be 1 or more"),
    "another version": (put("schema", value=2), "layout version 2, this library reads 1"),
    "layers as a list": (put("layers", value=[]), r"layers is \[\]; it must be of type object"),
    "no layer": (put("layers", value={}), "layers is {}; it must have 1 or more entries"),
    "layer as null": (put(*FC, value=None), "layers.net/fc is null; it must be of type object"),
    "shape as a number": (put(*FC, "shape", value=3), "shape is 3; it must be of type array"),
    "shape empty": (put(*FC, "shape", value=[]), r"shape is \[\]; it must have 1 or more"),
    "shape of two": (put(*FC, "shape", value=[3, 3]), "shape has two entries; a vector has one"),
    "shape of four": (put(*FC, "shape", value=[1] * 4), "it must have at most 3 entries"),
    "shape negative": (put(*FC, "shape", value=[-3]), "shape.0 is -3; it must be 1 or more"),
    "shape 0": (put(*FC, "shape", value=[0]), "shape.0 is 0; it must be 1 or more"),
    "shape huge": (put(*FC, "shape", value=[10**20]), "it must be 2147483647 or less"),
    "shape with a point": (put(*FC, "shape", value=[3.0]), "is 3.0; it must be of type integer"),
    "dtype int8": (put(*FC, "dtype", value="int8"), 'is "int8"; it must be one of float32, fl'),
    "dtype object": (put(*FC, "dtype", value={}), "dtype is {}; it must be one of float32"),
    "layout a number": (put(*FC, "layout", value=7), "layout is 7; it must be of type string"),
    "order as text": (put("layer_order", value="net/fc"), "it must be of type array"),
    "order empty": (put("layer_order", value=[]), "it must have 1 or more entries"),
    "order with one twice": (
        put("layer_order", value=["net/fc", "net/fc"]), "it must have no entry twice",
    ),
    "order with another": (
        put("layer_order", value=["net/pool", "net/fc", "net/map", "net/x"]),
        "must name the same layers; only one of them names 'net/x'",
    ),
    "order without one": (put("layer_order", value=["net/fc", "net/map"]), "names 'net/pool'"),
    "rows 0": (put(*ROWS, value=0), "index.rows is 0; it must be 1 or more"),
    "rows negative": (put(*ROWS, value=-23), "index.rows is -23; it must be 1 or more"),
    "rows as text": (put(*ROWS, value="23"), 'index.rows is "23"; it must be of type integer'),
    "rows huge": (put(*ROWS, value=10**15), "index.rows is 1000000000000000; it must be 214"),
    "rows true": (put(*ROWS, value=True), "index.rows is true; it must be of type integer"),
    "index a list": (put("index", value=[23]), r"index is \[23\]; it must be of type object"),
    "hash short": (put("index", "sha256", value="ab"), 'index.sha256 is "ab"; it must match'),
    "hash a number": (put("index", "sha256", value=1), "index.sha256 is 1; it must be of type s"),
    "shards of 0 rows": (put("shard_rows", value=0), "shard_rows is 0; it must be 1 or more"),
    "shards of 8.5 rows": (put("shard_rows", value=8.5), "8.5; it must be of type integer"),
    "versions a text": (put("versions", value="2.4"), '"2.4"; it must be of type object'),
    "path traversal": (renamed("net/fc", "../fc"), f"'../fc' {NAME}"),
    "absolute name": (renamed("net/fc", "/etc"), f"'/etc' {NAME}"),
    "name with a dot": (renamed("net/fc", "net/./fc"), f"'net/./fc' {NAME}"),
    "name of row numbers": (renamed("net/fc", "row"), f"'row' {NAME}"),
    "name with a zero byte": (renamed("net/fc", "a\0b"), NAME),
    "name with a line end": (renamed("net/fc", "a\nb"), NAME),
    "empty name": (renamed("net/fc", ""), "it must have 1 or more characters"),
    "long name": (renamed("net/fc", "n" * 300), "it must have at most 200 characters"),
    "layer in a layer": (renamed("net/fc", "net/pool/x"), "is a layer and also the folder of"),
}  # fmt: skip


def one_line(path, read):
    with pytest.raises(InputError) as caught:
        read()
    text = str(caught.value)
    assert str(path) in text and "\n" not in text and len(text) < 600
    return text


@pytest.mark.parametrize(("edit", "message"), EDITS.values(), ids=EDITS)
def test_an_edited_manifest_is_one_line(sound, tmp_path, edit, message):
    manifest = read_manifest(sound)
    edit(manifest)
    path = tmp_path / schema.MANIFEST
    path.write_text(json.dumps(manifest), "utf-8")
    for read in (lambda: FeatureCache(tmp_path), lambda: list(find_faults(tmp_path))):
        text = one_line(path, read)
        assert re.search(message, text), text
        assert "Restore the file" in text or "Use the library version" in text


def text_of(sound):
    return (sound / schema.MANIFEST).read_bytes()


TEXTS = {
    "empty": (lambda text: b"", "it is empty"),
    "blank": (lambda text: b" \n\n", "it is empty"),
    "zeros": (lambda text: bytes(100), "it is empty"),
    "truncated": (lambda text: text[: len(text) // 2], "it is not JSON"),
    "one byte short": (lambda text: text.rstrip()[:-1], "it is not JSON"),
    "two of them": (lambda text: text + text, r"it is not JSON \(Extra data"),
    "a comment": (lambda text: b"// ours\n" + text, "it is not JSON"),
    "a comma too many": (lambda text: text.replace(b"[", b"[,", 1), "it is not JSON"),
    "single quotes": (lambda text: text.replace(b'"', b"'"), "it is not JSON"),
    "UTF-16": (lambda text: text.decode().encode("utf-16"), "it is UTF-16 or UTF-32"),
    "UTF-16 without a mark": (lambda text: text.decode().encode("utf-16-le"), "it is UTF-16"),
    "UTF-32": (lambda text: text.decode().encode("utf-32"), "it is UTF-16 or UTF-32"),
    "latin-1": (lambda text: text.replace(b"plain", "plän".encode("latin-1")), "it is not UTF-8"),
    "half a pair": (lambda text: text.replace(b"plain", b"\\ud800"), "it is not UTF-8"),
    "NaN": (lambda text: text.replace(b": 8\n", b": NaN\n"), "NaN stands in it; numbers must be f"),
    "Infinity": (lambda text: text.replace(b": 8\n", b": -Infinity\n"), "-Infinity stands in it"),
    "1e999": (lambda text: text.replace(b": 8\n", b": 1e999\n"), "1e999 stands in it"),
    "5000 digits": (
        lambda text: text.replace(b": 8\n", b": " + b"9" * 5000 + b"\n"), "5000 digits",
    ),
    "a key twice": (lambda text: text.replace(b"{", b'{"schema": 1,', 1), "'schema' stands in it"),
    "a layer twice": (
        lambda text: text.replace(b'"net/fc": {', b'"net/fc": {}, "net/fc": {'),
        "the key 'net/fc' stands in it twice",
    ),
    "a list": (lambda text: b"[" + text + b"]", "it must be of type object"),
    "a number": (lambda text: b"7", "the whole is 7; it must be of type object"),
    "null": (lambda text: b"null", "the whole is null; it must be of type object"),
    "deep": (lambda text: b"[" * 100_000, "it is nested too deeply"),
    "deep objects": (lambda text: b'{"a":' * 100_000, "it is nested too deeply"),
    "a web app": (lambda text: b'{"name": "App", "icons": []}', "the whole lacks schema"),
    "a page": (lambda text: b"<!DOCTYPE html><html></html>", "it is not JSON"),
    "a pointer of Git LFS": (
        lambda text: b"version https://git-lfs.github.com/spec/v1\n", "it is not JSON",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), TEXTS.values(), ids=TEXTS)
def test_a_text_that_is_no_manifest_is_one_line(sound, tmp_path, change, message):
    path = tmp_path / schema.MANIFEST
    content = change(text_of(sound))
    assert content != text_of(sound)
    path.write_bytes(content)
    text = one_line(path, lambda: read_manifest(tmp_path))
    assert "can't be read as a manifest: " in text and "Restore the file" in text
    assert re.search(message, text), text
    with pytest.raises(InputError):
        write_or_check(tmp_path, read_manifest(sound))
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: json.dumps(json.loads(text)).encode(),
    ],
    ids=["mark", "line ends", "one line"],
)
def test_what_an_editor_does_to_the_text_changes_nothing(sound, tmp_path, change):
    (tmp_path / schema.MANIFEST).write_bytes(change(text_of(sound)))
    assert FeatureCache(tmp_path).manifest_hash == FeatureCache(sound).manifest_hash


def test_a_sound_edit_is_refused_with_the_shards(sound, tmp_path):
    """Every value is part of the hash that the shards name."""

    for edit in (
        put("engine", value="compile"),
        put("more", value={"nested": [1, None]}),
        put("index", "sha256", value="0" * 64),
        put("shard_rows", value=7),
        put(*ROWS, value=24),
        put("layer_order", value=["net/fc", "net/pool", "net/map"]),
    ):
        shutil.rmtree(tmp_path)
        shutil.copytree(sound, tmp_path)
        manifest = read_manifest(sound)
        edit(manifest)
        (tmp_path / schema.MANIFEST).write_text(canonical(manifest), "utf-8")
        with pytest.raises(InputError, match="belongs to a run with another manifest"):
            FeatureCache(tmp_path).read()
        (fault,) = find_faults(tmp_path)
        assert "no shard was made with this manifest" in fault


def test_a_manifest_that_is_too_large_is_not_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr("features.checks.json_files.LARGEST", 1 << 20)
    path = tmp_path / schema.MANIFEST
    path.write_bytes(b" " * (1 << 20) + b"{}")
    assert "it has more than 1 MiB" in one_line(path, lambda: read_manifest(tmp_path))


def test_the_schema_is_one_and_fits_a_sound_manifest(sound):
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(MANIFEST_SCHEMA)
    assert schema_fault(read_manifest(sound), MANIFEST_SCHEMA) == ""
    assert parse_json(text_of(sound), MANIFEST_SCHEMA) == read_manifest(sound)
