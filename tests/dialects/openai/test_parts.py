"""OpenAI's language: the parts of a message's content, in the words of everybody who speaks it."""

import json

import msgspec
import pytest

from fairlead.chat import Media, Opaque, Text, Thinking
from fairlead.dialects.losses import Losses
from fairlead.dialects.openai.parts import read_part, write_part
from fairlead.errors import RequestInvalid

PDF = "JVBERi0xLjQK"


def read(part):
    return read_part(msgspec.Raw(json.dumps(part).encode()), "at")


def written(part, *, lossy=False, origin="openai"):
    said = write_part(part, "at", Losses("OpenAI's API", lossy=lossy), origin, False)
    return json.loads(msgspec.json.encode(said))


@pytest.mark.parametrize(
    ("part", "meant"),
    [
        ("bare", Text("bare")),
        ({"type": "text", "text": "x"}, Text("x")),
        ({"type": "refusal", "refusal": "no"}, Text("no")),
        ({"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, Thinking("hm")),
        ({"type": "image_url", "image_url": "https://a/b"}, Media(kind="image", url="https://a/b")),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
            Media(kind="image", media_type="image/png", data="AAAA", detail="low"),
        ),
        (
            {"type": "image_url", "image_url": {"url": f"data:application/pdf;base64,{PDF}"}},
            Media(kind="document", media_type="application/pdf", data=PDF),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            Media(kind="audio", media_type="audio/mpeg", data="AAAA"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "data:audio/ogg;base64,AAAA", "format": "ogg"}},
            Media(kind="audio", media_type="audio/ogg", data="AAAA"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "https://a/b.wav", "format": "wav"}},
            Media(kind="audio", media_type="audio/wav", url="https://a/b.wav"),
        ),
        ({"type": "audio_url", "audio_url": {"url": "https://a/b"}}, Media(kind="audio", url="https://a/b")),
        (
            {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
            Media(kind="video", media_type="video/mp4", data="AAAA"),
        ),
        (
            {"type": "document_url", "document_url": "https://a/b.pdf", "document_name": "b"},
            Media(kind="document", url="https://a/b.pdf", name="b"),
        ),
        (
            {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "b.pdf"}},
            Media(kind="document", media_type="application/pdf", data=PDF, name="b.pdf"),
        ),
        ({"type": "file", "file": {"file_data": PDF}}, Media(kind="document", media_type="application/pdf", data=PDF)),
        (
            {"type": "file", "file": {"file_data": "AAAA", "filename": "b.CSV"}},
            Media(kind="document", media_type="text/csv", data="AAAA", name="b.CSV"),
        ),
        (
            {"type": "file", "file": {"file_data": "https://a/b.pdf", "filename": "b.pdf"}},
            Media(kind="document", url="https://a/b.pdf", name="b.pdf"),
        ),
        (
            {"type": "file", "file": {"file_id": "file-1", "filename": "b.pdf"}},
            Media(kind="document", file="file-1", origin="openai", name="b.pdf"),
        ),
    ],
)
def test_a_part_is_read(part, meant):
    assert read(part) == meant


@pytest.mark.parametrize(
    ("ttl", "mark"), [({}, "5m"), ({"ttl": "5m"}, "5m"), ({"ttl": "1h"}, "1h"), ({"ttl": "3600s"}, "1h")]
)
def test_a_mark_for_the_cache_is_read(ttl, mark):
    assert read({"type": "text", "text": "x", "cache_control": {"type": "ephemeral", **ttl}}) == Text("x", mark)
    url = {"type": "image_url", "image_url": "https://a/b", "cache_control": {"type": "ephemeral", **ttl}}
    assert read(url) == Media(kind="image", url="https://a/b", cache=mark)


@pytest.mark.parametrize("part", [{"type": "smell", "text": 5}, {"type": "input_file", "file_id": "file-1"}])
def test_a_kind_that_nobody_knows_is_kept(part):
    kept = read(part)
    assert isinstance(kept, Opaque)
    assert (kept.kind, json.loads(bytes(kept.raw)), kept.dialect) == (part["type"], part, "openai")


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (5, "at"),
        ({"text": "x"}, "at.type"),
        ({"type": "text"}, "at.text"),
        ({"type": "text", "text": None}, "at.text"),
        ({"type": "image_url"}, "at.image_url"),
        ({"type": "image_url", "image_url": {}}, "at.image_url.url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png,plain"}}, "at.image_url.url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,A"}}, "at.image_url.url"),
        ({"type": "input_audio"}, "at.input_audio"),
        ({"type": "input_audio", "input_audio": {"data": "A A", "format": "wav"}}, "at.input_audio.data"),
        ({"type": "file", "file": {}}, "at.file.file_data"),
        ({"type": "file", "file": {"file_data": "?"}}, "at.file.file_data"),
    ],
)
def test_a_mistake_is_named(part, param):
    with pytest.raises(RequestInvalid) as caught:
        read(part)
    assert caught.value.param == param


def test_a_document_without_a_name_is_sent_with_one_that_says_so():
    nameless = Media(kind="document", media_type="application/pdf", data=PDF)
    said = written(nameless)
    assert said["file"]["filename"] == "unnamed.pdf"
    assert read(said) == nameless


@pytest.mark.parametrize(
    ("media_type", "name"), [("audio/mpeg", "mp3"), ("audio/x-wav", "wav"), ("audio/flac", "flac"), ("", "wav")]
)
def test_a_sound_is_sent_by_its_format(media_type, name):
    assert written(Media(kind="audio", media_type=media_type, data="AAAA"))["input_audio"]["format"] == name


def test_a_file_is_sent_to_nobody_but_who_keeps_it():
    kept = Media(kind="document", file="file-1", origin="elsewhere")
    assert written(kept, origin="elsewhere") == {"type": "file", "file": {"file_id": "file-1"}}
    with pytest.raises(RequestInvalid) as caught:
        written(kept)
    assert (caught.value.code, caught.value.param) == ("unsupported_feature", "at")
    assert written(kept, lossy=True) is None
