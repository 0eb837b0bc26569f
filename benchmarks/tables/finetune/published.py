"""Published results of networks trained end to end, as printed: data only, never reproduced.

From the co-projection, the IMCL and the ramp-loss WARP papers. Known errors in print are noted.
"""

from typing import NamedTuple


class Quotation(NamedTuple):
    """A printed table.

    Attributes
    ----------
    title : str
    columns : tuple of str
    rows : dict of str to tuple of str
        Method to its numbers as printed; "-" where there is none.
    notes : tuple of str
    """

    title: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()


def _rows(text: str) -> dict[str, tuple[str, ...]]:
    """Read lines of ``method: number number ...``."""
    lines = (line.partition(":") for line in text.strip().splitlines())
    return {name.strip(): tuple(numbers.split()) for name, _, numbers in lines}


_ALL = ("mAP", "F1-C", "P-C", "R-C", "F1-O", "P-O", "R-O")
_TOP3 = ("P-C", "R-C", "F1-C", "P-O", "R-O", "F1-O", "mAP")

QUOTATIONS: tuple[Quotation, ...] = (
    Quotation(
        "Co-projection paper, MS-COCO, score above 0",
        _ALL,
        _rows(
            """
            VGG:              67.8 63.3 72.0 56.4 68.9 76.8 62.4
            Ours (VGG):       72.9 68.8 75.5 63.1 73.3 79.5 67.9
            ResNet101:        75.2 69.5 80.8 63.4 74.4 82.2 68.0
            ResNet-SRN:       77.1 71.2 81.6 65.4 75.8 82.7 69.9
            Ours (ResNet):    81.1 75.8 81.2 70.8 78.1 83.6 73.3
            """
        ),
        (
            "ResNet101 and ResNet-SRN were taken from the SRN paper, whose F1-C is the mean of the "
            "labels' F1; the others' is the harmonic mean of P-C and R-C, some 1.4 points higher.",
        ),
    ),
    Quotation(
        "Co-projection paper, MS-COCO, three labels an image that score above 0",
        ("F1-C", "P-C", "R-C", "F1-O", "P-O", "R-O"),
        _rows(
            """
            WARP:             55.7 59.3 52.5 60.7 59.8 61.4
            CNN-RNN:          60.4 66.0 55.6 67.8 69.2 66.4
            RDAR:             67.4 79.1 58.7 72.0 84.0 63.0
            RARL:             66.2 78.8 57.2 71.1 84.0 61.6
            VGG:              60.4 75.1 50.5 66.4 81.5 66.0
            Ours (VGG):       65.8 80.0 55.9 70.6 85.8 60.0
            ResNet101:        65.9 84.3 57.4 71.7 86.5 61.3
            ResNet-SRN:       67.4 85.2 58.8 72.9 87.4 62.5
            Ours (ResNet):    72.7 86.4 62.9 75.1 88.7 65.1
            """
        ),
        ("VGG's R-O must be 56.0: F1-O 66.4 and P-O 81.5 leave no other.",),
    ),
    Quotation(
        "Co-projection paper, ablations on MS-COCO",
        _ALL,
        _rows(
            """
            ResNet101:        75.2 69.5 80.8 63.4 74.4 82.2 68.0
            TBA:              73.0 68.2 76.9 61.3 73.3 81.4 66.6
            TBC:              75.5 70.7 77.6 65.0 75.1 81.3 69.8
            MSE:              79.2 74.0 81.4 67.8 77.7 85.3 71.2
            CRL (full):       81.1 75.8 81.2 70.8 78.1 83.6 73.3
            """
        ),
    ),
    Quotation(
        "Co-projection paper, PASCAL VOC 2007",
        ("mAP",),
        _rows(
            """
            CNN-SVM:   73.9
            CNN-RNN:   84.0
            RLSD:      88.5
            VeryDeep:  89.7
            FeV+LV:    90.6
            HCP:       90.9
            RDAR:      91.9
            RARL:      92.0
            Ours:      93.8
            """
        ),
        ("The compared methods mix conventions of average precision.",),
    ),
    Quotation(
        "IMCL paper, Open Images, end to end (mean average precision by group of labels)",
        ("G1", "G2", "G3", "G4", "G5", "All"),
        _rows(
            """
            Logistic:                 69.47 70.29 74.79 79.23 85.49 75.85
            Latent Noise (relevance): 69.14 69.93 74.60 78.89 85.37 75.59
            Latent Noise (visual):    69.37 70.41 74.79 79.20 85.51 75.86
            CNN-RNN:                  68.76 69.70 74.18 78.52 84.61 75.16
            LSEP:                     69.49 70.23 74.80 79.18 85.47 75.83
            Fast0Tag:                 69.74 70.65 75.42 79.81 86.06 76.34
            Wsabie:                   69.77 70.87 76.03 80.25 86.04 76.59
            Curriculum Labeling:      70.37 71.32 76.23 80.54 86.81 77.05
            IMCL:                     70.95 72.59 77.64 81.83 87.34 78.07
            """
        ),
    ),
    Quotation(
        "Ramp-loss WARP paper, NUS-WIDE (81 labels), exactly three labels an image",
        _TOP3,
        _rows(
            """
            RML-CNN:                 44.3 54.8 45.3 55.7 69.0 61.7 57.4
            WARP (same net):         40.2 51.8 42.2 53.9 66.7 59.7 48.5
            Softmax (quoted there):  31.7 31.2 31.4 47.8 59.5 53.0 -
            WARP (quoted there):     31.7 35.6 33.5 48.6 60.5 53.9 -
            CNN+RNN:                 40.5 30.4 34.7 49.9 61.7 55.2 -
            RLSD:                    44.4 49.6 46.9 54.4 67.6 60.3 54.1
            ResNet-101 (SRN paper):  46.4 55.3 47.0 55.9 69.2 61.8 60.1
            CNN+RMLC:                48.2 56.0 48.8 55.9 69.0 61.8 58.8
            """
        ),
    ),
    Quotation(
        "Ramp-loss WARP paper, MS-COCO, exactly three labels an image",
        _TOP3,
        _rows(
            """
            RML-CNN:              62.4 61.1 59.8 62.8 65.4 64.1 71.5
            WARP (same net):      60.7 59.8 58.5 61.5 64.1 62.8 63.2
            WARP (quoted there):  59.3 52.5 55.7 59.8 61.4 60.7 -
            CNN+RNN:              66.0 55.6 60.4 69.2 66.4 67.8 -
            RLSD:                 67.7 56.4 61.5 70.5 59.9 64.8 67.4
            ResNet-101 BCE:       65.3 62.6 61.3 64.1 66.8 65.4 75.2
            CNN+RMLC:             64.9 62.0 61.5 64.1 66.8 65.5 75.2
            """
        ),
        ("CNN+RNN and RLSD imply 3.1 and 3.5 labels an image: another protocol.",),
    ),
    Quotation(
        "Ramp-loss WARP paper, accuracy with one label an image",
        ("CIFAR-10", "STL-10"),
        _rows(
            """
            RML-CNN (ILSVRC):     89.24±0.3 91.11±0.3
            SS-RML-CNN (ILSVRC):  91.46±0.2 94.1±0.2
            WARP (ILSVRC):        85.41±0.4 85.63±0.6
            Softmax (ILSVRC):     89.32±0.4 91.34±0.3
            RML-CNN (random):     52.37±2.4 40.00±0.9
            SS-RML-CNN (random):  58.86±1.7 44.25±0.8
            WARP (random):        50.52±0.5 39.15±0.7
            Softmax (random):     51.46±1.1 39.27±1.7
            """
        ),
    ),
)
