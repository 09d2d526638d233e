"""Pure translation between the languages spoken outside and the house language of `fairlead.chat`.

One file, or a few of the same first name, per language: `openai` (both ways) and `anthropic` (outwards). No I/O, no
credentials, no URLs: those are `backends/`. What a language can't say is refused with a path, never quietly lost.
"""
