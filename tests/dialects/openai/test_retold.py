"""OpenAI's language: what quirks change of a caller's own request, and that they change nothing else."""

import json

import pytest

from fairlead.dialects import openai
from fairlead.errors import RequestInvalid

CALL = {"id": "call_1234567890", "type": "function", "function": {"name": "f", "arguments": "{}"}}
MESSAGES = [
    {"role": "developer", "content": "be brief"},
    {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": CALL["id"], "content": "x"},
]


def passed(quirks, messages=MESSAGES, **fields):
    request = openai.read_request("chat", json.dumps({"model": "r", "messages": messages, **fields}).encode())
    return json.loads(openai.pass_request(request, model="m", max_output_tokens=1000, params={}, quirks=quirks))


def test_without_a_quirk_thinking_is_asked_for_as_the_caller_did():
    fields = {"reasoning": {"effort": "high"}, "enable_thinking": True}
    body = passed({"stream_usage": False}, **fields)
    assert {name: body[name] for name in fields} == fields
    assert body["messages"] == MESSAGES


@pytest.mark.parametrize(
    ("mode", "said", "told"),
    [
        ("effort", {"reasoning": {"effort": "high"}}, {"reasoning_effort": "high"}),
        ("openrouter", {"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        ("qwen", {"reasoning_effort": "medium"}, {"enable_thinking": True, "thinking_budget": 500}),
        ("vllm", {"enable_thinking": False}, {"chat_template_kwargs": {"enable_thinking": False}}),
        ("vllm", {"chat_template_kwargs": {"style": "x"}}, {"chat_template_kwargs": {"style": "x"}}),
        ("off", {"reasoning_effort": "low", "thinking": {"type": "deep"}}, {}),
    ],
)
def test_a_quirk_says_how_thinking_is_asked_for(mode, said, told):
    body = passed({"reasoning": mode}, **said)
    assert {name: value for name, value in body.items() if name not in ("model", "messages", "max_tokens")} == told


def test_ids_of_calls_become_what_the_target_takes():
    _, assistant, tool = passed({"tool_ids": "mistral9"})["messages"]
    assert len(assistant["tool_calls"][0]["id"]) == 9
    assert tool == {"role": "tool", "tool_call_id": assistant["tool_calls"][0]["id"], "content": "x"}
    assert {**assistant, "tool_calls": [CALL]} == MESSAGES[1]


def test_what_a_target_refuses_is_left_out_of_messages():
    system, assistant, _ = passed({"returns_reasoning": False, "system_role": "system"})["messages"]
    assert system == {"role": "system", "content": "be brief"}
    assert assistant == {"role": "assistant", "content": None, "tool_calls": [CALL]}


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content", "reasoning_details"])
def test_reasoning_is_left_out_under_all_of_its_names(name):
    messages = [{"role": "assistant", "content": "Yes.", name: "hm"}]
    assert passed({"returns_reasoning": False}, messages)["messages"] == [{"role": "assistant", "content": "Yes."}]


def test_messages_without_reasoning_are_not_even_looked_into():
    messages = b'[ {"role":"user",  "content":"no reasoning"} ]'
    request = openai.read_request("chat", b'{"model":"r","messages":' + messages + b"}")
    passed = openai.pass_request(
        request, model="m", max_output_tokens=9, params={}, quirks={"returns_reasoning": False}
    )
    assert messages in passed


def test_a_mistake_is_named():
    with pytest.raises(RequestInvalid) as caught:
        passed({"tool_ids": "mistral9"}, messages=[{"role": "assistant", "tool_calls": [{"id": 5}]}])
    assert caught.value.param == "messages[0].tool_calls[0].id"
