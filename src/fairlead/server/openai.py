"""The endpoints that speak OpenAI: chat completions, completions, embeddings; and rerank, which has its errors.

How a request is served is in `answering.py`; translation is in `dialects/`.
"""

from functools import partial

from fairlead.chat import Answer, Request, Task
from fairlead.dialects import openai, rerank
from fairlead.server.answering import Tongue, serve
from fairlead.server.data import Endpoint


def _vectors(_: object, answer: Answer, request: Request) -> bytes:
    spoken = answer.spoken is not None and answer.dialect == openai.DIALECT
    encoding = "float" if spoken else request.embed().encoding
    return openai.write_answer(answer, created=0, task="embed", encoding=encoding)


OPENAI = Tongue(openai)
EMBEDDINGS = Tongue(openai, body=_vectors)
RERANK = Tongue(rerank)


def _asks(task: Task, tongue: Tongue = OPENAI) -> Endpoint:
    return partial(serve, tongue=tongue, read=partial(openai.read_request, task))


_rerank: Endpoint = partial(serve, tongue=RERANK, read=partial(rerank.read_request, "rerank"))


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", "/v1/chat/completions"): _asks("chat"),
    ("POST", "/v1/completions"): _asks("complete"),
    ("POST", "/v1/embeddings"): _asks("embed", EMBEDDINGS),
    ("POST", "/v1/rerank"): _rerank,
    ("POST", "/v2/rerank"): _rerank,
    ("POST", "/rerank"): _rerank,
}
