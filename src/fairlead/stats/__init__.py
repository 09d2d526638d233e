"""Statistics of measurements: intervals, and how sure one may be. Pure functions; knows nothing of models or money."""
