"""Every command line: `mtl-keras` and the experiments' own."""
