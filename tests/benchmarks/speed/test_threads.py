"""``speed threads`` on a few pictures: every place and policy, and ratios within a round."""

from typing import ClassVar

import pytest

from benchmarks.speed.threads import run
from benchmarks.speed.threads.report import ALONE, BESIDE, ONE, PAIR, POLICIES, page
from classify.results import read_results
from features.errors import InputError


class FakeWorker:
    """Answers as a measured process does, and keeps its jobs; torch loads in seconds."""

    made: ClassVar[list["FakeWorker"]] = []

    def __init__(self, module, given, *, environment):
        self.module, self.given, self.environment, self.jobs = module, given, environment, []
        self.made.append(self)

    def run(self, job):
        self.jobs.append(job)
        return {"seconds": 1.0 + len(self.environment)}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


@pytest.fixture
def fake_workers(monkeypatch):
    monkeypatch.setattr(FakeWorker, "made", [])
    monkeypatch.setattr(run, "Worker", FakeWorker)
    together = lambda workers, jobs: [one.run(job) for one, job in zip(workers, jobs, strict=True)]  # noqa: E731
    monkeypatch.setattr(run, "run_together", together)
    return FakeWorker.made


def test_every_place_is_timed_with_every_policy(tmp_path, fake_workers):
    text = run.speed_threads(tmp_path / "page.md", n=4, rounds=2)
    header, lines = read_results(tmp_path / "page.jsonl")
    told = {line["what"] for line in lines}
    assert told == {f"{place}: {one}" for place in (ALONE, BESIDE, ONE, PAIR) for one in POLICIES}
    assert len(lines) == 2 * len(told)
    assert page(header, lines) == text == (tmp_path / "page.md").read_text()
    # Places of one process compute two shards each, and both processes of a pair one each.
    assert [len(one.jobs) for one in fake_workers] == [2 * (3 * 2 + 1), 2] * len(POLICIES)
    assert [one.environment for one in fake_workers[::2]] == list(POLICIES.values())
    assert len(fake_workers[0].given["paths"]) == 4 == 2 * fake_workers[0].given["rows"]


def test_verdicts_compare_within_rounds():
    seconds = {"spinning": 1.0, "passive": 1.04, "one thread": 0.9}
    lines = [
        {"part": "threads", "what": f"{place}: {name}", "round": number, "seconds": s * slow * half}
        for place, half in ((ALONE, 1), (BESIDE, 2), (ONE, 1), (PAIR, 0.6))
        for name, s in seconds.items()
        for number, slow in enumerate((1, 5, 2))  # the machine, not the policy
    ]
    text = page({"machine": "m", "task": "t", "images": 100}, lines)
    verdicts = [line for line in text.splitlines() if "at most" in line]
    assert ["1.04" in verdicts[0], "1.16" in verdicts[1], "0.60" in verdicts[2]] == [True] * 3
    assert all("holds" in line and "not" not in line for line in verdicts)


def test_an_odd_number_of_pictures_is_refused(tmp_path):
    with pytest.raises(InputError, match="'n' option must be even"):
        run.speed_threads(tmp_path / "page.md", n=3)
