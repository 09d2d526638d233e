"""What is said of paths that are not served: what to use instead, in the language of whoever asks there.

The first row whose prefix fits is told. It serves nothing.
"""

from fairlead.dialects import anthropic, bedrock, gemini, responses
from fairlead.server.data import Hint
from fairlead.server.gemini import METHODS

LATER = "not served by Fairlead yet; call the provider directly for this one"
ONE_V1 = "the base URL of a client ends in /v1"
NO_PATH = "the base URL of this client has no path"
AZURE = "Azure's own paths are not served: use the plain OpenAI client, whose base URL ends in /v1"
HINTS: tuple[Hint, ...] = (
    Hint("/v1/audio", f"audio is {LATER}"),
    Hint("/v1/images", f"images are {LATER}"),
    Hint("/v1/videos", f"videos are {LATER}"),
    Hint("/v1/batches", f"batches are {LATER}"),
    Hint("/v1/files", f"files are {LATER}"),
    Hint("/v1/uploads", f"uploads are {LATER}"),
    Hint("/v1/fine_tuning", f"fine-tuning is {LATER}"),
    Hint("/v1/realtime", f"the realtime API is {LATER}"),
    Hint("/v1/moderations", f"moderation is {LATER}"),
    Hint("/v1/assistants", "assistants are not served; use /v1/responses"),
    Hint("/v1/threads", "threads are not served; use /v1/responses"),
    Hint("/v1/vector_stores", f"vector stores are {LATER}"),
    Hint("/v1/conversations", "conversations are not served; `previous_response_id` continues a response", responses),
    Hint("/v1/responses", "a response can be made, continued by `previous_response_id`, and deleted", responses),
    Hint("/v1/messages/batches", f"batches are {LATER}", anthropic),
    Hint("/v1/messages", "messages are sent to /v1/messages, counted at /v1/messages/count_tokens", anthropic),
    Hint("/v1/complete", "use /v1/messages, or /v1/completions of OpenAI's API", anthropic),
    Hint("/v1beta1", "use the client without `vertexai`", gemini),
    Hint("/v1beta/models", f"the methods of a model: {', '.join(METHODS)}", gemini),
    Hint("/v1beta/v1", NO_PATH, gemini),
    Hint("/v1beta", f"files, caches and whatever else is no model are {LATER}", gemini),
    Hint("/v1/projects", "use the client without `vertexai`", gemini),
    Hint("/model/", "use /model/ROUTE/converse, /converse-stream or /count-tokens", bedrock),
    Hint("/v1/v1/messages", NO_PATH, anthropic),
    Hint("/v1/v1beta", NO_PATH, gemini),
    Hint("/v1/model/", NO_PATH, bedrock),
    Hint("/v1/v1", "the base URL of a client ends in one /v1"),
    Hint("/v1/deployments", AZURE),
    Hint("/openai/", AZURE),
    Hint("/v2/", "of Cohere's API only rerank is served"),
    Hint("/chat/completions", ONE_V1),
    Hint("/completions", ONE_V1),
    Hint("/embeddings", ONE_V1),
    Hint("/responses", ONE_V1),
    Hint("/models", ONE_V1),
    Hint("/messages", NO_PATH, anthropic),
    Hint("/metrics", "metrics are on the admin listener"),
)
