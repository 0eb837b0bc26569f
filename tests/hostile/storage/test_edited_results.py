"""Results that people correct with their own tools: never overwritten by the next run."""

import errno
import json
import os
import shutil

import numpy as np
import pytest

from benchmarks.quickstart import quickstart
from benchmarks.speed.record import Record
from benchmarks.tables.experiment import open_folder, write_page
from classify.audit.command import audit
from classify.neighbors.command import neighbors
from classify.predictions import predict
from classify.report.command import report
from classify.report.page import write_page as write_report
from classify.results import ResultFile, read_results
from classify.suggest.command import suggest
from classify.tag.command import tag
from classify.training import fit
from features.commands.export import export
from features.errors import InputError
from features.files.unchanged import ATTRIBUTE, is_marked, rewrite_text
from tests.hostile.conftest import PICTURES

CHANGED = "was changed since it was written, so it is left as it is. Give another name, or move"
UNTOLD = "is not what would be written now and carries no checksum of this program"


def refused(match, function, *arguments, **options):
    with pytest.raises(InputError, match=match) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def made(trained):
    """The cache, the model, and another model; tags share a cache."""
    shutil.copytree(trained / "made.cache", trained / "tags.cache")
    (trained / "tags.cache" / "labels.csv").unlink()
    fit(
        trained / "made.cache",
        trained / "other",
        learner="l2",
        C=9.0,
        thresholds="f1",
        folds=2,
        jobs=1,
    )
    return trained


def predicted(made, out, more):
    predict(made / ("other" if more else "model"), made / "made.cache", out)


def suggested(made, out, more):
    suggest(made / "made.cache", model=made / "model", count=4 + more, all=True, out=out)


def found(made, out, more):
    neighbors(made / "made.cache", row=[0], count=3 + more, out=out)


def audited(made, out, more):
    audit(made / "made.cache", model=made / "model", count=3 + more, folds=2, jobs=1, out=out)


def exported(made, out, more):
    cache = made / "made.cache"
    export(cache, out, layers=["tiny/gap"] if more else None)


def tagged(form):
    def write(made, out, more):
        model = made / ("other" if more else "model")
        tag(
            made / "data", model=model, out=out, format=form, weights="random:0",
            cache=made / "tags.cache", workers=1,
        )  # fmt: skip

    return write


WRITERS = {
    "predictions.csv": predicted,
    "predictions.jsonl": predicted,
    "suggestions.csv": suggested,
    "neighbors.csv": found,
    "sheet.html": found,
    "findings.jsonl": audited,
    "wide.csv": tagged("wide"),
    "long.csv": tagged("long"),
    "tags.jsonl": tagged("jsonl"),
    "export.npz": exported,
}


def saved_in_place(path, content):
    path.write_bytes(content)


def saved_anew(path, content):
    aside = path.with_name("editor.tmp")
    aside.write_bytes(content)
    os.replace(aside, path)


def edited_from(content):
    return content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]


@pytest.fixture
def attributes(tmp_path):
    try:
        os.setxattr(tmp_path, ATTRIBUTE, b"")
    except (OSError, AttributeError):
        pytest.skip("this file system keeps no attributes")


@pytest.fixture
def no_attributes(monkeypatch):
    """A file system that keeps none."""

    def refuse(*arguments):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(os, "setxattr", refuse)


@pytest.mark.parametrize("name", WRITERS)
def test_a_result_is_replaced_until_someone_changes_it(made, tmp_path, name):
    out, write = tmp_path / name, WRITERS[name]
    for more in (0, 0, 1):
        write(made, out, more)
    whole = out.read_bytes()
    edited = edited_from(whole)
    for save, message in (
        (saved_in_place, CHANGED),
        (saved_anew, f"{UNTOLD}|{CHANGED}|{name} exists"),
    ):
        save(out, edited)
        refused(message, write, made, out, 0)
        assert out.read_bytes() == edited and not list(tmp_path.glob("*.part"))
        saved_in_place(out, whole)  # taken back


