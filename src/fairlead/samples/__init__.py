"""Made-up documents with known answers: the material that the shipped models are trained and measured on.

Everything here is seeded and needs the standard library alone, so that the demo, the tests and the evaluations can all
draw the same held-out documents. Start at `fairlead.samples.draw`. Knows nothing of models, engines or the gateway.
"""
