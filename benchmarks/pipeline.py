"""What the way from an event to written ops costs, and what a cold start imports.

A batch of 100 aircraft types goes through the whole service, as Lambda would hand it over, to a
sink in memory: what is left is this project's own time. Cold starts are Python processes, so that
`pass` is what Python itself takes.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

from benchmarks.ratio import compare
from sync.clock import SystemClock
from sync.service import Service
from sync.sinks.memory import Memory
from sync.sinks.opensearch import OpenSearch

RECORDS: Final = 100
STARTS: Final = 12
ROOT: Final = Path(__file__).parents[1]
SETTINGS: Final = {
    "STAGE": "bench",
    "LOG_LEVEL": "WARNING",
    "OPENSEARCH_ENDPOINT": "http://127.0.0.1:9",
    "OPENSEARCH_AUTH": "none",
    "DEAD_LETTER_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:dead-letters",
    "PAYLOAD_BUCKET": "payloads",
    "RESYNC_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/resync",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/dead-letters",
    "DEAD_LETTER_TABLE": "dead-letters",
}
PROGRAMS: Final = {
    "pass": "pass",
    "import handler": "import handler",
    "… and all that a stream event needs": "import handler; handler.service().dispatcher",
}


class Context:
    """A minute to go."""

    aws_request_id = "bench"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def measure() -> dict[str, Any]:
    """`us_a_record` of a batch; of each cold start its milliseconds and its ratio to `pass`."""
    starts: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(STARTS):
        for name, program in PROGRAMS.items():
            starts[name].append(_start_ms(program))
    medians = {name: median(times) for name, times in starts.items()}
    return {
        "us_a_record": _us_a_record(),
        "cold_start": {
            name: {"ms": ms, "ratio": ms / medians["pass"]} for name, ms in medians.items()
        },
    }


def report(figures: Mapping[str, Any]) -> str:
    lines = [
        f"{RECORDS} records, event to written ops {figures['us_a_record']:15.1f} µs a record",
        f"{'cold start':40}{'ms':>8}{'x pass':>10}",
    ]
    lines += [
        f"{name:40}{start['ms']:8.0f}{start['ratio']:10.1f}"
        for name, start in figures["cold_start"].items()
    ]
    return "\n".join(lines)


def _us_a_record() -> float:
    memory = Memory()
    service = Service(SETTINGS, _no_client, SystemClock(), sinks={OpenSearch: memory})
    event = json.loads(json.dumps({"Records": [_record(n) for n in range(RECORDS)]}))

    def run() -> None:
        assert service.handle(event, Context()) == {"batchItemFailures": []}

    us: float = compare({"batch": run})["batch"]["us"]
    assert len(memory.documents) == RECORDS
    return us / RECORDS


def _no_client(service: str) -> Any:
    raise AssertionError(f"nothing should fail here, and so need {service}")


def _record(n: int) -> dict[str, Any]:
    keys = {"PK": {"S": "ICAO#AIRCRAFT"}, "SK": {"S": f"TYPE#B{n:03}#BOEING#747-{n}"}}
    fields = {
        "type_designator": f"B{n:03}",
        "manufacturer": "BOEING",
        "model": f"747-{n}",
        "description": "LandPlane",
        "engine_type": "Jet",
        "engine_count": "4",
        "wake_turbulence_category": "H",
    }
    image = {**keys, **{name: {"S": value} for name, value in fields.items()}}
    return {
        "eventID": f"{n}",
        "eventName": "MODIFY",
        "eventSource": "aws:dynamodb",
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/stream-sync-bench-core/"
        "stream/label",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_800_000_000,
            "Keys": keys,
            "NewImage": image,
            "OldImage": image,
            "SequenceNumber": f"{n:021}",
            "SizeBytes": 250,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def _start_ms(program: str) -> float:
    env = {**os.environ, **SETTINGS, "PYTHONPATH": str(ROOT)}
    began = perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env=env)
    return (perf_counter() - began) * 1e3


if __name__ == "__main__":
    print(report(measure()))
