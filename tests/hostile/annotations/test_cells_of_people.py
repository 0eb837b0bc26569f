"""Cells and names as people and their tools write them: read, or refused with a reason."""

import time

import pytest

from features.annotations.catalog import AUTO, find_format
from features.command_line.messages import describe
from features.errors import InputError
from features.inputs.label_values import label_value
from tests.annotation_samples import write_files

CELLS = {
    1: ["✓", "✔", "☑", "✅", "pos", "SANT", "Sand", "TOSI", "IGAZ", "DOĞRU", "ИСТИНА",
        "ja", "Oui", "sí", "sim", "sì", "tak"],
    0: ["☐", "✗", "✘", "❌", "neg", "FALSKT", "usann", "EPÄTOSI", "HAMIS", "YANLIŞ", "ЛОЖЬ",
        "nein", "Non", "não", "nee", "nie"],
    -1: ["\\N", "#N/A", "#NV", ".", "(null)", "<NULL>", "missing", "NaT", "n.a."],
}  # fmt: skip


@pytest.mark.parametrize("value", CELLS)
def test_marks_words_of_spreadsheets_and_missing_values(value):
    assert {text: label_value(text) for text in CELLS[value]} == dict.fromkeys(CELLS[value], value)


@pytest.mark.parametrize("text", ["x", "-", "+", "#REF!", "100%", "2", "xx", "…"])
def test_what_could_mean_two_things_is_refused(text):
    with pytest.raises(InputError, match="a label must be 1, 0, -1 or empty"):
        label_value(text)


def read(folder, text, pictures=("a.jpg", "b.jpg", "c.jpg"), name="given.csv"):
    """Read a file of labels: names of labels to the row of each, and the notes."""
    write_files(folder, {name: text, **{f"images/{one}": one for one in pictures}})
    source = folder / name
    found = find_format(AUTO, source).read(source, folder / "images")
    columns = dict(zip(found.label_names, found.labels.T.tolist(), strict=True))
    return columns, found.ids, "\n".join(found.notes)


TAGS = {
    "tables of indicators": (
        'image,labels\na.jpg,"[1, 0, 1]"\nb.jpg,"[0, 0, 1]"\nc.jpg,"[0, 0, 0]"\n',
        {"0": [1, 0, 0], "1": [0, 0, 0], "2": [1, 1, 0]},
        "lists of 3 zeros and ones; a label's name is its place, from 0",
    ),
    "indicators of numpy": (
        "image,labels\na.jpg,[1. 1.]\nb.jpg,[0. 1.]\nc.jpg,[1. 0.]\n",
        {"0": [1, 0, 1], "1": [1, 1, 0]},
        "lists of 2 zeros and ones",
    ),
    "objects of flags": (
        'image,labels\na.jpg,"{""cat"": true, ""dog"": false}"\nb.jpg,"{""cat"": 0, ""dog"": 1}"\n'
        'c.jpg,"{""cat"": false}"\n',
        {"cat": [1, 0, 0], "dog": [0, 1, 0]},
        "",
    ),
    "full-width commas": (
        "image,tags\na.jpg,猫\uff0c狗\nb.jpg,猫\nc.jpg,狗\n",
        {"狗": [1, 0, 1], "猫": [1, 1, 0]},
        "separated by full-width commas",
    ),
    "ideographic commas": (
        "image,tags\na.jpg,猫\u3001狗\nb.jpg,猫\nc.jpg,狗\n",
        {"狗": [1, 0, 1], "猫": [1, 1, 0]},
        "separated by ideographic commas",
    ),
    "quotes of a word processor": (
        "image,tags\na.jpg,\u201ccat, dog\u201d\nb.jpg,\u201ccat\u201d\nc.jpg,\u201edog\u201c\n",
        {"cat": [1, 1, 0], "dog": [1, 0, 1]},
        "",
    ),
    "keywords with those above them": (
        "image,keywords\na.jpg,animal|cat;place|sea\nb.jpg,animal|cat\nc.jpg,place|sea\n",
        {"animal|cat": [1, 1, 0], "place|sea": [1, 0, 1]},
        "tags are separated by semicolons",
    ),
    "ExifTool": (
        'SourceFile,Keywords\n./a.jpg,"cat, dog"\n./b.jpg,cat\n./c.jpg,-\n',
        {"cat": [1, 1, 0], "dog": [1, 0, 0]},
        "",
    ),
    "sets and arrays of Python": (
        "image,labels\na.jpg,\"frozenset({'cat', 'dog'})\"\n"
        "b.jpg,\"array(['cat'], dtype=object)\"\nc.jpg,set()\n",
        {"cat": [1, 1, 0], "dog": [1, 0, 0]},
        "",
    ),
    "numbers of several classes": (
        "image_id,attribute_ids\na.jpg,147 616\nb.jpg,616\nc.jpg,147\n",
        {"147": [1, 0, 1], "616": [1, 1, 0]},
        "tags are separated by blanks",
    ),
    "boxes behind one label, without a header": (
        "TRAIN,gs://x/a.jpg,cat,0.1,0.1,,,0.3,0.3,,\nVALIDATE,gs://x/b.jpg,dog,0.1,0.1,,,0.3,0.3,,\n"
        "TEST,gs://x/c.jpg,cat,0.2,0.1,,,0.3,0.3,,\n",
        {"cat": [1, 0, 1], "dog": [0, 1, 0]},
        "one path in front of all",
    ),
    "indicators of two labels": (
        'image,labels\na.jpg,"[1, 0]"\nb.jpg,"[0, 1]"\nc.jpg,"[0, 1]"\n',
        {"0": [1, 0, 0], "1": [0, 1, 1]},
        "lists of 2 zeros and ones",
    ),
    "Mechanical Turk": (
        "HITId,Input.image_url,Answer.category.labels\n1,https://x.org/a.jpg,cat|dog\n"
        "2,https://x.org/b.jpg,cat\n3,https://x.org/c.jpg,dog\n",
        {"cat": [1, 1, 0], "dog": [1, 0, 1]},
        "not read as labels: 'HITId'",
    ),
}


