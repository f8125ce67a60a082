"""The one-cycle learning rate of every training (Smith & Topin 2019, arXiv:1708.07120)."""

from __future__ import annotations

from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR


def one_cycle(optimiser: Optimizer, largest_rate: float, steps: int, rise: float) -> OneCycleLR:
    """Return the schedule.

    Args:
        optimiser: whose rate is set.
        largest_rate: at the end of the rise.
        steps: in all, at least 1.
        rise: share of the steps in which the rate grows.
    """
    # Where the rise is exactly one step, torch divides by the zero steps between its first and its last.
    spare = 1 if rise * steps == 1.0 else 0
    return OneCycleLR(optimiser, max_lr=largest_rate, total_steps=steps + spare, pct_start=rise)
