"""The page in a real browser: quiet, sorted by click and key, with its pictures, open to all."""

import json

import pytest

from classify.report.command import report
from classify.sweep import sweep
from tests.classify.report.browser import axe_source, chromium, show
from tests.classify.report.conftest import small_set
from tests.classify.report.test_lines import other_file
from tests.classify.report.test_page import HOSTILE

TABLE = "//table[caption[starts-with(., 'Counts and measures')]]"


@pytest.fixture(scope="module")
def page(place, tmp_path_factory):
    """A page with every kind of section, and curves over images and over C."""
    folder = tmp_path_factory.mktemp("browser")
    lines = [
        {"learner": f"learner {k}", "n_train": n, "seed": s, "map": 0.5 + n / 100 + k / 50 + s / 99}
        for k in range(9) for n in (5, 20, 40) for s in (0, 1, 2)
    ]  # fmt: skip
    curve = other_file(folder / "curve.jsonl", place.cache, lines)
    options = {"cache": place.cache, "data": place.data, "metric": "map", "jobs": 1}
    return report([place.sweep, curve], out=folder / "report.html", **options)


@pytest.fixture(scope="module")
def started():
    with chromium() as browser:
        yield browser


@pytest.fixture
def browser(started, page):
    """The page in a wide, light window."""
    started.get_log("browser")  # what earlier pages said is gone with that
    started.get_log("performance")
    show(started, page)
    return started


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    return axe_source(tmp_path_factory.mktemp("axe"))


def column(browser, heading):
    """Give the texts of a column of the table of labels, as they stand now."""
    place = [one.text for one in browser.find_elements("xpath", f"{TABLE}/thead//th")].index(
        heading
    )
    rows = browser.find_elements("xpath", f"{TABLE}/tbody/tr")
    return [row.find_elements("xpath", "./*")[place].text for row in rows]


def heading(browser, text):
    return browser.find_element("xpath", f"{TABLE}/thead//th[normalize-space()='{text}']")


def test_the_console_stays_quiet_and_nothing_is_fetched(browser, page):
    assert browser.title.startswith("Report on ")
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.get_log("browser") == []
    events = [json.loads(one["message"])["message"] for one in browser.get_log("performance")]
    fetched = [one["params"]["request"]["url"] for one in events
               if one["method"] == "Network.requestWillBeSent"]  # fmt: skip
    assert [url for url in fetched if not url.startswith("data:")] == [page.resolve().as_uri()]


def test_all_pictures_load(browser):
    sizes = browser.execute_script(
        "return [...document.images].map(one => one.complete && one.naturalWidth)"
    )
    assert len(sizes) >= 24 and min(sizes) == 40


def test_a_click_sorts_and_another_turns(browser):
    present = heading(browser, "present")
    assert present.get_attribute("aria-sort") == "none"
    given = sorted(map(int, column(browser, "present")))
    present.find_element("tag name", "button").click()
    assert present.get_attribute("aria-sort") == "descending"
    assert list(map(int, column(browser, "present"))) == given[::-1]
    assert browser.find_element("id", "sorted").get_attribute("textContent") == (
        "Sorted by present, descending"
    )
    present.find_element("tag name", "button").click()
    assert present.get_attribute("aria-sort") == "ascending"
    assert list(map(int, column(browser, "present"))) == given


def test_keys_sort_and_words_begin_at_a(browser):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    label = heading(browser, "label")
    browser.execute_script("arguments[0].focus()", heading(browser, "absent").find_element(
        "tag name", "button"))  # fmt: skip
    for _ in range(2):  # by the keyboard alone, back over "present"
        ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert label.get_attribute("aria-sort") == "ascending"
    assert column(browser, "label") == ["blue <b>", "green", "red"]
    browser.switch_to.active_element.send_keys(Keys.SPACE)
    assert column(browser, "label") == ["red", "green", "blue <b>"]
    assert heading(browser, "present").get_attribute("aria-sort") == "none"


def test_what_has_no_number_stays_last(browser):
    """A learner without a metric has a dash, which is neither the best nor the worst."""
    table = "//table[caption[starts-with(., 'Metrics of each way')]]"
    first = browser.find_element("xpath", f"{table}/thead//th[starts-with(., 'coverage')]/button")
    place = [one.text for one in browser.find_elements("xpath", f"{table}/thead//th")].index(
        first.text
    )
    for _ in range(2):
        first.click()
        rows = browser.find_elements("xpath", f"{table}/tbody/tr")
        shown = [row.find_elements("xpath", "./*")[place].text for row in rows]
        assert shown[2:] == ["-"] * 9 and "-" not in shown[:2]


OUTSIDE = """
return [...document.querySelectorAll('svg text')].filter(text => {
  const [a, b] = [text, text.closest('svg')].map(one => one.getBoundingClientRect());
  return a.left < b.left || a.right > b.right + 1 || a.top < b.top || a.bottom > b.bottom + 1;
}).map(text => `${text.closest('svg').querySelector('title').textContent}: ${text.textContent}`)
"""


def test_no_text_of_a_drawing_is_cut_off(browser):
    assert browser.execute_script(OUTSIDE) == []


WIDTH = "return document.documentElement.scrollWidth"


def test_a_narrow_window_needs_no_sideways_scroll(browser, page):
    show(browser, page, width=360)
    assert browser.execute_script(WIDTH) == 360


def test_names_with_markup_run_nothing_and_fit(browser, tmp_path):
    ids = [f"{k:02} <img src=x onerror=document.title=1>'\"& {'a' * 150}.png" for k in range(40)]
    data, cache = small_set(tmp_path, n=40, names=HOSTILE, ids=ids)
    out = sweep(cache, tmp_path / "s & <i>.jsonl", C=[0.1, 1], splits=2, folds=2, jobs=1)
    page = report([out], cache=cache, data=data, out=tmp_path / "r.html", jobs=1, folds=3)
    show(browser, page, width=360)
    assert browser.get_log("browser") == []
    assert browser.execute_script(WIDTH) == 360
    assert browser.title == "Report on cache"
    labels = browser.find_elements("xpath", f"{TABLE}/tbody/tr/th")
    assert [one.get_attribute("textContent") for one in labels] == HOSTILE


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (360, False)])
def test_axe_finds_no_serious_fault(browser, page, axe, width, dark):
    show(browser, page, width=width, dark=dark)
    browser.execute_script(axe)
    found = browser.execute_async_script(
        "axe.run({resultTypes: ['violations']})"  # all nodes of these, and one of each other type
        ".then(arguments[0], error => arguments[0]({violations: String(error)}))"
    )
    assert isinstance(found["violations"], list), found["violations"]
    faults = [
        (one["id"], one["help"], [node["html"][:200] for node in one["nodes"][:3]])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert faults == []
    assert "color-contrast" in [one["id"] for one in found["passes"]]


def test_dark_and_light_differ_and_drawings_take_the_pages_color(browser, page):
    colors = {}
    for dark in (False, True):
        show(browser, page, dark=dark)
        colors[dark] = browser.execute_script(
            "const of = (one, name) => getComputedStyle(document.querySelector(one))[name];"
            "return [of('body', 'color'), of('svg text', 'fill')]"
        )
    assert colors[False] != colors[True]
    for text, drawn in colors.values():
        assert text == drawn


def test_on_paper_every_command_is_there(browser):
    details = "return [...document.querySelectorAll('details')].map(one => one.open)"
    assert not any(browser.execute_script(details))
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert all(browser.execute_script(details))
