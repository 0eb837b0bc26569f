"""Published numbers of the ramp-loss WARP paper, as printed: data only, quoted."""

from benchmarks.report.statistics import Quoted
from classify.metrics import AVERAGES

#: Columns of the paper's tables.
_TOP3 = (
    *(f"top3_{average}" for average in AVERAGES if average != "f1_macro_harmonic"),
    "map_voc12",
)


def _top3(lines: dict[str, str]) -> dict[str, dict[str, float | None]]:
    """Turn lines of per cents, a method each, ``-`` where none is printed, to shares."""
    rows = {}
    for method, line in lines.items():
        shares = [None if text == "-" else round(float(text) / 100, 4) for text in line.split()]
        rows[method] = dict(zip(_TOP3, shares, strict=True))
    return rows


#: Tables of the ramp-loss WARP paper at exactly three labels an image, by data set. Its networks
#: were fine-tuned on these sets; CNN+RMLC alone is trained on fixed features. Rows of methods that
#: it quotes from papers of another protocol are left out.
# fmt: off
RML_TABLES: dict[str, dict[str, dict[str, float | None]]] = {
    "NUS-WIDE": _top3(
        {
            "CNN+RMLC":       "48.2 56.0 48.8  55.9 69.0 61.8  58.8",
            "RML-CNN":        "44.3 54.8 45.3  55.7 69.0 61.7  57.4",
            "WARP":           "40.2 51.8 42.2  53.9 66.7 59.7  48.5",
            "Softmax":        "31.7 31.2 31.4  47.8 59.5 53.0  -",
            "ResNet-101 BCE": "46.4 55.3 47.0  55.9 69.2 61.8  60.1",
        }
    ),
    "COCO": _top3(
        {
            "CNN+RMLC":       "64.9 62.0 61.5  64.1 66.8 65.5  75.2",
            "RML-CNN":        "62.4 61.1 59.8  62.8 65.4 64.1  71.5",
            "WARP":           "60.7 59.8 58.5  61.5 64.1 62.8  63.2",
            "ResNet-101 BCE": "65.3 62.6 61.3  64.1 66.8 65.4  75.2",
        }
    ),
}


# fmt: on
RML_NOTES = (
    "Softmax's F1-C on NUS-WIDE, 31.4, is the harmonic mean of its P-C and R-C, a quoted row; the "
    "others are means of the labels' F1.",
    "mAP is the area under the monotone envelope (voc12).",
)


#: Accuracy in per cent with 4,000 (CIFAR-10) and 1,000 (STL-10) labeled images, networks
#: initialized on ImageNet, from the same paper: mean and standard deviation.
RML_SEMI_SUPERVISED: dict[str, dict[str, Quoted]] = {
    "RML-CNN": {"CIFAR-10": Quoted(89.24, 0.3), "STL-10": Quoted(91.11, 0.3)},
    "SS-RML-CNN": {"CIFAR-10": Quoted(91.46, 0.2), "STL-10": Quoted(94.1, 0.2)},
    "WARP": {"CIFAR-10": Quoted(85.41, 0.4), "STL-10": Quoted(85.63, 0.6)},
    "Softmax": {"CIFAR-10": Quoted(89.32, 0.4), "STL-10": Quoted(91.34, 0.3)},
}
