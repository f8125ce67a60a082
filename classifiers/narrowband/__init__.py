"""The narrow-band lane: photometry in some dozens of bands (J-PAS pseudo-spectra) through one engine to verdicts."""