@pytest.mark.parametrize("name", ["predictions.csv", "wide.csv"])
def test_it_is_so_where_no_attributes_are_kept(made, tmp_path, name, no_attributes):
    out, write = tmp_path / name, WRITERS[name]
    for more in (0, 0, 1, 0):
        write(made, out, more)
    whole = out.read_bytes()
    for save in (saved_in_place, saved_anew):
        save(out, edited_from(whole))
        refused(CHANGED, write, made, out, 0)
        assert out.read_bytes() == edited_from(whole)
        assert sorted(os.listdir(tmp_path)) == [f".{name}.sha256", name]
    saved_anew(out, whole)
    write(made, out, 1)


@pytest.mark.parametrize("content", ["mine", f"{'a' * 64} p.csv\n", ""])
def test_checksums_that_someone_else_made_stay(made, tmp_path, no_attributes, content):
    out, beside = tmp_path / "p.csv", tmp_path / ".p.csv.sha256"
    beside.write_text(content)
    for _ in range(2):
        predicted(made, out, 0)
    refused(UNTOLD, predicted, made, out, 1)
    assert beside.read_text() == content
    beside.unlink()
    os.mkfifo(beside)
    predicted(made, out, 0)


@pytest.mark.parametrize("name", ["suggestions.csv", "export.npz"])
def test_a_copy_is_replaced_by_its_like_alone(made, tmp_path, name, attributes):
    """So is what an earlier version wrote: neither carries a checksum."""
    out, write = tmp_path / name, WRITERS[name]
    write(made, out, 0)
    whole = out.read_bytes()
    saved_anew(out, whole)
    assert not is_marked(out)
    aside = out.with_stem(f"{out.stem}-1")
    for _ in range(2):
        refused(f"{UNTOLD}.* What was to be written is in .*{aside.name}", write, made, out, 1)
    assert out.read_bytes() == whole
    write(made, tmp_path / f"other{out.suffix}", 1)
    assert aside.read_bytes() == (tmp_path / f"other{out.suffix}").read_bytes()
    assert not out.with_stem(f"{out.stem}-2").exists()
    write(made, out, 0)
    assert is_marked(out) and out.read_bytes() == whole


def test_a_system_without_attributes(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "setxattr")
    monkeypatch.delattr(os, "getxattr")
    for text in ("one", "two"):
        rewrite_text(tmp_path / "a", text)
    (tmp_path / "a").write_text("mine")
    refused(CHANGED, rewrite_text, tmp_path / "a", "two")
    long = tmp_path / ("n" * 250)  # no name is left for what would stand beside
    for _ in range(2):
        rewrite_text(long, "one")
    refused(UNTOLD, rewrite_text, long, "two")


def test_a_decision_that_is_corrected_while_the_command_runs_stays(made, tmp_path, monkeypatch):
    out = tmp_path / "p.csv"
    predicted(made, out, 0)
    corrected = out.read_text().replace(",1\n", ",0\n", 1)

    def scores(self, features):
        out.write_text(corrected)
        yield np.arange(PICTURES), np.zeros((PICTURES, 2))

    monkeypatch.setattr("classify.models.TaggerModel.predict", scores)
    refused(CHANGED, predicted, made, out, 0)
    assert out.read_text() == corrected


def test_a_renamed_file_is_known_and_a_link_leads_to_it(made, tmp_path, attributes):
    predicted(made, tmp_path / "a.csv", 0)
    (tmp_path / "a.csv").rename(tmp_path / "b.csv")
    predicted(made, tmp_path / "b.csv", 1)
    (tmp_path / "link.csv").symlink_to("b.csv")
    predicted(made, tmp_path / "link.csv", 0)
    assert (tmp_path / "link.csv").is_symlink()
    with open(tmp_path / "b.csv", "a") as file:
        file.write("mine.jpg,cat,1.0,,1\n")
    refused(CHANGED, predicted, made, tmp_path / "link.csv", 0)


