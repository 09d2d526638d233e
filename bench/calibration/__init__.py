"""`make calibration`: how often our intervals hold the truth, and how often decisions are wrong."""
