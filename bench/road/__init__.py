"""`make bench`: what a gateway costs a request, beside its peers, in one run on one machine."""
