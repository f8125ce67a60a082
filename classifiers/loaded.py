"""Bundles with their opened engines: what the classifiers of the lanes are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import Bundle, load_bundle
from classifiers.classifier import EngineUse
from classifiers.engine import Arrays, Engine
from classifiers.runtimes.opening import Notice, RuntimeOptions, open_engines
from classifiers.runtimes.rehearsal import Rehearsed
from classifiers.verdict.answers import Answer


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

    def use(self) -> EngineUse:
        """Return how L2 records name it."""
        manifest = self.bundle.manifest
        calibration = self.bundle.calibration(self.engine.runtime, self.engine.dtype)
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
        return Answer(self.bundle.manifest, self.bundle.calibration(self.engine.runtime, self.engine.dtype), outputs)


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
