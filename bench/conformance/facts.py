"""What a recorded answer says, read from its JSON by hand: text, tool calls, why it ended, what it used.

This is the other opinion: nothing of the product is used here. Only what is certain is read; an ending that is not in
ENDS is of no kind that the house knows.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

ENDS = {
    "stop": "stop", "eos": "stop", "length": "length", "tool_calls": "tool_calls", "function_call": "tool_calls",
    "content_filter": "content_filter",
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "model_context_window_exceeded": "length",
    "pause_turn": "length", "tool_use": "tool_calls", "refusal": "content_filter",
    "guardrail_intervened": "content_filter", "content_filtered": "content_filter",
    "STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter", "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter", "PROHIBITED_CONTENT": "content_filter", "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
}  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """`text` holds a refusal's words too. `calls`: (name, arguments) in order, None where they come in pieces that only
    the provider's own client can put together. `end` is content_filter where the model refused, however that is told.
    `used`: (input, output) tokens as the provider bills them; None: unsaid.
    """

    text: str
    calls: tuple[tuple[str, str], ...] | None
    end: str | None
    used: tuple[int, int] | None


def of_openai(body: Any) -> Facts:
    choices = body.get("choices") or []
    messages = [choice.get("message") or {"content": choice.get("text")} for choice in choices]
    calls = [
        (call["function"].get("name") or "", canonical(call["function"].get("arguments")))
        for message in messages
        for call in message.get("tool_calls") or []
        if (call.get("function") or {}).get("name")  # some servers send an empty one where nothing is called
    ]
    for message in messages:
        if (called := message.get("function_call")) and called.get("name"):
            calls.append((called.get("name") or "", canonical(called.get("arguments"))))
    end = ENDS.get((choices[0].get("finish_reason") if choices else None) or "")
    refused = "".join(message.get("refusal") or "" for message in messages)
    text = "".join(_content(message.get("content")) for message in messages) + refused
    return Facts(text, tuple(calls), "content_filter" if refused else end, openai_used(body))


def openai_used(body: Any) -> tuple[int, int] | None:
    usage = body.get("usage") or (body.get("x_groq") or {}).get("usage")
    if not usage:
        return None
    prompt, completion = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    if reasoning and usage.get("total_tokens") == prompt + completion + reasoning:
        completion += reasoning
    return prompt, completion


def of_openai_stream(events: Iterable[tuple[str, bytes]]) -> Facts:
    texts: dict[int, str] = {}
    calls: dict[tuple[int, Any], list[str]] = {}
    order: list[tuple[int, Any]] = []
    end, used, refused = None, None, False
    for _, data in events:
        if data.strip() == b"[DONE]":
            break
        event = json.loads(data)
        used = openai_used(event) or used
        for choice in event.get("choices") or []:
            delta = choice.get("delta") or {"content": choice.get("text")}
            number = choice.get("index", 0)
            said = _content(delta.get("content")) + (delta.get("refusal") or "")
            refused |= bool(delta.get("refusal"))
            texts[number] = texts.get(number, "") + said
            end = end or choice.get("finish_reason")
            for place, call in enumerate(delta.get("tool_calls") or []):
                number = call.get("index")
                key = (choice.get("index", 0), number if number is not None else call.get("id") or place)
                if key not in calls:
                    calls[key] = ["", ""]
                    order.append(key)
                function = call.get("function") or {}
                calls[key][0] += function.get("name") or ""
                calls[key][1] += _as_text(function.get("arguments"))
    called = tuple((calls[key][0], canonical(calls[key][1])) for key in sorted(order, key=lambda key: key[0]))
    text = "".join(text for _, text in sorted(texts.items()))
    return Facts(text, called, "content_filter" if refused else ENDS.get(end or ""), used)


def of_responses(body: Any) -> Facts:
    texts: list[str] = []
    calls: list[tuple[str, str]] = []
    refused = False
    for item in body.get("output") or []:
        if item.get("type") == "message":
            parts = item.get("content") or []
            texts += [part.get("text") or "" for part in parts if part.get("type") == "output_text"]
            texts += [part.get("refusal") or "" for part in parts if part.get("type") == "refusal"]
            refused |= any(part.get("type") == "refusal" for part in item.get("content") or [])
        elif item.get("type") == "function_call":
            calls.append((item.get("name") or "", canonical(item.get("arguments"))))
    end = None
    if body.get("status") == "completed":
        end = "content_filter" if refused else "tool_calls" if calls else "stop"
    elif body.get("status") == "incomplete":
        why = (body.get("incomplete_details") or {}).get("reason")
        end = {"max_output_tokens": "length", "content_filter": "content_filter"}.get(why or "")
    usage = body.get("usage")
    used = (usage.get("input_tokens") or 0, usage.get("output_tokens") or 0) if usage else None
    return Facts("".join(texts), tuple(calls), end, used)


def of_responses_stream(events: Iterable[tuple[str, bytes]]) -> Facts:
    body: Any = {}
    done: list[Any] = []
    for _, data in events:
        event = json.loads(data)
        if event.get("type") in ("response.completed", "response.incomplete"):
            body = event["response"]
        elif event.get("type") == "response.output_item.done":
            done.append(event["item"])
    if body and not body.get("output"):  # some servers tell the items once
        body = {**body, "output": done}
    return of_responses(body)


def of_anthropic(body: Any) -> Facts:
    blocks = body.get("content") or []
    text = "".join(block.get("text") or "" for block in blocks if block.get("type") == "text")
    text += (body.get("stop_details") or {}).get("explanation") or ""
    calls = [
        (block.get("name") or "", canonical(block.get("input"))) for block in blocks if block.get("type") == "tool_use"
    ]
    return Facts(text, tuple(calls), ENDS.get(body.get("stop_reason") or ""), _anthropic_used(body.get("usage")))


def _anthropic_used(usage: Any) -> tuple[int, int] | None:
    if not usage:
        return None
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return sum(usage.get(name) or 0 for name in names), usage.get("output_tokens") or 0


def of_anthropic_stream(events: Iterable[tuple[str, bytes]]) -> Facts:
    blocks: dict[int, Any] = {}
    usage: dict[str, Any] = {}
    stop, details = None, None
    for _, data in events:
        event = json.loads(data)
        match event.get("type"):
            case "message_start":
                usage |= event["message"].get("usage") or {}
            case "content_block_start":
                blocks[event["index"]] = {**event["content_block"], "json": ""}
            case "content_block_delta":
                block, delta = blocks[event["index"]], event["delta"]
                block["text"] = (block.get("text") or "") + (delta.get("text") or "")
                block["json"] += delta.get("partial_json") or ""
            case "message_delta":
                stop = event["delta"].get("stop_reason") or stop
                details = event["delta"].get("stop_details") or details
                usage |= {name: value for name, value in (event.get("usage") or {}).items() if value is not None}
    for block in blocks.values():
        if block["json"]:
            block["input"] = block["json"]
    whole = {"content": list(blocks.values()), "stop_reason": stop, "stop_details": details, "usage": usage}
    return of_anthropic(whole)


def of_gemini(body: Any) -> Facts:
    candidates = body.get("candidates") or []
    parts = [part for candidate in candidates for part in (candidate.get("content") or {}).get("parts") or []]
    text = "".join(part.get("text") or "" for part in parts if not part.get("thought"))
    called = [part.get("functionCall") for part in parts if part.get("functionCall")]
    calls = tuple((call.get("name") or "", canonical(call.get("args"))) for call in called)
    end = ENDS.get(candidates[0].get("finishReason") or "") if candidates else None
    if calls and end in ("stop", None):  # also a call that it calls unexpected
        end = "tool_calls"
    if not candidates and (body.get("promptFeedback") or {}).get("blockReason"):
        end = "content_filter"
    return Facts(text, calls, end, _gemini_used(body.get("usageMetadata")))


def _gemini_used(usage: Any) -> tuple[int, int] | None:
    if not usage:
        return None
    asked = (usage.get("promptTokenCount") or 0) + (usage.get("toolUsePromptTokenCount") or 0)
    return asked, (usage.get("candidatesTokenCount") or 0) + (usage.get("thoughtsTokenCount") or 0)


def of_gemini_stream(events: Iterable[tuple[str, bytes]]) -> Facts:
    parts: list[Any] = []
    end, usage = None, None
    for _, data in events:
        event = json.loads(data)
        usage = event.get("usageMetadata") or usage
        for candidate in event.get("candidates") or []:
            parts += (candidate.get("content") or {}).get("parts") or []
            end = candidate.get("finishReason") or end
    whole = of_gemini({"candidates": [{"content": {"parts": parts}, "finishReason": end}], "usageMetadata": usage})
    pieces = any("partialArgs" in (part.get("functionCall") or {}) for part in parts)
    return replace(whole, calls=None) if pieces else whole


def of_bedrock(body: Any) -> Facts:
    blocks = ((body.get("output") or {}).get("message") or {}).get("content") or []
    text = "".join(block.get("text") or "" for block in blocks)
    used = [block["toolUse"] for block in blocks if block.get("toolUse")]
    used = [call for call in used if call.get("type") != "server_tool_use"]  # it ran there
    calls = tuple((call.get("name") or "", canonical(call.get("input"))) for call in used)
    return Facts(text, calls, ENDS.get(body.get("stopReason") or ""), _bedrock_used(body.get("usage")))


def _bedrock_used(usage: Any) -> tuple[int, int] | None:
    if not usage:
        return None
    names = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    return sum(usage.get(name) or 0 for name in names), usage.get("outputTokens") or 0


def of_bedrock_stream(events: Iterable[tuple[str, bytes]]) -> Facts:
    blocks: dict[int, Any] = {}
    stop, usage = None, None
    for event, data in events:
        said = json.loads(data)
        block = blocks.setdefault(said.get("contentBlockIndex", -1), {})
        match event:
            case "contentBlockStart":
                block.update(said.get("start") or {})
            case "contentBlockDelta":
                delta = said["delta"]
                if "text" in delta:
                    block["text"] = block.get("text", "") + delta["text"]
                if piece := (delta.get("toolUse") or {}).get("input"):
                    block["toolUse"]["input"] = (block["toolUse"].get("input") or "") + piece
            case "messageStop":
                stop = said.get("stopReason")
            case "metadata":
                usage = said.get("usage")
    content = [block for number, block in sorted(blocks.items()) if number >= 0]
    return of_bedrock({"output": {"message": {"content": content}}, "stopReason": stop, "usage": usage})


def _content(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if isinstance(part, dict) and "text" in part
                       and isinstance(part["text"], str))  # fmt: skip
    return content or ""


def _as_text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else "" if arguments is None else json.dumps(arguments)


def canonical(arguments: Any) -> str:
    """Canonical JSON where it is JSON, so that two spellings are one."""
    text = _as_text(arguments)
    try:
        return json.dumps(json.loads(text or "{}"), sort_keys=True)
    except ValueError:
        return text


UNARY = {"openai": of_openai, "responses": of_responses, "anthropic": of_anthropic, "gemini": of_gemini,
         "bedrock": of_bedrock}  # fmt: skip
STREAMED = {"openai": of_openai_stream, "responses": of_responses_stream, "anthropic": of_anthropic_stream,
            "gemini": of_gemini_stream, "bedrock": of_bedrock_stream}  # fmt: skip
