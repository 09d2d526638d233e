"""Pure translation between the languages spoken outside and the house language of `fairlead.chat`.

A package per language (`openai`, `responses`, `anthropic`, `gemini`, `bedrock`, `rerank`), each with the same names in
front (`docs/architecture.md`), and modules for what holds in all of them. No I/O, no credentials, no URLs: those are
`backends/`. What a language can't say is refused with its path, or left out and told; never quietly lost.
"""
