"""How the learning rate falls over a run. Knows no optimizer."""

import math

from classify.finetune.config import SCHEDULES
from features.errors import InputError

MILESTONES = (0.6, 0.85)


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
