"""Bundles as torch modules, rebuilt from their architecture's name and their safetensors weights.

What the graphs of several bundles have in common is computed once here, too: the spectral bundles read the same
channels, and the quasar finder stands on the classifier's trunk. Half precision is where ``casting`` has it in graphs:
learned layers whose answers go into other layers alone; everything else stays in fp32.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from safetensors.torch import load
from torch import Tensor, nn

from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import WEIGHTS_FILE, Bundle
from classifiers.networks.channels import normalise
from classifiers.networks.classifier import ExportedClassifier, SpectralClassifier
from classifiers.networks.correlation import Correlation
from classifiers.networks.latent_map import LatentMap
from classifiers.networks.narrowband import ExportedNarrowband, NarrowbandNet
from classifiers.networks.qso import ExportedQsoFinder, QsoFinder
from classifiers.networks.stamp_vae import latent_pooling
from classifiers.networks.stamps import ExportedStamps, StampNetwork
from classifiers.networks.trunk import Trunk
from classifiers.networks.vae import CODE, ExportedVae, SpectralVae
from classifiers.runtimes.casting import Dtype
from classifiers.runtimes.joining import output_name

_HALF = {"fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Architecture:
    """How to make a module, and which of its learned layers go into other layers alone.

    Attributes:
        make: an exported module without its weights; its outputs are named, in their order, by ``NAMES``.
        half: names of what fp16 and bf16 compute in half precision, and tf32 with fewer bits.
    """

    make: Callable[[], nn.Module]
    half: tuple[str, ...]


ARCHITECTURES: Mapping[str, Architecture] = {
    "specstream-spectral-classifier-3": Architecture(
        lambda: ExportedClassifier(SpectralClassifier()),
        tuple(f"network.{name}" for name in ("trunk", "galaxy_maps", "quasar_maps", "dense", "novel_dense")),
    ),
    "specstream-spectral-anomaly-6": Architecture(
        lambda: ExportedVae(SpectralVae(), LatentMap(CODE)),
        (
            *(f"network.{name}" for name in ("trunk", "galaxy_maps", "quasar_maps", "see", "see_at_rest", "encoder.1")),
            *(f"network.{name}.{place}" for name in ("decoder", "decoder_at_rest") for place in (0, 2)),
            *(f"place.bend.{place}" for place in (0, 2)),
        ),
    ),
    "specstream-qso-finder-3": Architecture(
        lambda: ExportedQsoFinder(QsoFinder(SpectralClassifier())), ("network.trunk", "network.maps", "network.dense")
    ),
    "stamp-vae-classifier-3": Architecture(
        lambda: ExportedStamps(StampNetwork(), torch.zeros(len(latent_pooling()), 2), torch.zeros(2)),
        (
            *(f"network.vae.{name}" for name in ("read_stamps", "read_mask", "down", "decoder.0", "decoder.4")),
            *(f"network.head.{name}" for name in ("middle.0", "middle.2", "middle.4", "context.0", "hidden")),
            "network.novelty.hidden",
        ),
    ),
    "specstream-jpas-qso-finder-1": Architecture(lambda: ExportedNarrowband(NarrowbandNet()), ("net.decoder.0",)),
}
"""By the name in ``bundle.json``."""


def rebuilt(bundle: Bundle) -> nn.Module:
    """Return the exported module of a bundle with its weights.

    Raises:
        BundleError: its architecture is not known here, or it has no weights of it.
    """
    manifest, file = bundle.manifest, str(bundle.folder / WEIGHTS_FILE)
    architecture = ARCHITECTURES.get(manifest.architecture)
    if architecture is None:
        known = ", ".join(ARCHITECTURES)
        raise BundleError(manifest.name, expected=f"an architecture of {known}", found=manifest.architecture or "none")
    if WEIGHTS_FILE not in manifest.files:
        raise BundleError(file, expected="the weights of the network", found="no such file in the manifest")
    content = (bundle.folder / WEIGHTS_FILE).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != manifest.files[WEIGHTS_FILE]:
        raise BundleError(file, expected=f"sha256 {manifest.files[WEIGHTS_FILE]}", found=f"sha256 {digest}")
    module = architecture.make()
    try:
        module.load_state_dict(load(content))
    except RuntimeError as error:  # torch's error for keys or shapes that do not fit
        first = " ".join(str(error).split())[:300]
        raise BundleError(file, expected=f"weights of {manifest.architecture}", found=first) from error
    return module.eval().requires_grad_(False)  # noqa: FBT003 - torch's own signature


class ProgramModule(nn.Module):
    """Bundles that read the same inputs: from inputs by name to outputs by the names that a program gives them."""

    def __init__(self, bundles: Sequence[Bundle], dtype: Dtype = "fp32") -> None:
        """Rebuild the bundles' modules.

        Args:
            bundles: verified; all read the same inputs.
            dtype: of the learned layers whose answers go into other layers alone.

        Raises:
            BundleError: a bundle cannot be rebuilt.
        """
        super().__init__()
        self._inputs = tuple(tensor.name for tensor in bundles[0].manifest.inputs)
        self._names = [bundle.manifest.name for bundle in bundles]
        self._outputs = [[tensor.name for tensor in bundle.manifest.outputs] for bundle in bundles]
        self.parts = nn.ModuleList(rebuilt(bundle) for bundle in bundles)
        for bundle, part in zip(bundles, self.parts, strict=True):
            _check_names(bundle, part)
        self._on_classifier = self._shared_trunk()
        for bundle, part in zip(bundles, self.parts, strict=True):
            _unfold(part)
            if dtype != "fp32":
                for name in ARCHITECTURES[bundle.manifest.architecture].half:
                    _narrow(part, name, dtype)

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute all outputs, float32 and int64 as the manifests declare."""
        tensors = [inputs[name] for name in self._inputs]
        level = None
        if any(isinstance(part, ExportedClassifier | ExportedVae | ExportedQsoFinder) for part in self.parts):
            level = normalise(*tensors)
        read = None
        answers: dict[str, Tensor] = {}
        for place, part in sorted(enumerate(self.parts), key=lambda each: not isinstance(each[1], ExportedClassifier)):
            found: tuple[Tensor, ...]
            if isinstance(part, ExportedClassifier) and level is not None:
                read = part.network.read(part.network.channels.of(*level))
                found = part.answers(tensors[0], read)
            elif isinstance(part, ExportedVae) and level is not None:
                if read is not None and place in self._on_classifier:
                    found = part.answers(tensors[1], *level, read)
                else:
                    found = part.answers(tensors[1], *level, part.network.read(part.network.channels.of(*level)))
            elif isinstance(part, ExportedQsoFinder) and level is not None:
                if read is not None and place in self._on_classifier:
                    found = part.answers(part.network.answers(read.vector, read.quasar), read.quasar)
                else:
                    found = part.answers(*part.network.logits(part.network.channels.of(*level)))
            else:
                found = part(*tensors)
            named = dict(zip(cast(Sequence[str], part.NAMES), found, strict=True))
            answers |= {output_name(self._names[place], name): named[name] for name in self._outputs[place]}
        return answers

    @property
    def shares_trunk(self) -> bool:
        """Return whether all other networks read what the classifier's trunk says."""
        return bool(self._on_classifier) and len(self._on_classifier) == len(self.parts) - 1

    def _shared_trunk(self) -> frozenset[int]:
        """Return the places of parts whose trunk and redshifts are, weight by weight, the classifier's."""
        classifier = next((part.network for part in self.parts if isinstance(part, ExportedClassifier)), None)
        if classifier is None:
            return frozenset()
        return frozenset(
            place
            for place, part in enumerate(self.parts)
            if (pairs := _shared_layers(classifier, part)) and all(_equal(one, two) for one, two in pairs)
        )


