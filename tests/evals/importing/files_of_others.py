"""Results as other harnesses write them: their shapes, with contents of our own."""

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import zstandard

HEADER = {
    "version": 2,
    "status": "success",
    "eval": {
        "model": "mockllm/model",
        "task": "adding",
        "created": "2026-01-02T03:04:05+00:00",
        "run_id": "r1",
        "dataset": {"samples": 2, "sample_ids": [0, 1]},
        "packages": {"inspect_ai": "0.3.285"},
    },
    "plan": {"name": "plan", "steps": []},
    "results": {"total_samples": 2},
}


def sample(id: int | str, value: Any, **more: Any) -> dict[str, Any]:
    """A sample of an Inspect log; the events that make up most of a real one are there, and mean nothing."""
    return {
        "id": id,
        "epoch": 1,
        "input": f"What is {id}+1?",
        "target": "1",
        "messages": [{"id": "m", "content": "What?", "role": "user"}],
        "output": {"model": "mockllm/model", "choices": [], "completion": "one"},
        "scores": {"match": {"value": value, "answer": "1", "history": []}},
        "metadata": {"cluster": 7},
        "events": [{"event": "model", "pending": None}],
        "model_usage": {"mockllm/model": {"input_tokens": 5, "output_tokens": 1, "total_tokens": 6}},
        "total_time": 2.0,
        "working_time": 1.5,
    } | more


def inspect_log(path: Path, *samples: dict[str, Any], zstd: bool = False, header: Any = HEADER) -> Path:
    entries = {f"samples/{one['id']}_epoch_{one['epoch']}.json": one for one in samples}
    if header is not None:
        entries["header.json"] = header
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED if zstd else zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, json.dumps(content))
    return packed_with_zstandard(path) if zstd else path


def packed_with_zstandard(path: Path) -> Path:
    """The same archive, its entries in two Zstandard frames each, as Inspect writes long ones."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    local, central = b"", b""
    pack = zstandard.ZstdCompressor().compress
    for name, content in entries.items():
        half = len(content) // 2
        packed = pack(content[:half]) + pack(content[half:])
        sizes = b"".join(number.to_bytes(4, "little") for number in (zlib.crc32(content), len(packed), len(content)))
        known = b"\x3f\x00\x00\x00\x5d\x00\x00\x00\x21\x00" + sizes + len(name).to_bytes(2, "little") + b"\x00\x00"
        central += b"PK\x01\x02\x3f\x00" + known + b"\x00" * 10 + len(local).to_bytes(4, "little") + name.encode()
        local += b"PK\x03\x04" + known + name.encode() + packed
    count = len(entries).to_bytes(2, "little")
    end = count + count + len(central).to_bytes(4, "little") + len(local).to_bytes(4, "little") + b"\x00\x00"
    path.write_bytes(local + central + b"PK\x05\x06\x00\x00\x00\x00" + end)
    return path


def harness_sample(doc_id: int, score: float, **more: Any) -> dict[str, Any]:
    return {
        "doc_id": doc_id,
        "doc": {"question": f"q{doc_id}"},
        "target": "4",
        "arguments": {"gen_args_0": {"arg_0": f"Question {doc_id}", "arg_1": {"until": []}}},
        "resps": [["four"]],
        "filtered_resps": ["4"],
        "filter": "none",
        "metrics": ["exact_match"],
        "doc_hash": "d",
        "prompt_hash": f"p{doc_id}",
        "target_hash": "t",
        "exact_match": score,
    } | more


def promptfoo_result(score: float, question: str, provider: str = "openai:gpt", **more: Any) -> dict[str, Any]:
    return {
        "promptIdx": 0,
        "testIdx": 0,
        "testCase": {"vars": {"q": question}, "assert": [{"type": "equals", "value": "4"}]},
        "promptId": "abc",
        "provider": {"id": provider, "label": ""},
        "prompt": {"raw": "Say {{q}}", "label": "Say {{q}}"},
        "vars": {"q": question},
        "response": {"output": "4", "tokenUsage": {"total": 3}},
        "failureReason": 0 if score else 1,
        "success": bool(score),
        "score": score,
        "latencyMs": 120,
        "namedScores": {"tone": 0.25},
        "cost": 0.002,
    } | more


def promptfoo_output(results: list[dict[str, Any]], version: int = 3) -> dict[str, Any]:
    return {
        "evalId": "eval-1",
        "results": {"version": version, "timestamp": "2026-01-02T03:04:05Z", "results": results, "prompts": []},
        "config": {},
        "shareableUrl": None,
        "metadata": {"promptfooVersion": "0.119.0"},
    }


def written(path: Path, content: Any) -> Path:
    """JSON, or lines of it for a list."""
    text = "\n".join(map(json.dumps, content)) if isinstance(content, list) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path
