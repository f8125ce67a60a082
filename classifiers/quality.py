"""Quality bits of an L2 record (``quality_flags``); 0 = good. The values are public: never reuse one."""

from __future__ import annotations

from enum import IntFlag


class Quality(IntFlag):
    """One bit for each thing a user should know about the input or the output."""

    MASKED_PIXELS = 1 << 0  # more than 10 % of the pixels inside the spectrum are masked
    SHORT_COVERAGE = 1 << 1  # covers less of the common grid than the bundle's full domain
    LOW_SNR = 1 << 2  # median S/N below the bundle's declared domain
    NON_FINITE_INPUT = 1 << 3  # NaN or inf in flux or uncertainty, masked
    BAD_UNCERTAINTY = 1 << 4  # negative, or zero where it may not be, masked
    LOW_RESOLUTION = 1 << 5  # resolving power below the declared domain
    NO_QUALITY_ARRAY = 1 << 6  # the survey gave no mask
    UNCALIBRATED_FLUX = 1 << 7  # counts or dimensionless flux
    CUTOUT_MISSING = 1 << 8  # one of the three stamps is missing
    CUTOUT_TRUNCATED = 1 << 9  # stamp smaller than nominal (chip edge), padded
    CUTOUT_RESIZED = 1 << 10  # stamp larger than the engine's, central part used
    CUTOUT_NON_FINITE = 1 << 11  # NaN pixels in a stamp, masked
    NON_FINITE_OUTPUT = 1 << 12  # an engine answered NaN or inf: the record is unknown
    SKY_FIBRE = 1 << 13  # fibre_use = SKY: counted apart
    NO_POSITION = 1 << 14  # no coordinates came with the record
    GAPS = 1 << 15  # the wavelength axis has gaps of more than 10 pixels
    SECOND_REDSHIFT = 1 << 16  # lines of a second galaxy or quasar: the first of the redshift alternatives
    BROAD_ABSORPTION = 1 << 17  # a quasar with broad absorption lines: p_bal above a half
