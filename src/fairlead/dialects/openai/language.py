"""OpenAI's language: its name and its tasks. It knows nothing else, so that every other file here may know it."""

from fairlead.chat import Task

DIALECT = "openai"
LANGUAGE = "OpenAI's API"
TASKS: frozenset[Task] = frozenset({"chat", "complete", "embed"})
