"""`extract --list`: what there is, and of a few networks what they store and cost."""

import pytest

from extract.__main__ import main
from extract.backbones.listing import listing
from features.errors import InputError


def rows_of(text):
    """Split a table at two blanks or more."""
    return [
        [cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.split("\n")
    ]


def test_without_a_word_the_papers_networks_and_the_way_on():
    headings, *rows = rows_of(listing())
    found = {row[0]: dict(zip(headings, row, strict=False)) for row in rows}
    vgg = found["vgg16"]
    assert vgg["width"] == "9984" and vgg["input"] == "224" and vgg["parameters"] == "138.36 M"
    assert float(vgg["GFLOP"]) == pytest.approx(30.94, abs=0.02)  # 2 x 15.47 G of torchvision
    assert found["resnet50-caffe"]["license"] == "MIT"
    assert any(row[0].startswith("torchvision/NAME: 8") for row in rows)


def test_a_word_of_one_network_lists_all_that_can_be_stored():
    text = listing("torchvision/squeezenet1_1")
    row = rows_of(text)[1]
    assert row[0] == "torchvision/squeezenet1_1" and row[1] == "gap gmp (map)"
    assert row[2:] == ["1024", "224", "0.70", "1.24 M", "not stated"]
    assert "features.6/quadrants|gap|gmp|map  256 x 27 x 27" in text
    assert "center, bilinear to 256, 224" in text


def test_a_word_of_many_lists_names_and_a_word_of_none_is_one_line():
    lines = listing("regnet_").split("\n")
    assert "torchvision/regnet_y_400mf" in lines and "networks; a word that fits" in lines[-1]
    with pytest.raises(InputError, match="No network has 'sqeezenet' in its name.*squeezenet"):
        listing("sqeezenet")


def test_timms_networks_have_licenses_and_are_found_without_a_tag():
    pytest.importorskip("timm", reason="the extra `timm` is not installed")
    text = listing("timm/test_vit")
    row = rows_of(text)[1]
    assert row[0] == "timm/test_vit" and row[1].startswith("cls mean (map pooled output)")
    assert row[3] == "160" and row[-1] == "apache-2.0"
    assert "block2/mean|cls|map  101 x 64" in text
    assert "pictures of 1024 x 768 x 3" in listing("vit_base_patch16_sapiens2")


def test_the_option_prints_and_ends(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--list", "torchvision/alexnet"])
    assert left.value.code == 0
    assert "torchvision/alexnet" in capsys.readouterr().out
