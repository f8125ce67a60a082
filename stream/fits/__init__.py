"""Surveys' FITS files to ``l1_spectrum`` records.

``read_fits`` is the way in; ``group_arms`` says which files are arms of one exposure. A file is recognised by its
headers, read lazily, and every record states unit, medium, frame, calibration and kind of uncertainty; what came from a
survey's documentation instead of the file is listed in the record's ``assumptions``. Only ``opening`` imports
``astropy.io.fits``.
"""

from stream.fits.errors import BadSpectraError, FitsError
from stream.fits.grouping import group_arms
from stream.fits.reading import read_fits, recognise

__all__ = ["BadSpectraError", "FitsError", "group_arms", "read_fits", "recognise"]
