"""Results of other harnesses, and tables of anybody's numbers, as score tables. One file per format; none trusts its
file."""
