"""The classes of an image alert, ``STAMP-4``: what the three stamps alone can tell, by place and shape.

| class       | the change is                                                                                       |
| ----------- | --------------------------------------------------------------------------------------------------- |
| ARTEFACT    | none on the sky: misregistration, kernel mismatch, saturation, cosmic ray, bad pixels, edge, ghost  |
| NUCLEAR     | at the centre of a persistent source: a galaxy's nucleus or a star (a variable star is NUCLEAR)     |
| OFF_NUCLEAR | within the light of a galaxy and off its centre                                                     |
| HOSTLESS    | a point source where nothing persistent is seen: solar-system objects too                           |
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

CLASS_SCHEME = "STAMP-4"
PRIOR = "simulated-stamps-1"


class StampClass(IntEnum):
    """A class by its index in ``class_names``."""

    ARTEFACT = 0
    NUCLEAR = 1
    OFF_NUCLEAR = 2
    HOSTLESS = 3


CLASSES: tuple[str, ...] = tuple(each.name for each in StampClass)
SHARES: tuple[float, ...] = (0.4, 0.25, 0.17, 0.18)
"""Shares of the classes among simulated alerts; the prior that the published probabilities assume."""
CLASS_PRIOR: Mapping[str, float] = dict(zip(CLASSES, SHARES, strict=True))
"""The same by class, as ``bundle.json`` states what ``PRIOR`` stands for."""
