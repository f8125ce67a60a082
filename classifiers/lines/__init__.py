"""Emission lines measured at the redshift of the network, and the subclasses that rest on them."""
