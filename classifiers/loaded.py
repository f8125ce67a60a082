"""Bundles with their opened engines: what the classifiers of the lanes are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import Bundle, load_bundle
from classifiers.classifier import EngineUse
from classifiers.engine import Arrays, Engine
from classifiers.runtimes.opening import AUTO, open_engine
from classifiers.verdict.answers import Answer


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """A bundle and the engine that runs it; ``refusals`` says why ``auto`` passed over other runtimes."""

    bundle: Bundle
    engine: Engine
    refusals: tuple[tuple[str, str], ...] = ()

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


def load_engines(paths: Sequence[Path], runtime: str = AUTO) -> tuple[LoadedEngine, ...]:
    """Load bundles, verify every digest, and open their graphs.

    Args:
        paths: bundle folders.
        runtime: ``auto`` or a runtime's name.

    Raises:
        BundleError: a bundle is not intact.
        RuntimeUnavailable: the named runtime cannot serve.
    """
    loaded = []
    for path in paths:
        bundle = load_bundle(path)
        opened = open_engine(bundle, runtime)
        loaded.append(LoadedEngine(bundle, opened.engine, opened.refusals))
    return tuple(loaded)


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
