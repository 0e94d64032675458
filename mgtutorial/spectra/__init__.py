"""Part 3, what the networks have learned: convolutions as operators, and their spectra."""
