"""Gradient descent with a rate for each part of a network: how rates fall, its state by names."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from classify.finetune.config import SCHEDULES, FinetuneConfig
from features.errors import InputError

MOMENTUM = "momentum_buffer"  # torch's name
MILESTONES = (0.6, 0.85)


def build_optimizer(network: nn.Module, config: FinetuneConfig) -> torch.optim.SGD:
    """Build stochastic gradient descent with momentum.

    Parameters
    ----------
    network : Module
        With the parts `backbone` and `head`, which may have a parameter `graph`.
    config : FinetuneConfig
        Its rates go by part; biases, norms and the graph don't decay.
    """
    groups: dict[tuple[str, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        part = "graph" if name == "head.graph" else name.partition(".")[0]
        groups.setdefault((part, parameter.ndim > 1 and part != "graph"), []).append(parameter)
    settings: list[dict[str, Any]] = [
        {
            "params": parameters,
            "lr": config.rates[part],
            "initial_lr": config.rates[part],
            "weight_decay": config.decay if decays else 0.0,
        }
        for (part, decays), parameters in groups.items()
    ]
    return torch.optim.SGD(settings, momentum=config.momentum)


def set_rates(optimizer: torch.optim.Optimizer, schedule: str, progress: float) -> None:
    """Give every part its rate at a share of the run (`rate_factor`)."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * rate_factor(schedule, progress)


def momenta(optimizer: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """Name the momentum of every parameter that has taken a step."""
    return {
        name: optimizer.state[parameter][MOMENTUM]
        for name, parameter in network.named_parameters()
        if optimizer.state.get(parameter, {}).get(MOMENTUM) is not None
    }


def load_momenta(
    optimizer: torch.optim.Optimizer, network: nn.Module, tensors: Mapping[str, Tensor]
) -> None:
    """Take what `momenta` named."""
    for name, parameter in network.named_parameters():
        if name in tensors:
            optimizer.state[parameter][MOMENTUM] = tensors[name].to(parameter)


def rate_factor(schedule: str, progress: float) -> float:
    """Share of the starting rate at a share of the run.

    Parameters
    ----------
    schedule : {"step", "cosine", "constant"}
        `step` falls to a tenth after 60 % and again after 85 % of the run.
    progress : float
        From 0 to 1.

    Raises
    ------
    InputError
        For another schedule.

    Examples
    --------
    >>> [round(rate_factor("step", p), 4) for p in (0.0, 0.6, 0.9)], rate_factor("cosine", 0.5)
    ([1.0, 0.1, 0.01], 0.5)
    """
    if schedule not in SCHEDULES:
        raise InputError(f"schedule {schedule!r}; give one of {', '.join(SCHEDULES)}")
    if schedule == "step":
        return 0.1 ** sum(progress >= milestone for milestone in MILESTONES)
    if schedule == "cosine":
        return round((1 + math.cos(math.pi * progress)) / 2, 12)
    return 1.0
