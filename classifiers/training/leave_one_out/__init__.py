"""Leave one survey out: small classifiers, each trained without one survey's instruments, on that survey's spectra."""
