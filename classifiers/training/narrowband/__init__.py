"""Simulation and training of the narrow-band (J-PAS) quasar finder."""