class Unfolded(nn.Module):
    """A ``Correlation`` with its kernel shifted once and for all, as a linear layer."""

    def __init__(self, correlation: Correlation) -> None:
        super().__init__()
        self.linear = nn.Linear(correlation.maps * correlation.pixels, correlation.bins)
        self.linear.weight = nn.Parameter(
            (correlation.toeplitz() * correlation.gain).T.contiguous(), requires_grad=False
        )
        self.linear.bias = nn.Parameter(correlation.bias.detach(), requires_grad=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return (b, bins) logits of features (b, maps, 1, pixels)."""
        logits: Tensor = self.linear(features.flatten(1))
        return logits


class Narrow(nn.Module):
    """A layer computed in half precision between fp32 neighbours."""

    def __init__(self, layer: nn.Module, half: torch.dtype) -> None:
        super().__init__()
        self.layer, self._type = layer.to(half), half

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's answer in fp32."""
        y: Tensor = self.layer(x.to(self._type))
        return y.to(torch.float32)


class Tf32(nn.Module):
    """A layer whose products a GPU computes with the 10 bits of TF32; elsewhere it changes nothing.

    How fp32 is multiplied is a setting of the process, which is on while this layer is launched: what a captured graph
    replays was decided when it was captured, one at a time.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Any:
        """Return the layer's answer."""
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        before = matmul.allow_tf32, cudnn.allow_tf32
        matmul.allow_tf32 = cudnn.allow_tf32 = True
        try:
            return self.layer(x)
        finally:
            matmul.allow_tf32, cudnn.allow_tf32 = before


class NarrowTrunk(nn.Module):
    """A ``Trunk`` computed in half precision; its feature maps stay so, its vector is widened."""

    def __init__(self, trunk: nn.Module, half: torch.dtype) -> None:
        super().__init__()
        self.trunk, self._type = trunk.to(half), half

    def forward(self, channels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return feature maps and the vector, as ``Trunk``."""
        fine, coarse, vector = self.trunk(channels.to(self._type))
        return fine, coarse, vector.to(torch.float32)


def _check_names(bundle: Bundle, part: nn.Module) -> None:
    names = cast(Sequence[str], part.NAMES)
    wanted = [tensor.name for tensor in bundle.manifest.outputs]
    if not set(wanted) <= set(names):
        raise BundleError(bundle.manifest.name, expected=f"outputs among {', '.join(names)}", found=", ".join(wanted))


def _shared_layers(classifier: SpectralClassifier, part: nn.Module) -> list[tuple[nn.Module, nn.Module]]:
    """Return the classifier's layers beside those of a part that reads as it does; none where it does not read."""
    if isinstance(part, ExportedQsoFinder):
        finder = part.network
        return [
            (classifier.trunk, finder.trunk),
            (classifier.quasar_maps, finder.maps),
            (classifier.quasar, finder.correlation),
        ]
    if isinstance(part, ExportedVae):
        names = ("trunk", "galaxy_maps", "quasar_maps", "galaxy", "quasar")
        return [(classifier.get_submodule(name), part.network.get_submodule(name)) for name in names]
    return []


def _equal(one: nn.Module, two: nn.Module) -> bool:
    mine, theirs = one.state_dict(), two.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(value, theirs[name]) for name, value in mine.items())


def _unfold(part: nn.Module) -> None:
    """Shift the kernels of a part's correlations once and for all."""
    if isinstance(part, ExportedClassifier | ExportedVae):
        part.network.galaxy = cast(Correlation, Unfolded(part.network.galaxy))
        part.network.quasar = cast(Correlation, Unfolded(part.network.quasar))
    elif isinstance(part, ExportedQsoFinder):
        part.network.correlation = cast(Correlation, Unfolded(part.network.correlation))


def _narrow(part: nn.Module, name: str, dtype: Dtype) -> None:
    """Have one layer of a part, by its dotted name, computed in another number format."""
    parent, _, own = name.rpartition(".")
    layer = part.get_submodule(name)
    narrow: nn.Module
    if dtype == "tf32":
        narrow = Tf32(layer)
    else:
        narrow = (NarrowTrunk if isinstance(layer, Trunk) else Narrow)(layer, _HALF[dtype])
    setattr(part.get_submodule(parent), own, narrow)
