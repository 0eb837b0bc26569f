"""Write a cache's rows as one file for other programs: npz for numpy, parquet for data frames.

Both hold the rows with features, in the order of the index. Features are copied in blocks, so that
memory holds the index, the labels and one block.
"""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from tqdm import tqdm

from features import files
from features.cache import FeatureCache
from features.errors import InputError, needs_extra
from features.files.locks import holding_names
from features.files.ownership import claim
from features.files.unchanged import atomic_rewrite
from features.manifest import canonical

BLOCK_BYTES = 64 << 20  # of features at a time; a row group of a parquet file


def export(folder: Path, out: Path, *, layers: Sequence[str] | None = None) -> Path:
    """Write ids, labels and features of all rows that have features.

    Parameters
    ----------
    folder : Path
        The cache's folder.
    out : Path
        The file; its ending picks the format, and an earlier export that is as it was written is
        replaced. With m rows and L labels, `.npz` holds the arrays `id` (m,) of str, `row` (m,) of
        int64 (place in the cache), if there are labels `labels` (m, L) of int8 and `label_names`
        (L,), one (m, width) of float32 for each layer under its name, and `manifest`, the text of
        `manifest.json`. `.parquet` holds the columns `row`, `id`, `label/NAME` for each label
        (int8) and one list of fixed length for each layer (float32); `manifest` is in the schema's
        metadata.
    layers : sequence of str, optional
        Vector layers, by default all.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        The ending or a layer is unknown, there is no vector layer or no row with features, the
        folder of `out` does not exist, `pyarrow` is missing, `out` is a file that this program did
        not make, or another run is writing it.
    """
    writers: dict[str, Callable[[FeatureCache, Path, list[str]], None]] = {
        ".npz": _write_npz,
        ".parquet": _write_parquet,
    }
    if out.suffix not in writers:
        raise InputError(
            f"{out} ends in {out.suffix!r}. Give a name that ends in .npz or .parquet."
        )
    if not out.parent.is_dir():
        raise InputError(f"{out.parent} is not a folder. Make it first, or name another file.")
    cache = FeatureCache(folder)
    names = list(dict.fromkeys(cache.resolve(layers)))
    if not names:
        raise InputError(f"{folder} has no vector layer to write. Read spatial maps with h5py.")
    if not len(cache.valid_rows):
        raise InputError(f"{folder} has no row with features yet. Run extract again.")
    with holding_names():
        target = claim(out, _is_export, what="an export")
        files.remove_temporaries(target.parent)
        with atomic_rewrite(target) as temporary:
            writers[out.suffix](cache, temporary, names)
    return out


def _is_export(file: BinaryIO) -> bool:
    """Recognize what `export` wrote: it holds the manifest of its cache."""
    start = file.read(4)
    file.seek(0)
    if start == b"PAR1":
        _, pq = _pyarrow()
        return b"manifest" in (pq.read_schema(file).metadata or {})
    try:
        with zipfile.ZipFile(file) as archive:
            return {"id.npy", "row.npy", "manifest.npy"} <= set(archive.namelist())
    except zipfile.BadZipFile:
        return False


def _write_npz(cache: FeatureCache, path: Path, names: list[str]) -> None:
    rows = cache.valid_rows
    small: dict[str, np.ndarray] = {
        "id": np.array(cache.ids)[rows],
        "row": rows,
        "manifest": np.array(canonical(cache.manifest)),
    }
    if cache.labels is not None:
        small |= {"labels": cache.labels[rows], "label_names": np.array(cache.label_names)}
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in small.items():
            _write_npy(archive, name, array.dtype, array.shape, iter([array]))
        with _progress(cache, names) as bar:
            for name in names:
                shape = len(rows), cache.layers[name]
                blocks = (array for _, (array,) in _blocks(cache, [name], bar))
                _write_npy(archive, name, np.dtype(np.float32), shape, blocks)


def _write_npy(
    archive: zipfile.ZipFile,
    name: str,
    dtype: np.dtype,
    shape: tuple[int, ...],
    blocks: Iterator[np.ndarray],
) -> None:
    """Write one array in numpy's format, from blocks of its rows."""
    header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    # Without the time of writing, equal caches give equal bytes.
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
        npy.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(np.ascontiguousarray(block).data)


def _write_parquet(cache: FeatureCache, path: Path, names: list[str]) -> None:
    pa, pq = _pyarrow()
    layers = [pa.field(name, pa.list_(pa.float32(), cache.layers[name])) for name in names]
    labels = [pa.field(f"label/{name}", pa.int8()) for name in cache.label_names]
    schema = pa.schema(
        [pa.field("row", pa.int64()), pa.field("id", pa.string()), *labels, *layers],
        metadata={"manifest": canonical(cache.manifest)},
    )
    ids = cache.ids
    with (
        open(path, "wb") as file,  # pyarrow takes names in UTF-8 alone
        # Dictionary encoding would cost time and save nothing: features hardly repeat.
        pq.ParquetWriter(file, schema, use_dictionary=False) as writer,
        _progress(cache, names) as bar,
    ):
        for rows, arrays in _blocks(cache, names, bar):
            truth = [] if cache.labels is None else list(cache.labels[rows].T)
            columns = [rows, [ids[row] for row in rows], *truth]
            columns = [pa.array(column) for column in columns] + [
                pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), array.shape[1])
                for array in arrays
            ]
            writer.write_table(pa.table(columns, schema=schema))


def _pyarrow() -> tuple[Any, Any]:
    with needs_extra("parquet", "Writing parquet", "give an --out that ends in .npz"):
        import pyarrow
        import pyarrow.parquet
    return pyarrow, pyarrow.parquet


def _progress(cache: FeatureCache, names: list[str]) -> tqdm:
    total = len(cache.valid_rows) * _row_bytes(cache, names)
    return tqdm(total=total, desc="export", unit="B", unit_scale=True)


def _row_bytes(cache: FeatureCache, names: list[str]) -> int:
    return 4 * sum(cache.layers[name] for name in names)


def _blocks(
    cache: FeatureCache, names: list[str], bar: tqdm
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Yield rows and one array per layer, as many rows at a time as fill a block."""
    valid, row_bytes = cache.valid_rows, _row_bytes(cache, names)
    step = max(1, BLOCK_BYTES // row_bytes)
    for start in range(0, len(valid), step):
        rows = valid[start : start + step]
        yield rows, [cache.read([name], rows) for name in names]
        bar.update(len(rows) * row_bytes)
