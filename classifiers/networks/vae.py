"""Variational autoencoder of known spectra (Kingma & Welling 2014, arXiv:1312.6114) with inverse-variance likelihood.

Lines stand at any redshift, which no small perceptron learns to draw; in the rest frame they stand still (Melchior et
al. 2023, AJ 166, 74, draw galaxies so, at redshifts that a survey gives). Here the redshift is what the classifier's
trunk reads, frozen as in the QSO finder, of the kind that is most probable by a linear layer of this network: galaxy,
quasar, or star, which has none. The encoder sees the spectrum as observed and its lines at rest; the decoder draws what
is observed and, moved to the redshift, what is at rest. Without the second part it drew 0.00 of the light of lines.

At export the latent mean alone is used. Score is the reduced chi-square of the reconstruction in bins of 9 pixels with
errors for what the latent space leaves out: shares of the level, of what is drawn at rest, and of the flux in a
Lyman-alpha forest, which nobody can foresee. These shares are fitted with the weights. Bins, because what is left out
of known objects (narrow lines, cosmic rays) is narrow, and what is novel as a rule is not. (Bins found up to eight
times as many supernovae as pixels did, in a first version; the supernovae served for this choice alone, no weight was
fitted to them.) A bin counts at most ``LARGEST_CHI2``: on simulated outliers more is better, but real spectra have
accidents that nobody simulates. Each pixel's contribution is the chi-square of its bin. The map is fitted to the latent
means and shifts, all that a spectrum is drawn from, once the autoencoder is trained
(``classifiers.training.latent_map``).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from classifiers.networks.channels import PIXELS, compress, normalise, row_sum, sum_bins
from classifiers.networks.correlation import peaks
from classifiers.networks.declared import ANOMALY_OUTPUTS, GALAXY_BIN, LN_STEP, QSO_BIN
from classifiers.networks.latent_map import LatentMap
from classifiers.networks.reading import GALAXY_WINDOW, QSO_WINDOW, Read, Reading
from classifiers.networks.rest_frame import BIN, OBSERVED_BINS, REST_BINS, REST_PIXELS, to_observed, to_rest
from classifiers.preprocess.grid import COMMON_GRID

LARGEST_CHI2 = 50.0
LARGEST_CONTRIBUTION = 3e4
"""What is told of a bin, of which the score counts less: half precision holds no more than 65,504."""
BIN_PIXELS = 9
LATENT = 40
"""Numbers that a spectrum is drawn from, beside its shift."""
SHIFT_SCALE = 1.0 / 400.0
"""Makes a shift as large as a latent number: those of quasars scatter by some 400 pixels, latent numbers by 1."""
CODE = LATENT + 1
KINDS_READ = 3
"""Galaxy, quasar and star, which differ in the redshift that they are drawn at."""
_LYMAN_ALPHA = (math.log(1215.67) - COMMON_GRID.log10_start * math.log(10.0)) / LN_STEP
_PIXEL_FLOORS, _BIN_FLOORS = (0.08, 0.15, 0.3), (0.04, 0.15, 0.3)
_LEAST_LINE_WEIGHT = 4.0
_HIDDEN_OUT, _RANK = 96, 56
_FIRST_AT_REST = 0.1
_TINY = 1e-9


class Drawn(NamedTuple):
    """A reconstruction in units of the level, and what of it was drawn at rest; (b, 1557) each."""

    whole: Tensor
    at_rest: Tensor


class SpectralVae(Reading):
    """Encoder and decoder between normalised spectra and ``latent`` numbers; the encoder sees bins of 3 pixels.

    Args:
        latent: numbers.
        hidden: width of the encoder's layers.
    """

    def __init__(self, latent: int = LATENT, hidden: int = 120) -> None:
        super().__init__()
        self.latent = latent
        self.kind = nn.Linear(self.trunk.vector_size, KINDS_READ)
        self.see = nn.Linear(2 * OBSERVED_BINS, hidden)
        self.see_at_rest = nn.Linear(REST_BINS, hidden // 2)
        self.encoder = nn.Sequential(
            nn.ReLU(), nn.Linear(hidden + hidden // 2, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent)
        )
        self.decoder = _decoder(latent, PIXELS)
        self.decoder_at_rest = _decoder(latent, REST_PIXELS, _FIRST_AT_REST)
        self.pixel_floors = nn.Parameter(torch.log(torch.tensor(_PIXEL_FLOORS)))
        self.bin_floors = nn.Parameter(torch.log(torch.tensor(_BIN_FLOORS)))

    def shifts(self, read: Read) -> Tensor:
        """Return ln(1 + z) in pixels at the best redshift of a galaxy, of a quasar and, 0, of a star, (b, 3)."""
        galaxy = peaks(read.galaxy, GALAXY_WINDOW)[0] * (GALAXY_BIN / LN_STEP)
        quasar = peaks(read.quasar, QSO_WINDOW)[0] * (QSO_BIN / LN_STEP)
        return torch.stack([galaxy, quasar, torch.zeros_like(galaxy)], dim=1)

    def chosen(self, shifts: Tensor, vector: Tensor) -> Tensor:
        """Return that of ``shifts`` (b, 3) whose kind the trunk's vector makes most probable, (b, 1)."""
        return torch.gather(shifts, 1, torch.argmax(self.kind(vector), dim=1, keepdim=True))

    def shift(self, read: Read) -> Tensor:
        """Return the shift of the most probable kind, (b, 1) [pixels]."""
        return self.chosen(self.shifts(read), read.vector)

    def encode(self, x: Tensor, significance: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        """Return latent mean and log variance, (b, latent) each.

        Args:
            x: (b, 1557) normalised flux.
            significance: (b, 1557) S/N at level flux.
            shift: (b, 1) as ``shift`` returns it.
        """
        weight = significance * significance
        total = sum_bins(weight, BIN)
        mean = sum_bins(weight * x, BIN) / torch.clamp(total, min=_TINY)
        snr = torch.log(torch.clamp(total, min=1e-4, max=1e6)) * 0.1
        lines = sum_bins(weight * (x - self.channels.continuum(x, significance)), BIN) / (total + _LEAST_LINE_WEIGHT)
        observed = self.see(torch.cat([compress(mean), snr], dim=1))
        at_rest = self.see_at_rest(to_rest(compress(lines), shift))
        code = self.encoder(torch.cat([observed, at_rest], dim=1))
        return code[:, : self.latent], torch.clamp(code[:, self.latent :], -10.0, 4.0)

    def decode(self, latent: Tensor, shift: Tensor) -> Drawn:
        """Return the reconstruction of latent numbers (b, latent) at shifts (b, 1)."""
        at_rest = to_observed(self.decoder_at_rest(latent), shift)
        return Drawn(self.decoder(latent) + at_rest, at_rest)


def _decoder(latent: int, pixels: int, gain: float = 1.0) -> nn.Sequential:
    """Return a perceptron from (b, latent) to (b, pixels), whose last layer begins ``gain`` times as large."""
    last = nn.Linear(_RANK, pixels)
    with torch.no_grad():
        last.weight.mul_(gain)
        last.bias.mul_(gain)
    return nn.Sequential(nn.Linear(latent, _HIDDEN_OUT), nn.ReLU(), nn.Linear(_HIDDEN_OUT, _RANK), nn.ReLU(), last)


class Residual(NamedTuple):
    """Squared residuals over their variance, and that variance over the one of the noise alone; both 0, 1 if masked."""

    chi2: Tensor
    widened: Tensor


def pixel_residual(x: Tensor, significance: Tensor, drawn: Drawn, shift: Tensor, floors: Tensor) -> Residual:
    """Return the residual of each pixel, (b, 1557).

    Args:
        x: (b, 1557) normalised flux.
        significance: (b, 1557) S/N at level flux.
        drawn: the reconstruction.
        shift: (b, 1) that it was drawn at [pixels].
        floors: (3,) logarithms of the errors, relative to the level, to what is drawn at rest, to a forest's flux.
    """
    weight = significance * significance
    widened = 1.0 + weight * (torch.exp(2.0 * floors[0]) + _relative_variance(drawn, shift, floors))
    residual = x - drawn.whole
    return Residual(residual * residual * weight / widened, widened)


def bin_residual(x: Tensor, significance: Tensor, drawn: Drawn, shift: Tensor, floors: Tensor) -> Residual:
    """Return the mean residual of each bin of 9 pixels, (b, 173); arguments as in ``pixel_residual``."""
    weight = significance * significance
    total = sum_bins(weight)
    residual = sum_bins((x - drawn.whole) * weight) / torch.clamp(total, min=_TINY)
    relative = sum_bins(_relative_variance(drawn, shift, floors)) * (1.0 / BIN_PIXELS)
    widened = 1.0 + total * (torch.exp(2.0 * floors[0]) + relative)
    return Residual(residual * residual * total / widened, widened)


def _relative_variance(drawn: Drawn, shift: Tensor, floors: Tensor) -> Tensor:
    pixel = torch.arange(PIXELS, device=shift.device, dtype=shift.dtype)[None]
    forest = torch.clamp(shift + _LYMAN_ALPHA - pixel, 0.0, 1.0)
    share = torch.exp(2.0 * floors)
    return share[1] * drawn.at_rest * drawn.at_rest + share[2] * forest * drawn.whole * drawn.whole


def score(chi_square_of_bins: Tensor, significance: Tensor) -> Tensor:
    """Return the mean chi-square of the bins that are not masked throughout, (b,).

    Args:
        chi_square_of_bins: (b, 173), at most ``LARGEST_CHI2``.
        significance: (b, 1557) S/N at level flux.
    """
    occupied = row_sum((sum_bins(significance * significance) > 0).to(significance.dtype))
    return (row_sum(chi_square_of_bins) / torch.clamp(occupied, min=1.0))[:, 0]


class ExportedVae(nn.Module):
    """The graph: flux and inverse variance to ``NAMES``."""

    NAMES = ANOMALY_OUTPUTS

    def __init__(self, network: SpectralVae, place: LatentMap) -> None:
        super().__init__()
        self.network = network
        self.place = place

    def forward(self, flux: Tensor, inverse_variance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute score (b,), contribution (b, 1557) and map (b, 2); inputs (b, 1557) float32."""
        level = normalise(flux, inverse_variance)
        return self.answers(inverse_variance, *level, self.network.read(self.network.channels.of(*level)))

    def answers(
        self, inverse_variance: Tensor, x: Tensor, significance: Tensor, read: Read
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the outputs of what ``normalise`` returns, flux over level and S/N at level flux, and of ``read``."""
        shift = self.network.shift(read)
        latent, _ = self.network.encode(x, significance, shift)
        drawn = self.network.decode(latent, shift)
        chi2 = bin_residual(x, significance, drawn, shift, self.network.bin_floors).chi2
        good = (inverse_variance > 0).to(x.dtype)
        shown = spread_bins(torch.clamp(chi2, max=LARGEST_CONTRIBUTION)) * good
        return score(torch.clamp(chi2, max=LARGEST_CHI2), significance), shown, self.place(code(latent, shift))


def code(latent: Tensor, shift: Tensor) -> Tensor:
    """Return all that a spectrum is drawn from, which is what the map shows: (b, ``CODE``)."""
    return torch.cat([latent, shift * SHIFT_SCALE], dim=1)


def spread_bins(x: Tensor) -> Tensor:
    """Give each pixel its bin's value, (b, 173) to (b, 1557), as a matrix product: onnxruntime's Expand takes 18 us."""
    ones = torch.ones(1, BIN_PIXELS, dtype=x.dtype, device=x.device)
    return (x[:, :, None] @ ones).reshape(-1, PIXELS)
