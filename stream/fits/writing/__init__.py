"""``l1_spectrum`` records to FITS files of the surveys' layouts, for simulated spectra: what ``stream.fits`` reads.

Each module writes one layout, so that its reader gives back wavelengths, flux, uncertainty and masks bit for bit.
Keywords of the survey's pipeline that a simulation has no value for are left out. Only ``hdus`` imports
``astropy.io.fits`` here.
"""
