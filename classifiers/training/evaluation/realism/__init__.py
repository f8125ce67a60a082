"""Are simulated spectra like real ones? Distributions side by side, and a classifier that tries to tell them apart."""
