"""People label answers: what is drawn for them, what they are shown, and what becomes of what they say.

The sample is drawn at random without looking at verdicts, and shown without saying whose answer it is or what a judge
thought of it: else what `stats.ppi` makes of the labels would be wrong.
"""
