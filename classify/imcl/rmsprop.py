"""RMSProp with momentum as TensorFlow 1 computes it, which is not as PyTorch does.

It knows no loss: a gradient comes in, an array moves.
"""

import numpy as np

DECAY, MOMENTUM, EPSILON = 0.9, 0.9, 1.0  # of IMCL's released code


class RMSProp:
    """Descent of one array, in place.

    With the mean square m, which starts at 1, and the velocity v: ``m <- 0.9 m + 0.1 g**2``,
    ``v <- 0.9 v + rate g / sqrt(m + 1)``, ``parameter <- parameter - v``.
    The 1 lies inside the root, so that a small gradient is not scaled up: for it this is descent
    with momentum.

    Parameters
    ----------
    parameter : float array
        Moved by `step`.

    Examples
    --------
    >>> theta = np.zeros(1)
    >>> RMSProp(theta).step(np.array([2.0]), rate=0.001)
    >>> float(-theta[0]).__round__(8)
    0.00131876
    """

    def __init__(self, parameter: np.ndarray):
        self.parameter = parameter
        self.mean_square = np.ones_like(parameter)
        self.velocity = np.zeros_like(parameter)

    def step(self, gradient: np.ndarray, *, rate: float) -> None:
        """Move against `gradient`, of the parameter's shape."""
        self.mean_square *= DECAY
        buffer = gradient * gradient
        buffer *= 1 - DECAY
        self.mean_square += buffer
        np.add(self.mean_square, EPSILON, out=buffer)
        np.sqrt(buffer, out=buffer)
        np.divide(gradient, buffer, out=buffer)
        buffer *= rate
        self.velocity *= MOMENTUM
        self.velocity += buffer
        self.parameter -= self.velocity
