"""From raw spectra on any axis to flux and inverse variance on one common grid; numpy only."""
