"""Pages of results: those that are committed are what their lines give."""

import gzip
import json

import pytest

from benchmarks import pages, stored
from benchmarks.catalog import CATALOG, Entry
from benchmarks.report.claims import FAILS, HOLDS, NOT_SHOWN, Claim, verdict
from classify.results import ResultFile
from features.errors import InputError

RUN = {"command": "python -m benchmarks tables made-up", "date": "2026-11-26", "seconds": 2.0}


def page(header, lines):
    return f"# {header['title']}\n\n" + "".join(f"- {line['score']}\n" for line in lines)


def claims(header, lines):
    differences = [line["score"] for line in lines]
    return [Claim("Made up", "scores are above 0", verdict(differences), f"{len(lines)} scores")]


def readme(header, lines):
    return f"{len(lines)} lines\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of results with one stored run of one table that the catalog has."""
    functions = {name: f"{__name__}:{name}" for name in ("page", "claims", "readme")}
    monkeypatch.setattr(pages, "load", lambda name: globals()[name.partition(":")[2]])
    entry = Entry("made-up", CATALOG["miml"].command, **functions)
    monkeypatch.setitem(pages.CATALOG, "made-up", entry)
    source = tmp_path / "lines.jsonl"
    header = {"table": "made-up", "title": "Scores"}
    with ResultFile(source, key=("seed",), header=header) as file:
        for seed in range(3):
            file.append({"seed": seed, "score": 0.5 + seed})
        file.finish()
    stored.store(source, "made-up/small", RUN, folder=tmp_path / "results")
    return tmp_path / "results"


def test_committed_pages_are_what_their_lines_give():
    for path, text in pages.render().items():
        committed = (pages.RESULTS / path).read_text(encoding="utf-8")
        assert committed == text, f"{path}: run python -m benchmarks results"


def test_the_readme_holds_what_the_lines_give():
    text = pages.README.read_text(encoding="utf-8")
    assert pages.fill(text) == text, "run python -m benchmarks results"


def test_stored_lines_stay_small():
    files = [path for path in pages.RESULTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 10 * 2**20


def test_a_run_has_its_page_its_place_in_the_index_and_its_claims(folder):
    rendered = pages.render(folder)
    assert set(rendered) == {"made-up/small.md", "claims.md", "index.md"}
    assert rendered["made-up/small.md"].startswith("# Scores\n\n- 0.5\n- 1.5\n- 2.5\n")
    assert RUN["command"] in rendered["made-up/small.md"]
    assert "[small](made-up/small.md)" in rendered["index.md"]
    assert "scores are above 0" in rendered["claims.md"] and HOLDS in rendered["claims.md"]


def test_a_note_stands_on_its_page(folder):
    (folder / "notes").mkdir()
    (folder / "notes" / "made-up-small.md").write_text("A caveat.\n")
    assert "## Notes\n\nA caveat.\n" in pages.render(folder)["made-up/small.md"]


def test_earlier_pages_are_listed_and_left_alone(folder):
    (folder / "earlier").mkdir()
    (folder / "earlier" / "old.md").write_text("# Old\n")
    rendered = pages.render(folder)
    assert "[old](earlier/old.md)" in rendered["index.md"]
    assert "earlier/old.md" not in rendered


def test_large_files_are_compressed_and_equal_lines_give_equal_bytes(folder, monkeypatch):
    plain = folder / "made-up" / "small.jsonl"
    monkeypatch.setattr(stored, "PLAIN", 10)
    first, second = (
        stored.store(plain, f"made-up/{name}", RUN, folder=folder) for name in ("one", "two")
    )
    assert first.name == "one.jsonl.gz" and first.read_bytes() == second.read_bytes()
    assert stored.read_stored(first).lines == stored.read_stored(plain).lines
    assert json.loads(gzip.decompress(first.read_bytes()).splitlines()[0])["run"] == RUN


def test_a_damaged_file_is_named(folder):
    path = folder / "made-up" / "small.jsonl.gz"
    path.write_bytes(b"no gzip")
    with pytest.raises(InputError, match=r"small.jsonl.gz is no gzip file"):
        pages.render(folder)
    path.unlink()
    (folder / "made-up" / "small.jsonl").write_text('{"header": {"table": "none", "key": []}}\n')
    with pytest.raises(InputError, match="The 'table' header field must be one of .* Got 'none'"):
        pages.render(folder)


def test_markers_are_filled(folder):
    text = "a\n<!-- results:made-up/small:begin -->\nold\n<!-- results:made-up/small:end -->\nb\n"
    assert pages.fill(text, folder) == text.replace("old", "3 lines")
    with pytest.raises(
        InputError, match="marker must be one of claims, quickstart, made-up/small. Got 'x'"
    ):
        pages.fill("<!-- results:x:begin --><!-- results:x:end -->", folder)
    with pytest.raises(InputError, match="has no end"):
        pages.fill("<!-- results:claims:begin -->", folder)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([1, 1.1, 0.9], HOLDS),
        ([-1, -1.1, -0.9], FAILS),
        ([1, -1.1, 0.3], NOT_SHOWN),
        ([1], NOT_SHOWN),
        ([1, float("nan")], NOT_SHOWN),
    ],
)
def test_verdicts(differences, expected):
    assert verdict(differences) == expected