def test_labels_that_were_corrected_in_an_export_stay(made, tmp_path):
    out = tmp_path / "e.npz"
    export(made / "made.cache", out)
    arrays = dict(np.load(out))
    arrays["labels"] = 1 - arrays["labels"]
    np.savez(out, **arrays)  # it has all that an export has
    refused(CHANGED, export, made / "made.cache", out)
    assert np.array_equal(np.load(out)["labels"], arrays["labels"])


def test_a_report_with_remarks_stays(made, tmp_path):
    out = tmp_path / "report.html"
    write_report(out, title="R", lead="", note="", sections=[])
    saved_in_place(out, out.read_bytes().replace(b"</body>", b"<p>My remark.</p></body>"))
    remarked = out.read_bytes()
    refused(CHANGED, report, [made / "sweep.jsonl"], cache=made / "made.cache", out=out)
    assert b"My remark" in remarked and out.read_bytes() == remarked


def test_the_page_of_a_quickstart_with_remarks_stays(tmp_path):
    rewrite_text(tmp_path / "index.html", "<!doctype html>")
    saved_in_place(tmp_path / "index.html", b"<!doctype html><p>My remark.</p>")
    refused(f"index.html {CHANGED}", quickstart, tmp_path)
    assert not (tmp_path / "pictures").exists()


def test_pages_and_lines_of_tables_that_were_changed_stay(tmp_path):
    (tmp_path / "t.jsonl").touch()
    for text in ("# A\n", "# B\n"):
        write_page(open_folder(tmp_path, "t.jsonl", "t.md") / "t.md", text)
    with open(tmp_path / "t.md", "a") as file:
        file.write("My remark.\n")
    refused(f"t.md {CHANGED}", open_folder, tmp_path, "t.jsonl", "t.md")
    assert (tmp_path / "t.md").read_text() == "# B\nMy remark.\n"


@pytest.mark.parametrize("name", ["s.md", "s.jsonl"])
def test_a_measurement_that_was_changed_stays(tmp_path, name, attributes):
    def record():
        return Record("speed warp", lambda header, lines: "# Page\n", tmp_path / "s.md", {})

    for _ in range(2):
        one = record()
        one.add("part", [{"what": "x", "seconds": 1.0}])
        one.finish()
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content + b"\n")
    refused(f"{name} {CHANGED}", record)
    saved_anew(tmp_path / name, content)  # times never come again, so it is told at once
    refused(f"{name} {UNTOLD}", record)
    assert (tmp_path / name).read_bytes() == content


def test_what_stands_beside_the_header_of_results_stays(tmp_path):
    given = {"key": ("C",), "header": {"seed": 0}}
    with ResultFile(tmp_path / "r.jsonl", **given) as results:
        results.append({"C": 1})
        results.finish()
    first, rest = (tmp_path / "r.jsonl").read_text().split("\n", 1)
    first = json.dumps({**json.loads(first), "note": "on the old machine"})
    (tmp_path / "r.jsonl").write_text(f"{first}\n{rest}")
    with ResultFile(tmp_path / "r.jsonl", **given) as results:
        results.append({"C": 2})
        results.finish()
    assert (tmp_path / "r.jsonl").read_text().startswith(first)
    assert [line["C"] for line in read_results(tmp_path / "r.jsonl")[1]] == [1, 2]


@pytest.mark.parametrize("keeps", [True, False], ids=["attributes", "none"])
def test_a_kill_leaves_a_file_that_may_be_replaced(tmp_path, monkeypatch, request, keeps):
    if not keeps:
        request.getfixturevalue("no_attributes")
    path, replace = tmp_path / "a", os.replace
    rewrite_text(path, "old")

    def killed_before(*names):
        if names[1] == path:
            raise KeyboardInterrupt
        replace(*names)

    def killed_after(*names):
        replace(*names)
        if names[1] == path:
            raise KeyboardInterrupt

    for number, kill in enumerate((killed_before, killed_after)):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(os, "replace", kill)
            rewrite_text(path, f"{number}")
        assert path.read_text() == ("old" if kill is killed_before else "1")
    rewrite_text(path, "new")
    assert path.read_text() == "new"
