"""Engines run a feature network: batches of pixels in, arrays out."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from extract.config import ENGINES, PRECISIONS
from extract.network import FeatureNetwork
from features.command_line import load
from features.errors import InputError, check_choice, needs_extra, plain_words

Engine = Callable[[Tensor], list[np.ndarray]]
DEVICES = "auto, cpu, cuda or cuda:N"


def choose_device(name: str) -> torch.device:
    """Turn `auto`, `cpu`, `cuda` or `cuda:N` into a device.

    Raises
    ------
    InputError
        The device is unknown, or this machine does not have it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise _unknown_device(name) from error
    if device.type not in ("cpu", "cuda"):
        raise _unknown_device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"The device {name!r} is not on this machine. Give --device cpu or --device auto."
        )
    return device


def _unknown_device(name: str) -> InputError:
    return InputError(f"The 'device' option must be {DEVICES}. Got {name!r}.")


def eager(network: FeatureNetwork, device: torch.device, precision: str) -> Engine:
    """Run a network as it is, in channels-last order.

    Parameters
    ----------
    network : FeatureNetwork
        The network; it is moved to the device.
    device : torch.device
        The device that it runs on.
    precision : {"float32", "bf16"}
        `float32` switches TF32 off. `bf16` uses autocast, on a GPU.

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

    Parameters and result are those of `eager`. The first batch is compiled, which takes half a
    minute to a few minutes.
    """
    import torch._inductor.config as inductor

    inductor.freezing = True
    return eager(torch.compile(network), device, precision)  # type: ignore[arg-type]


def openvino(network: FeatureNetwork, device: torch.device, precision: str) -> Engine:
    """Run a network through OpenVINO on the CPU, in float32.

    OpenVINO's default on many CPUs is bf16, which is less exact and was slower in our
    measurements, so float32 is requested explicitly. Parameters and result are those of `eager`.

    Raises
    ------
    InputError
        OpenVINO is not installed, or the device is not a CPU.
    """
    if device.type != "cpu":
        raise InputError(
            "The engine openvino runs on a CPU only. Give --device cpu, or --engine eager."
        )
    with needs_extra("openvino", "--engine openvino", "give --engine eager"):
        import openvino as ov
    # The latency hint makes all threads work on one batch; batches come one at a time.
    hints = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    programs = {}

    def run(pixels: Tensor) -> list[np.ndarray]:
        pixels = pixels.contiguous()
        if pixels.shape not in programs:  # all batches have one size
            try:
                with torch.no_grad():
                    exported = torch.export.export(network, (pixels,))
                model = ov.convert_model(exported)
            except MemoryError:
                raise
            except Exception as error:  # of either program, for an operation that it lacks
                reason = plain_words(error)[-200:]
                raise InputError(
                    f"The engine openvino can't run this network ({reason}). Give --engine eager "
                    "or compile."
                ) from error
            programs[pixels.shape] = ov.Core().compile_model(model, "CPU", hints)
        program = programs[pixels.shape]
        outputs = program([pixels.numpy()])
        return [np.array(outputs[port], dtype=np.float32) for port in program.outputs]

    return run


def build_engine(
    network: FeatureNetwork, *, engine: str, device: torch.device, precision: str
) -> Engine:
    """Build an engine by name.

    Raises
    ------
    InputError
        Unknown engine or precision, or bf16 on a CPU, where it is slower and less exact.
    """
    check_choice("engine", engine, ENGINES)
    check_choice("precision", precision, PRECISIONS)
    if precision == "bf16" and device.type != "cuda":
        raise InputError(
            "bf16 is slower and less exact on a CPU. Use --precision float32, or run on a GPU."
        )
    return load(ENGINES[engine])(network, device, precision)
