"""The spectrum lane: spectra on a common grid through the spectral engines to verdicts."""
