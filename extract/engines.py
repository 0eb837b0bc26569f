"""Ways to run a feature network: batches of pixels in, arrays out. Knows no file."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from extract.backbones import FeatureNetwork
from features.errors import InputError

Engine = Callable[[Tensor], list[np.ndarray]]
PRECISIONS = ("float32", "bf16")


def choose_device(name: str) -> torch.device:
    """Turn `auto`, `cpu`, `cuda` or `cuda:N` into a device.

    Raises
    ------
    InputError
        The device is unknown or this machine lacks it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"device {name!r} is not known; give auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device {name!r} is not supported; give auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device {name!r} is not on this machine; give --device cpu or auto")
    return device


def eager(network: FeatureNetwork, device: torch.device, precision: str) -> Engine:
    """Run a network as it is, in channels-last order.

    Parameters
    ----------
    network : FeatureNetwork
        Moved to the device.
    device : torch.device
        Where it runs.
    precision : {"float32", "bf16"}
        `float32` is exact: TF32 is switched off. `bf16` is autocast, for a GPU.

    Returns
    -------
    callable
        Maps uint8 pixels (b, 3, h, w) to one float32 array per layer.
    """
    network.to(device).to(memory_format=torch.channels_last)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False

    def run(pixels: Tensor) -> list[np.ndarray]:
        with (
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"),
        ):
            moved = pixels.to(device, non_blocking=True, memory_format=torch.channels_last)
            return [output.cpu().numpy() for output in network(moved)]

    return run


def compiled(network: FeatureNetwork, device: torch.device, precision: str) -> Engine:
    """Run a network through `torch.compile` with its weights frozen in.

    Parameters and result are those of `eager`. The first batch compiles, which takes from half
    a minute to a few minutes.
    """
    import torch._inductor.config as inductor

    inductor.freezing = True
    return eager(torch.compile(network), device, precision)  # type: ignore[arg-type]


def openvino(network: FeatureNetwork, device: torch.device, precision: str) -> Engine:
    """Run a network through OpenVINO on the CPU, in float32.

    OpenVINO's own default on many CPUs is bf16, which is less exact and here slower: the hint
    is set explicitly. Parameters and result are those of `eager`.

    Raises
    ------
    InputError
        OpenVINO is not installed, or the device is no CPU.
    """
    if device.type != "cpu":
        raise InputError("engine openvino runs on the CPU; give --device cpu or --engine eager")
    try:
        import openvino as ov
    except ImportError as error:
        raise InputError(
            f"engine openvino is not installed ({error}); run `pip install -e '.[openvino]'`"
        ) from error
    # Batches come one at a time: all threads work on one, as the latency hint says.
    hints = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    programs = {}

    def run(pixels: Tensor) -> list[np.ndarray]:
        pixels = pixels.contiguous()
        if pixels.shape not in programs:  # batches have one size, so this happens once
            with torch.no_grad():
                exported = torch.export.export(network, (pixels,))
            model = ov.convert_model(exported)
            programs[pixels.shape] = ov.Core().compile_model(model, "CPU", hints)
        program = programs[pixels.shape]
        outputs = program([pixels.numpy()])
        return [np.array(outputs[port], dtype=np.float32) for port in program.outputs]

    return run


ENGINES: dict[str, Callable[[FeatureNetwork, torch.device, str], Engine]] = {
    "eager": eager,
    "compile": compiled,
    "openvino": openvino,
}


def build_engine(
    network: FeatureNetwork, *, engine: str, device: torch.device, precision: str
) -> Engine:
    """Build an engine by name.

    Raises
    ------
    InputError
        Unknown engine or precision, or bf16 on the CPU, where it is slower and less exact.
    """
    if engine not in ENGINES:
        raise InputError(f"engine {engine!r}; give one of {', '.join(ENGINES)}")
    if precision not in PRECISIONS:
        raise InputError(f"precision {precision!r}; give one of {', '.join(PRECISIONS)}")
    if precision == "bf16" and device.type != "cuda":
        raise InputError(
            "bf16 is slower and less exact on a CPU; leave --precision out, or use a GPU"
        )
    return ENGINES[engine](network, device, precision)