@pytest.mark.parametrize("kind", TAGS)
def test_tags_in_one_field(tmp_path, kind):
    text, expected, note = TAGS[kind]
    columns, ids, notes = read(tmp_path, text)
    assert columns == expected and ids == ("a.jpg", "b.jpg", "c.jpg")
    assert note in notes


def test_lists_of_labels_that_are_numbers_stay_labels(tmp_path):
    columns, *_ = read(tmp_path, 'image,labels\na.jpg,"[0, 1]"\nb.jpg,"[0, 1]"\nc.jpg,"[0, 1]"\n')
    assert columns == {"0": [1, 1, 1], "1": [1, 1, 1]}
    columns, *_ = read(tmp_path, 'image,labels\na.jpg,"[0, 2]"\nb.jpg,"[1]"\nc.jpg,[]\n')
    assert columns == {"0": [1, 0, 0], "1": [0, 1, 0], "2": [1, 0, 0]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,title\na.jpg,a cat on a mat\n", "'title' is called like a text about the image"),
        ("image,cat,dog\na.jpg,1,0\n,1,1\n", "line 3: no image is named. Name one, or remove"),
        ("image,tags\na.jpg,cat\n ,dog\n", "line 3: no image is named. Name one, or remove"),
        ("id,grade\na.jpg,2\nb.jpg,4\n", "give `features index --format csv-tags`"),
        ("image,label\na.jpg_Fish,\nb.jpg_Fish,x\n", "'a.jpg_Fish' begins like 'a.jpg'"),
    ],
)
def test_what_no_table_of_labels_is(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize("name", ["a.jpg", "A", "a.JPG"])
def test_a_name_without_its_folders_is_told_them(tmp_path, name):
    with pytest.raises(InputError, match=r"'train/a.jpg' lies in a folder; write the folders"):
        read(tmp_path, f"image,cat\n{name},1\n", ["train/a.jpg", "val/b.jpg"])


def test_json_of_indicators(tmp_path):
    content = '{"a.jpg": [1, 0, 1], "b.jpg": [false, false, true]}'
    write_files(tmp_path, {"given.json": content, "images/a.jpg": b"", "images/b.jpg": b""})
    source = tmp_path / "given.json"
    dataset = find_format(AUTO, source).read(source, tmp_path / "images")
    assert dataset.label_names == ("0", "1", "2") and "zeros and ones" in dataset.notes[0]
    assert dataset.labels.tolist() == [[1, 0, 1], [0, 0, 1]]


def test_formulas_that_keep_a_text_a_text(tmp_path):
    text = 'image,cat\n="001.jpg",="1"\n="002.jpg",="0"\n'
    columns, ids, notes = read(tmp_path, text, ["001.jpg", "002.jpg"])
    assert ids == ("001.jpg", "002.jpg") and columns == {"cat": [1, 0]}
    assert "differ" not in notes


NAMES = {
    "a spreadsheet's numbers": ("1 2 13", "0001.jpg 0002.jpg 0013.jpg", "zeros in front left out"),
    "numbers of pandas": ("1.0 2.0", "01.png 02.png", "a number with a decimal point"),
    "numbers in folders": ("s/7.jpg s/8.jpg", "s/07.jpg s/08.jpg", "zeros in front left out"),
    "converted files": ("a.png b.png", "a.jpg b.jpg", "another extension"),
    "bytes of Python": ("b'a.jpg' b'b.jpg'", "a.jpg b.jpg", "quotes"),
    "a quote in front": ("'a.jpg 'b.jpg", "a.jpg b.jpg", "a quote in front"),
    "HTML": ("a&amp;b.jpg c&#39;s.jpg", "a&b.jpg c's.jpg", "HTML encoding"),
    "UTF-8 read as Windows'": ("CafÃ©.jpg b.jpg", "Café.jpg b.jpg", "an encoding that was misread"),
    "UTF-8 in a ZIP archive": ("Café.jpg b.jpg", "Caf├⌐.jpg b.jpg", "an encoding that was misread"),
    "forms": ("my+cat.jpg b.jpg", "my\xa0cat.jpg b.jpg", "blanks and '+' for blanks"),
    "Windows": ("a:1.jpg b.jpg", "a_1.jpg b.jpg", "characters that Windows forbids"),
}


@pytest.mark.parametrize("kind", NAMES)
def test_the_file_that_a_name_means_is_found_in_the_folder(tmp_path, kind):
    stated, there, way = NAMES[kind]
    names, files = stated.split(" "), there.split(" ")
    text = "\n".join(["image,cat", *(f"{name},{k % 2}" for k, name in enumerate(names))]) + "\n"
    columns, ids, notes = read(tmp_path, text, files)
    assert list(ids) == files and columns["cat"] == [k % 2 for k in range(len(files))]
    assert f"in: {way}" in notes
    with pytest.raises(InputError, match="Write the files' names, or allow it"):
        source = tmp_path / "given.csv"
        find_format(AUTO, source).read(source, tmp_path / "images", strict_names=True)


def test_a_screenshots_blank_that_is_no_plain_one(tmp_path):
    text = "image,cat\nShot 3.04 PM.jpg,1\nb.jpg,0\n"
    _, ids, notes = read(tmp_path, text, ["Shot 3.04\u202fPM.jpg", "b.jpg"])
    assert ids[0] == "Shot 3.04\u202fPM.jpg" and "in: blanks (1)" in notes


def test_two_candidates_are_an_error_and_a_named_file_is_none(tmp_path):
    with pytest.raises(InputError, match=r"'1' may mean '001.jpg' or '01.jpg'"):
        read(tmp_path / "a", "image,cat\n1,1\n2,0\n", ["001.jpg", "01.jpg", "02.jpg"])
    with pytest.raises(InputError, match=r"'a.gif' may mean 'a.jpg' or 'a.png'"):
        read(tmp_path / "b", "image,cat\na.gif,1\nb.jpg,0\n", ["a.jpg", "a.png", "b.jpg"])
    with pytest.raises(InputError, match=r"1 \(first 'a.png'\) of 2 images not found"):
        read(tmp_path / "c", "image,cat\na.png,1\na.jpg,0\n", ["a.jpg"])
    with pytest.raises(InputError, match=r"1 \(first '1.jpg'\) of 2 images not found"):
        read(tmp_path / "d", "image,cat\n1.jpg,1\n01.jpg,0\n", ["01.jpg"])


def test_exiftool_writes_json_too(tmp_path):
    text = '[{"SourceFile":"a.jpg","Keywords":["x","y"]},{"SourceFile":"b.jpg","Keywords":["x"]}]'
    columns, ids, _ = read(tmp_path, text, ["a.jpg", "b.jpg"], "given.json")
    assert columns == {"x": [1, 1], "y": [1, 0]} and ids == ("a.jpg", "b.jpg")


@pytest.mark.parametrize(
    "text", ['{"image": "a.jpg"}\n', '[{"image": "a.jpg"}]', '\ufeff{ "a": 1}']
)
def test_json_that_is_called_csv(tmp_path, text):
    with pytest.raises(InputError, match="given.csv holds JSON and no table. Give it the ending"):
        read(tmp_path, text)


def test_columns_that_were_left_free(tmp_path):
    columns, *_ = read(tmp_path, "image,cat,,dog,\na.jpg,1,,0,\nb.jpg,0,,1,\nc.jpg,1, ,1,\n")
    assert columns == {"cat": [1, 0, 1], "dog": [0, 1, 1]}
    with pytest.raises(InputError, match="label 2 is called ''. Give it a plain name"):
        read(tmp_path, "image,cat,,dog\na.jpg,1,1,0\nb.jpg,0,,1\nc.jpg,1,,1\n")


@pytest.mark.parametrize(
    "name", ["0" * 300_000 + "x", "1/" * 200_000, "&amp;" * 100_000, "é" * 300_000]
)
def test_a_name_of_any_length_takes_no_time(tmp_path, name):
    begun = time.monotonic()
    with pytest.raises(InputError) as caught:
        read(tmp_path, f"image,cat\n{name},1\na.jpg,0\n", ["a.jpg", "0001.jpg"])
    assert len(describe(caught.value)) < 2000
    assert time.monotonic() - begun < 5
