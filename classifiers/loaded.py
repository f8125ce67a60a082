"""Bundles with their opened engines: what the classifiers of the lanes are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration
from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import Bundle, load_bundle
from classifiers.classifier import EngineUse
from classifiers.engine import Arrays, Engine
from classifiers.runtimes.opening import Notice, RuntimeOptions, open_engines
from classifiers.runtimes.rehearsal import Rehearsed
from classifiers.verdict.answers import Answer
from classifiers.verdict.promise import nominal_rows


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """A bundle and the engine that runs it.

    Attributes:
        bundle: verified.
        engine: true to its golden answers.
        refusals: why ``auto`` passed over other runtimes.
        rehearsed: what its program answered before, too; None where a runtime needs no rehearsal.
    """

    bundle: Bundle
    engine: Engine
    refusals: tuple[tuple[str, str], ...] = ()
    rehearsed: Rehearsed | None = None

    @property
    def calibration(self) -> Calibration:
        """Return the calibration for its runtime and number format."""
        return self.bundle.calibration(self.engine.runtime, self.engine.dtype)

    def use(self) -> EngineUse:
        """Return how L2 records name it."""
        manifest, calibration = self.bundle.manifest, self.calibration
        return EngineUse(
            name=manifest.name,
            version=manifest.version,
            bundle_sha256=self.bundle.sha256,
            runtime=self.engine.runtime,
            dtype=self.engine.dtype,
            calibration_id=calibration.id,
            calibration_domain=calibration.domain,
            class_scheme=manifest.class_scheme,
            prior_id=manifest.prior_id,
        )

    def answer(self, outputs: Arrays) -> Answer:
        """Return outputs with what is needed to read them."""
        return Answer(self.bundle.manifest, self.calibration, outputs)


def load_engines(
    paths: Sequence[Path], options: RuntimeOptions | None = None, notice: Notice = lambda _: None
) -> tuple[LoadedEngine, ...]:
    """Load bundles, verify every digest, open their graphs on one runtime and compare their golden answers.

    Programs of a device are rehearsed in every size and slot that the options' largest batch needs.

    Args:
        paths: bundle folders.
        options: runtime, number format and device; None: whatever can serve.
        notice: told what takes long or is unexpected, in one line each.

    Raises:
        BundleError: a bundle is not intact, or a runtime answers otherwise than it should.
        RuntimeUnavailable: the named runtime cannot serve.
    """
    bundles = [load_bundle(path) for path in paths]
    opened = open_engines(bundles, options, notice)
    rehearsed = {name: each for each in opened.rehearsals for name in each.bundles}
    return tuple(
        LoadedEngine(bundle, engine, opened.refusals, rehearsed.get(engine.name))
        for bundle, engine in zip(bundles, opened.engines, strict=True)
    )


def nominal_records(
    engines: Iterable[LoadedEngine], surveys: Sequence[str], coverage: NDArray[np.float64]
) -> NDArray[np.bool_] | None:
    """Return ``Verdicts.nominal`` of n records: None where every calibration holds for each, or for none.

    Args:
        engines: e engines that take part, in their order.
        surveys: n upper-case names.
        coverage: (n,) fraction of the grid or bands.
    """
    found = [
        nominal_rows(loaded.calibration, surveys, coverage < loaded.bundle.manifest.domain.full_coverage)
        for loaded in engines
    ]
    return np.stack(found, axis=1) if any(rows.any() for rows in found) else None


def by_role(engines: Sequence[LoadedEngine], roles: frozenset[str]) -> dict[str, LoadedEngine]:
    """Return the engines of a lane by role.

    Raises:
        BundleError: an engine has another role, or a role comes twice.
    """
    chosen: dict[str, LoadedEngine] = {}
    for loaded in engines:
        manifest = loaded.bundle.manifest
        if manifest.role not in roles:
            raise BundleError(manifest.name, expected=f"a role of {', '.join(sorted(roles))}", found=manifest.role)
        if manifest.role in chosen:
            other = chosen[manifest.role].bundle.manifest.name
            raise BundleError(manifest.name, expected=f"one bundle of role {manifest.role}", found=f"{other} as well")
        chosen[manifest.role] = loaded
    return chosen
