"""Bayesian classifier of 13 classes and OTHER with redshift: a trunk shared by members that are frozen at export.

Novelty is a head of its own, taught with made-up outliers (``simulation.outliers``), which no class is trained on; the
classes' own energy is no measure of it: broad features that no quasar has make the quasar logits large (supernovae were
told from known objects at AUROC 0.35).

Each member has its own dense layer and head, its own bootstrap weights in training (Rubin 1981, Annals of Statistics
9, 130) and an additive random prior function (Osband et al. 2018, arXiv:1806.03335); all members are one batched
matrix product. Class names, redshift ranges and outputs are those of ``classifiers.engine``, role spectral_classifier.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from classifiers.networks.channels import row_sum
from classifiers.networks.correlation import evidence, peaks
from classifiers.networks.declared import ALTERNATIVES, CLASSIFIER_OUTPUTS, GALAXY_BIN, QSO_BIN
from classifiers.networks.reading import GALAXY_WINDOW, QSO_WINDOW, Read, Reading

CLASSES = 13
GALAXY, QSO, STAR = slice(0, 4), slice(4, 6), slice(6, 13)
OTHER_TYPES = 7
NOVEL_HIDDEN = 48
_PRIOR_SCALE = 0.3


class SpectralClassifier(Reading):
    """Trained with ``member_logits``; exported as ``ExportedClassifier``."""

    prior_in: Tensor
    prior_out: Tensor

    def __init__(self, members: int = 8, hidden: int = 24, widths: tuple[int, int, int] = (16, 32, 48)) -> None:
        super().__init__(widths)
        self.members, self.hidden = members, hidden
        self.dense = nn.Linear(self.trunk.vector_size, members * hidden)
        size = hidden + 4
        self.head = nn.Parameter(torch.randn(members, size, CLASSES + 1) / math.sqrt(size))
        self.head_bias = nn.Parameter(torch.zeros(members, 1, CLASSES + 1))
        self.other = nn.Linear(members * hidden, OTHER_TYPES)
        self.novel_dense = nn.Linear(self.trunk.vector_size, NOVEL_HIDDEN)
        self.novel = nn.Linear(NOVEL_HIDDEN + members * hidden + 4, 1)
        self.register_buffer("prior_in", torch.randn(self.trunk.vector_size, members * 4) / 20.0)
        self.register_buffer("prior_out", _PRIOR_SCALE * torch.randn(members, 4, CLASSES + 1))

    def member_logits(self, channels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Compute what the losses need.

        Args:
            channels: (b, 3, 1557).

        Returns:
            class logits (members, b, 14), galaxy redshift logits (b, bins), QSO redshift logits (b, bins),
            other-type logits (b, 7) and novelty logits (b,).
        """
        read = self.read(channels)
        logits, other, novel = self.answers(read)
        return logits, read.galaxy, read.quasar, other, novel

    def answers(self, read: Read) -> tuple[Tensor, Tensor, Tensor]:
        """Return class logits (members, b, 14), other-type logits (b, 7) and novelty logits (b,)."""
        galaxy, quasar, vector = read
        scores = torch.stack([*evidence(galaxy), *evidence(quasar)], dim=1)
        hidden = torch.relu(self.dense(vector))
        own = hidden.reshape(-1, self.members, self.hidden).transpose(0, 1)
        shared = (0.1 * scores)[None].expand(self.members, -1, -1)
        prior = torch.tanh(vector @ self.prior_in).reshape(-1, self.members, 4).transpose(0, 1)
        logits = torch.cat([own, shared], dim=2) @ self.head + self.head_bias + prior @ self.prior_out
        unlike = torch.cat([torch.relu(self.novel_dense(vector)), hidden, 0.1 * scores], dim=1)
        return logits, self.other(hidden), self.novel(unlike)[:, 0]


