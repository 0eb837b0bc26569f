"""The state of an extraction into one folder."""

import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from extract.append import place
from extract.cached_labels import write_labels
from extract.changed import require_unchanged
from extract.config import ExtractConfig
from extract.extractor import Extractor
from extract.plan import Plan, make_plan
from features import files, schema
from features.commands.verify import verify_shard
from features.datasets import Dataset, file_sizes
from features.errors import InputError, plain_words
from features.files.ownership import make_folder
from features.index import write_index
from features.manifest import Manifest, grow, require_new_or_cache, write_or_check
from features.schema import WITH_FEATURES, Status
from features.shard_writer import shard_bytes
from features.shards import finished_shards, is_finished, open_checked, rows_held
from features.view import write_view


class Job:
    """An extraction into one folder: its shards, finished and missing, and their failures.

    Parameters
    ----------
    config, dataset, out
        As for `run.run`.

    Attributes
    ----------
    plan : Plan
        The network and the transform.
    manifest : dict
        The manifest of the folder.
    numbers : list of int
        The shards of this process's part.
    """

    def __init__(self, config: ExtractConfig, dataset: Dataset, out: Path):
        self.config, self.out = config, out
        self.plan: Plan = make_plan(config)
        sizes = file_sizes(dataset)
        manifest = self.plan.manifest(dataset, sizes)
        placed = place(out, dataset, sizes, manifest, append=config.append)
        if config.append:
            require_unchanged(out, placed.dataset)
        self.dataset, self._sizes, self._new = placed.dataset, placed.sizes, placed.new
        self.manifest: Manifest = placed.manifest
        part, parts = config.part
        count = schema.shard_count(config.shard_rows, len(dataset))
        self.numbers = list(range(part, count, parts))
        self._failures: Counter[str] = Counter()

    def rows(self, number: int) -> range:
        """Rows of one shard."""
        return schema.shard_rows(number, self.config.shard_rows, len(self.dataset))

    def paths(self, number: int) -> Sequence[str]:
        """Images of one shard, as the data set's source names them."""
        rows = self.rows(number)
        return self.dataset.paths[rows.start : rows.stop]

    def missing(self) -> list[int]:
        """Shards of this part that are not finished yet."""
        return [k for k in self.numbers if not is_finished(self.out, k, self.manifest)]

    def bytes_missing(self) -> int:
        """Size on disk of what is still to be written."""
        return sum(shard_bytes(self.manifest, len(self.rows(k))) for k in self.missing())

    def open_folder(self) -> None:
        """Make or check the folder before anything is computed.

        Raises
        ------
        InputError
            The folder can't be written, holds another extraction, or its disk has too little space.
        """
        out, dataset = self.out, self.dataset
        try:
            make_folder(out)
            require_new_or_cache(out)
            files.remove_temporaries(out)
            if self._new:
                write_index(out, dataset, self._sizes, self.manifest)
            else:
                write_or_check(out, self.manifest)
            if line := write_labels(out, dataset, new=self._new):
                print(line, file=sys.stderr)
            if self._new:  # at last: up to here, the cache is what it was
                grow(out, self.manifest)
            if not (out / schema.INDEX).exists():
                write_index(out, dataset, self._sizes, self.manifest)
            free = shutil.disk_usage(out).free
        except OSError as error:
            reason = plain_words(error, known=out)
            raise InputError(
                f"Can't write the cache {out}: {reason}. Give an --out that can be "
                "written, or free space there."
            ) from error
        needed = self.bytes_missing()
        if needed > free:
            raise InputError(
                f"{out} needs {needed / 1e9:.1f} GB more, its disk has {free / 1e9:.1f} GB free. "
                "Give another --out, fewer --layers, or --dtype float16."
            )
        if self._new:
            print(f"{self._new} images are new in {out}", file=sys.stderr)
        print(f"{len(dataset)} images, {needed / 1e6:,.1f} MB to write to {out}", file=sys.stderr)

    def run_here(self) -> None:
        """Compute the missing shards in this process, and check the finished ones."""
        extractor: Extractor | None = None
        with self.progress() as bar:
            for number in self.numbers:
                retried = self.to_compute(number)
                if retried is None or len(retried):
                    extractor = extractor or self.extractor()
                    paths = self.paths(number)
                    extractor.write_shard(
                        self.out, number, paths, retried=retried, advance=bar.update
                    )
                else:
                    bar.update(len(self.rows(number)))
                self.count_failures(number)
        self.report_failures()

    def extractor(self) -> Extractor:
        """Build the network of this process."""
        return Extractor(self.plan, self.manifest, self.dataset.source)

    def progress(self) -> tqdm:
        """Open a progress bar over the rows of this part."""
        total = sum(len(self.rows(k)) for k in self.numbers)
        return tqdm(total=total, unit="img", desc=self.plan.backbone.name)

    def to_compute(self, number: int) -> np.ndarray | None:
        """Verify what there is of a shard, and list the rows that are to be computed.

        Returns
        -------
        ndarray of int64, or None
            Rows that are not there or, if asked for, have failed; None if there is no shard.

        Raises
        ------
        InputError
            The shard is damaged.
        """
        held = rows_held(self.out, number, self.manifest)
        if not held:
            return None
        verify_shard(self.out, number, self.manifest, short=True)
        rows = np.array(self.rows(number))
        wanted = np.arange(len(rows)) >= held
        if self.config.retry_failed:
            wanted[:held] = ~np.isin(self._status(number)[:held], WITH_FEATURES)
        return rows[wanted]

    def count_failures(self, number: int) -> None:
        """Add up a finished shard's failed rows.

        Raises
        ------
        InputError
            More rows have failed than `max_failures` allows.
        """
        failed = (
            Status(code).name.lower() for code in self._status(number) if code not in WITH_FEATURES
        )
        self._failures.update(failed)
        total, rows, share = self._failures.total(), len(self.dataset), self.config.max_failures
        if total > share * rows:
            raise InputError(
                f"{total} of {rows} rows failed ({_listed(self._failures)}), more than "
                f"--max-failures {share} allows. Finished shards are kept and {schema.INDEX} names "
                "each failed file. Repair the files and run with --retry-failed, or allow more."
            )

    def report_failures(self) -> None:
        """Print how many rows failed, if any did."""
        if self._failures:
            total, reasons = self._failures.total(), _listed(self._failures)
            where = self.out / schema.INDEX
            print(f"{total} rows failed ({reasons}); {where} gives the reasons", file=sys.stderr)

    def publish(self) -> None:
        """Rebuild `index.csv` and `features.h5` from the shards that exist.

        Every worker looks for new shards again after its own writes: when several finish
        together, the last one to look finds every shard.
        """
        files.remove_temporaries(self.out)
        while True:
            before = finished_shards(self.out, self.manifest)
            write_index(self.out, self.dataset, self._sizes, self.manifest)
            write_view(self.out, self.manifest)
            if finished_shards(self.out, self.manifest) == before:
                return

    def _status(self, number: int) -> np.ndarray:
        with open_checked(self.out, number, self.manifest) as file:
            return file[schema.STATUS][:]


def _listed(failures: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(failures.items()))
