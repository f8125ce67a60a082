"""How far a build is, from the phases within phases that a library reports; pure but for a lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Progress: TypeAlias = Callable[[str, float], None]
"""Told what is being done, and the fraction done [0..1], which never falls within a build."""


@dataclass(slots=True)
class _Phase:
    name: str
    parent: str | None
    steps: int
    done: int = 0


class Phases:
    """Turns phases into one fraction: a step of a phase is worth its share of the step of the phase around it."""

    def __init__(self, told: Progress) -> None:
        """Begin.

        Args:
            told: called whenever the fraction grows, from any thread.
        """
        self._told = told
        self._active: list[_Phase] = []
        self._furthest = -1.0
        self._lock = threading.Lock()

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """Take note that a phase of so many steps began within another."""
        with self._lock:
            self._active.append(_Phase(name, parent, max(steps, 1)))
        self._tell(name)

    def step(self, name: str, step: int) -> None:
        """Take note that a step (from 0 on) of the newest phase of that name is done."""
        with self._lock:
            phase = next((phase for phase in reversed(self._active) if phase.name == name), None)
            if phase is not None:
                phase.done = min(max(phase.done, step + 1), phase.steps)
        self._tell(name)

    def finish(self, name: str) -> None:
        """Take note that the newest phase of that name ended."""
        with self._lock:
            for i in reversed(range(len(self._active))):
                if self._active[i].name == name:
                    del self._active[i]
                    break

    def _tell(self, name: str) -> None:
        with self._lock:
            fraction = self._fraction()
            if fraction <= self._furthest:
                return
            self._furthest = fraction
        self._told(name, fraction)

    def _fraction(self) -> float:
        """Return the fraction done of the outermost phase, its step under way counted by the phase within it."""
        fraction, worth, parent = 0.0, 1.0, None
        for phase in self._active:
            if phase.parent != parent:
                continue
            fraction += worth * phase.done / phase.steps
            if phase.done == phase.steps:
                break
            worth /= phase.steps
            parent = phase.name
        return min(fraction, 1.0)
