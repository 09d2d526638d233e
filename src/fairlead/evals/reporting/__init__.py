"""Reports of evaluations, for people: one page of HTML that needs nothing else, the same as Markdown and as a
picture."""
