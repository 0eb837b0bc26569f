"""The settings of an extraction and their choices. Loading this module loads no torch."""

from dataclasses import dataclass

from features.errors import InputError, check_choice, check_number

DTYPES = ("float32", "float16")
PRECISIONS = ("float32", "bf16")
WEIGHTS = (
    "pretrained, torchvision, timm, open_clip, vgg16-conv, resnet50-caffe, random:SEED, a path to "
    "a .pth or .safetensors file, or the folder of a fine-tuning"
)
RESIZES = ("warp", "resize256_crop224", "own")
BACKGROUND = "white"
MAX_PIXELS = 89_478_485  # Pillow's limit: a larger image may be a decompression bomb
#: ``module:function`` of every engine; what they take and return stands in `engines.eager`.
ENGINES = {
    "eager": "extract.engines:eager",
    "compile": "extract.engines:compiled",
    "openvino": "extract.engines:openvino",
}


@dataclass(frozen=True)
class ExtractConfig:
    """Settings of an extraction.

    Parameters
    ----------
    backbone : str
        As for `backbones.find_backbone`.
    weights : str
        As for `weights.load_weights`.
    layers : tuple of str, optional
        Layers to store; by default every layer that the weights can compute, without maps.
    size : int, optional
        Side of the input in pixels; by default the backbone's.
    resize : str, optional
        One of `RESIZES`; by default "own", the library's transform, for its networks, and "warp"
        for others.
    scaled_decode, background, white_level, accept_damaged, max_pixels
        As in `images.Transform`.
    dtype : str
        Type of stored vectors, one of `DTYPES`; a value too large for float16 fails its row.
    engine, precision : str
        A key of `ENGINES`, and one of `PRECISIONS`; see `engines.build_engine`.
    device : str
        As for `engines.choose_device`.
    batch_size : int, optional
        Images per forward pass; by default 16 on a CPU, 256 on a GPU.
    threads : int, optional
        Threads that compute on a CPU, and cores that decoding threads share with them; by default
        `features.command_line.cores.usable_cores`.
    workers : int, optional
        Number of decoding threads; by default as `threads`, at most 16.
    shard_rows : int
        Rows per shard.
    max_failures : float
        Share of the rows that may fail before the job stops.
    retry_failed : bool
        Compute the failed rows of finished shards again.
    append : bool
        Allow images that the cache in the folder does not have; they become its last rows.
    part : tuple of int
        (i, n): compute only the shards whose number modulo n is i, 0 <= i < n.

    Raises
    ------
    InputError
        A number out of its range, or an unknown choice.
    """

    backbone: str = "vgg16"
    weights: str = "pretrained"
    layers: tuple[str, ...] | None = None
    size: int | None = None
    resize: str | None = None
    scaled_decode: bool = False
    background: str = BACKGROUND
    white_level: float | None = None
    accept_damaged: bool = False
    max_pixels: int = MAX_PIXELS
    dtype: str = "float32"
    engine: str = "eager"
    precision: str = "float32"
    device: str = "auto"
    batch_size: int | None = None
    threads: int | None = None
    workers: int | None = None
    shard_rows: int = 2048
    max_failures: float = 0.05
    retry_failed: bool = False
    append: bool = False
    part: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        check_choice("dtype", self.dtype, DTYPES)
        check_choice("engine", self.engine, ENGINES)
        check_choice("precision", self.precision, PRECISIONS)
        for name in ("batch_size", "threads", "workers", "shard_rows"):
            value = getattr(self, name)
            if value is not None:
                check_number(name, value, whole=True, low=1)
        check_number("max_failures", self.max_failures, low=0, high=1)
        index, count = self.part
        if not 0 <= index < count:
            raise InputError(
                "The 'shards' option must be I/N with 0 <= I < N, as in 0/4 to 3/4. "
                f"Got '{index}/{count}'."
            )
