"""Evaluation that a decision can stand on: suites, runs, judges, comparisons and reports.

Models are reached through the gateway only; what an interval is, is known in `stats`, what a right answer is, in
`scoring`.
"""
