"""Pictures of classified spectra and nights (extra ``plot``)."""
