"""Redshifts of quasars on SDSS's eigenspectra, near the network's."""
