"""Forward simulation of survey spectra from a compact basis; needs numpy alone."""
