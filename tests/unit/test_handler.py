"""Lambda's way in."""

import sys
from collections.abc import Iterator
from subprocess import run
from typing import Any

import pytest

import handler
from sync.errors import ConfigError, RecordError
from tests.doubles.wiring import Context
from tests.records import core_keys, stream_record
from tests.settings import ENV, REQUIRED


@pytest.fixture(autouse=True)
def _cold(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test starts a container of its own."""
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    handler.service.cache_clear()
    yield
    handler.service.cache_clear()


def test_stream_records_go_to_the_dispatcher() -> None:
    """A batch that nothing wants is done."""
    record = stream_record(core_keys("OTHER", "1"), {}, table="stream-sync-test-core")
    assert handler.handle({"Records": [record]}, Context()) == {"batchItemFailures": []}


@pytest.mark.parametrize(
    "event", [{}, {"Records": []}, {"Records": [{"eventSource": "aws:s3"}]}, [], None, "text"]
)
def test_an_event_of_no_known_shape_is_refused(event: Any) -> None:
    """Loudly: silence would look like success."""
    with pytest.raises(RecordError, match="no handler for an event like this"):
        handler.handle(event, Context())


def test_an_unknown_command_names_those_there_are() -> None:
    """A typo in a manual invoke."""
    with pytest.raises(
        ConfigError,
        match=r"no command 'nope'; there are: backfill cancel, .*, dlq discard, dlq erase",
    ):
        handler.handle({"command": "nope"}, Context())


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_setting_is_refused_at_start_by_name(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any record is taken on."""
    monkeypatch.delenv(name)
    with pytest.raises(ConfigError, match=f"{name} is not set"):
        handler.service()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STAGE", "Dev Stage"),
        ("TABLES", "core"),
        ("TABLES", "[]"),
        ("TABLES", "{}"),
        ("TABLES", '{"Core": "stream-sync-test-core"}'),
        ("TABLES", '{"core": "a table"}'),
        ("MIRRORS", "orders"),
        ("MIRRORS", "[]"),
        ("MIRRORS", '{"orders": ["id"]}'),  # no role of TABLES
        ("MIRRORS", '{"core": "id"}'),
        ("MIRRORS", '{"core": []}'),
        ("MIRRORS", '{"core": [""]}'),
        ("MIRRORS", '{"core": [1]}'),
        ("MIRRORS", '{"core": ["a", "a"]}'),
        ("MIRRORS", '{"core": ["a", "b", "c"]}'),
        ("MIRRORS", '{"core": ["PK", "SK"]}'),  # it has models
        ("LOG_LEVEL", "LOUD"),
        ("OPENSEARCH_ENDPOINT", "search.example.com"),
        ("OPENSEARCH_AUTH", "basic"),
        ("DEAD_LETTER_TOPIC_ARN", "arn:aws:sqs:us-east-1:123456789012:queue"),
        ("PAYLOAD_BUCKET", "No_Bucket"),
        ("RESYNC_QUEUE_URL", "resync"),
        ("DEAD_LETTER_QUEUE_URL", "dead-letters"),
        ("DEAD_LETTER_TABLE", "dead letters"),
        ("STATE_TABLE", "a table"),
        ("PARK_DELAY_S", "soon"),
        ("PARK_DELAY_S", "901"),
        ("PARK_DELAY_S", "30"),  # a request may take as long
        ("OPENSEARCH_TIMEOUT_S", "0"),
        ("TYPESENSE_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/standard"),
        ("TYPESENSE_URL", "typesense.example.com"),
        ("TYPESENSE_API_KEY_ARN", "xyz"),
        ("TYPESENSE_TIMEOUT_S", "0"),
        ("CONTRIBUTIONS_TABLE", "a table"),
        ("COUNTERS_TABLE", "a table"),
        ("IMAGES_TABLE", "a table"),
        ("STRICT_SINKS", "opensearch, opensaerch"),
    ],
)
def test_a_wrong_setting_is_refused_at_start_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it has to be."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=name):
        handler.service()


def test_a_stream_batch_that_nothing_wants_imports_no_client() -> None:
    """Heavy clients are imported by the first write that needs them."""
    script = (
        "import handler, sys\n"
        "class C:\n"
        "    aws_request_id = 'r'\n"
        "    def get_remaining_time_in_millis(self): return 60000\n"
        f"handler.handle({{'Records': [{stream_record(core_keys('OTHER', '1'), {})!r}]}}, C())\n"
        "heavy = 'boto3', 'botocore', 'opensearchpy', 'requests', 'typesense', 'httpx'\n"
        "heavy += 'concurrent.futures', 'sync.commands', 'sync.cli', 'rich'\n"
        "heavy += 'sync.recovery.resync', 'sync.lanes.worker', 'sync.deadletters'\n"
        "print([m for m in heavy if m in sys.modules])\n"
    )
    done = run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
