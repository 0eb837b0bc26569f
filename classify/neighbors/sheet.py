"""A contact sheet of neighbors: one page with the pictures side by side, by the report's markup."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from classify.report.page import Card, Cards, Section, Tag, write_page, written_by
from classify.report.pictures import Thumbnails, thumbnail
from features.cache import FeatureCache
from features.errors import needs_extra
from features.labels import some_of

if TYPE_CHECKING:
    from classify.neighbors.command import Neighbor, Question

GENERATOR = "multilabel neighbors"
is_ours = written_by(GENERATOR)


def require_libraries() -> None:
    """Refuse at the start what would fail after the search.

    Raises
    ------
    InputError
        jinja2 is missing.
    """
    with needs_extra("plots", "The page"):
        import jinja2  # noqa: F401


def write_sheet(
    path: Path,
    cache: FeatureCache,
    questions: Sequence["Question"],
    found: Sequence["Neighbor"],
    data: Path | None,
) -> None:
    """Write the page, all or nothing.

    Parameters
    ----------
    path : Path
    cache : FeatureCache
        Where the neighbors are.
    questions : sequence of Question
    found : sequence of Neighbor
        Question by question, equally many each.
    data : Path or None
        The folder of the cache's pictures; without it only files that are asked about are shown.
    """
    pictures = Thumbnails(data)
    sections, each = [], len(found) // len(questions)
    for number, question in enumerate(questions):
        if question.is_text:
            asked = Card(question.name, "", "asked about", (), none="")
        elif question.path is None:
            asked = _card(cache, pictures, question.row, "asked about")
        else:
            asked = Card(question.name, thumbnail(question.path), "asked about", (), none="")
        answers = [
            _card(cache, pictures, one.row, f"{one.rank}. cosine {one.cosine:.3f}")
            for one in found[number * each : (number + 1) * each]
        ]
        cards = Cards([asked, *answers])
        sections.append(Section(f"question-{number + 1}", question.name, [cards]))
    missing = pictures.missing
    note = f"{some_of(missing)} pictures are not under {data}, or can't be read there."
    write_page(
        path,
        title=f"Neighbors in {cache.folder.name}",
        lead=f"The nearest of {len(cache.valid_rows):,} images, by the mean of their layers' "
        "cosines, with the labels that they have.",
        note=note if missing else "",
        sections=sections,
        generator=GENERATOR,
    )


def _card(cache: FeatureCache, pictures: Thumbnails, row: int, words: str) -> Card:
    present = () if cache.labels is None else (cache.labels[row] == 1).nonzero()[0]
    tags = [Tag("given", cache.label_names[label], "") for label in present]
    return Card(cache.ids[row], pictures.of(cache.index[row]), words, tags, none="")
