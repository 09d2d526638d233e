"""OpenAI's Responses language: its name, and the words that both directions need. It reads and writes nothing."""

from fairlead.chat import Task

DIALECT = "responses"
LANGUAGE = "OpenAI's Responses API"
TASKS: frozenset[Task] = frozenset({"chat", "count"})

ENCRYPTED_REASONING = "reasoning.encrypted_content"  # what `include` calls a reasoning item's signature
TEXT_LOGPROBS = "message.output_text.logprobs"
BETWEEN_SUMMARIES = "\n\n"  # a reasoning item tells its summary in parts; the house keeps one text
PICTURE_PREFIX = "ig_fairlead"  # ids of pictures that another provider made: they come back as pictures