class ExportedClassifier(nn.Module):
    """The graph: flux and inverse variance to the outputs of role spectral_classifier, in the order of ``NAMES``."""

    NAMES = CLASSIFIER_OUTPUTS
    group: Tensor
    columns: Tensor

    def __init__(self, network: SpectralClassifier) -> None:
        super().__init__()
        self.network = network
        membership = torch.zeros(CLASSES, 3)
        for column, members in enumerate((GALAXY, QSO, STAR)):
            membership[members, column] = 1.0
        self.register_buffer("group", membership, persistent=False)
        self.register_buffer("columns", torch.tensor((0, 0, 1, 1, 2)), persistent=False)

    def forward(self, flux: Tensor, inverse_variance: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs named in ``NAMES``; inputs (b, 1557) float32 as in ``classifiers.engine``."""
        return self.answers(flux, self.network.read(self.network.channels(flux, inverse_variance)))

    def answers(self, flux: Tensor, read: Read) -> tuple[Tensor, ...]:
        """Compute the outputs of what the network reads of a flux (b, 1557)."""
        galaxy, quasar, _ = read
        logits, other, novel = self.network.answers(read)
        members = torch.softmax(logits, dim=2)
        mean = members.mean(dim=0)
        class_logits = torch.log(torch.clamp(mean, min=1e-12))
        known = members[:, :, :CLASSES]
        known = known / torch.clamp(row_sum(known), min=1e-12)
        entropy = _entropy(known.mean(dim=0))
        aleatoric = torch.minimum(_entropy(known).mean(dim=0), entropy)
        solutions = self._solutions(class_logits, galaxy, quasar)
        absent = flux[:, 0] * 0.0 + float("nan")
        return (
            class_logits,
            torch.softmax(other, dim=1),
            entropy,
            aleatoric,
            entropy - aleatoric,
            novel,
            *solutions,
            absent,
            absent,
        )

    def _solutions(self, class_logits: Tensor, galaxy: Tensor, quasar: Tensor) -> tuple[Tensor, ...]:
        """Redshift of the top class with error and margin, then the three most probable other solutions."""
        known = torch.softmax(class_logits[:, :CLASSES], dim=1)
        families = known @ self.group
        first = torch.cat([torch.amax(known[:, part], dim=1, keepdim=True) for part in (GALAXY, QSO, STAR)], dim=1)
        chosen = (first >= torch.amax(known, dim=1, keepdim=True)).to(known.dtype)
        chosen = chosen / row_sum(chosen)
        zero = torch.zeros_like(known[:, 0])
        g = _to_redshift(peaks(galaxy, GALAXY_WINDOW), GALAXY_BIN)
        q = _to_redshift(peaks(quasar, QSO_WINDOW), QSO_BIN)
        best = torch.stack([g[0], q[0], zero], dim=1)
        error = torch.stack([g[1], q[1], zero], dim=1)
        margin = torch.stack([g[2] - g[4], q[2] - q[4], zero + 1.0], dim=1)
        redshift = torch.stack([g[0], g[3], q[0], q[3], zero], dim=1)
        share = torch.stack([g[2], g[4], q[2], q[4], zero + 1.0], dim=1)
        parts = families[:, self.columns]
        taken = torch.stack([chosen[:, 0], zero, chosen[:, 1], zero, chosen[:, 2]], dim=1)
        probability, order = torch.topk(parts * share - 2.0 * taken, ALTERNATIVES, dim=1)
        names = torch.cat(
            [
                torch.argmax(known[:, part], dim=1, keepdim=True) + part.start
                for part in (GALAXY, GALAXY, QSO, QSO, STAR)
            ],
            dim=1,
        )
        return (
            row_sum(best * chosen)[:, 0],
            row_sum(error * chosen)[:, 0],
            torch.clamp(row_sum(margin * chosen)[:, 0], 0.0, 1.0),
            torch.gather(names, 1, order),
            torch.gather(redshift, 1, order),
            torch.clamp(probability, 0.0, 1.0),
        )


def _entropy(probability: Tensor) -> Tensor:
    return -row_sum(probability * torch.log(torch.clamp(probability, min=1e-12)))[..., 0]


def _to_redshift(found: tuple[Tensor, ...], bin_width: float) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Turn positions in bins of ln(1+z) into redshifts and errors; errors have a floor of a twentieth of a bin."""
    first, spread, mass, second, second_mass = found
    redshift = torch.exp(first * bin_width) - 1.0
    error = (1.0 + redshift) * bin_width * (spread + 0.05)
    return redshift, error, mass, torch.exp(second * bin_width) - 1.0, second_mass
