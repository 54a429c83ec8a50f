"""What the way from an event to written ops costs, and what a cold start imports.

Batches of 100 records go through the whole service, as Lambda would hand them over, to sinks
whose destinations answer at once: what is left is this project's own time. Cold starts are Python
processes, so that `pass` is what Python itself takes.
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

import handler
from benchmarks.ratio import compare
from sync.runtime.clock import SystemClock
from sync.service import Service
from sync.sinks.counters import Counters
from sync.sinks.default_image import DefaultImage
from sync.sinks.memory import Memory
from sync.sinks.opensearch import OpenSearch
from sync.sinks.typesense import Typesense
from tests.records import CORE, Image, core_keys, stream_record
from tests.settings import ENV

RECORDS: Final = 100
STARTS: Final = 12
ROOT: Final = Path(__file__).parents[1]
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


class Aws:
    """Takes whatever it is sent, and has no row yet but an image of each entity."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, _service: str) -> "Aws":
        """As the `Clients` of sinks."""
        return self

    def send_message_batch(self, *, Entries: list[Any], **_given: Any) -> Any:  # noqa: N803
        self.calls += 1
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def batch_get_item(self, **_given: Any) -> Any:
        self.calls += 1
        return {"Responses": {}, "UnprocessedKeys": {}}

    def query(self, **_given: Any) -> Any:
        self.calls += 1
        return {"Items": [{"SK": {"S": "IMG#9"}}]}

    def transact_write_items(self, **_given: Any) -> Any:
        self.calls += 1
        return {}


def measure() -> dict[str, Any]:
    """Of each kind of batch its `us_a_record` and its `calls` of AWS; of each cold start its
    milliseconds and its ratio to `pass`."""
    starts: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(STARTS):
        for name, program in PROGRAMS.items():
            starts[name].append(_start_ms(program))
    medians = {name: median(times) for name, times in starts.items()}
    return {
        "batches": _batches(),
        "cold_start": {
            name: {"ms": ms, "ratio": ms / medians["pass"]} for name, ms in medians.items()
        },
    }


def report(figures: Mapping[str, Any]) -> str:
    lines = [f"{f'{RECORDS} records, event to written ops':48}{'µs a record':>12}{'AWS calls':>11}"]
    lines += [
        f"{name:48}{batch['us_a_record']:12.1f}{batch['calls']:11}"
        for name, batch in figures["batches"].items()
    ]
    lines += ["", f"{'cold start':48}{'ms':>12}{'x pass':>11}"]
    lines += [
        f"{name:48}{start['ms']:12.0f}{start['ratio']:11.1f}"
        for name, start in figures["cold_start"].items()
    ]
    return "\n".join(lines)


def _batches() -> dict[str, Any]:
    aws = Aws()
    memory = Memory()
    service = Service(
        ENV,
        aws,
        SystemClock(),
        sinks={
            OpenSearch: memory,
            Typesense: memory,
            Counters: Counters(aws, contributions="contributions", counters=CORE),
            DefaultImage: DefaultImage(aws, CORE),
        },
        emit=len,  # metrics are written, and thrown away
    )
    kinds = {
        "aircraft types as they were, to OpenSearch": (_aircraft, True),
        "aircraft types, to OpenSearch and the queue": (_aircraft, False),
        "registrations, to the queue": (_registration, False),
        "links, to counters": (_link, False),
        "images of ten entities, to default images": (_image, False),
    }
    events = {
        name: {"Records": [_record(*of(n), n, changed=not as_it_was) for n in range(RECORDS)]}
        for name, (of, as_it_was) in kinds.items()
    }

    def run(name: str) -> None:
        assert handler.run(events[name], Context(), service) == {"batchItemFailures": []}

    calls = {}
    for name in events:
        before = aws.calls
        run(name)
        calls[name] = aws.calls - before
    assert len(memory.documents) == RECORDS
    found = compare({name: lambda name=name: run(name) for name in events})  # type: ignore[misc]
    return {
        name: {"us_a_record": figure["us"] / RECORDS, "calls": calls[name]}
        for name, figure in found.items()
    }


def _record(keys: Image, values: Image, n: int, *, changed: bool) -> Any:
    name, value = next(iter(values.items()))
    old = {**values, name: {"S": f"{value['S']} was"}} if changed else values
    record = stream_record(keys, values, old=old, number=n + 1)
    return json.loads(json.dumps(record))  # an event of its own, as Lambda makes one


def _aircraft(n: int) -> tuple[Image, Image]:
    return core_keys("ICAO#AIRCRAFT", f"TYPE#B{n:03}#BOEING#747-{n}"), _texts(
        description="LandPlane",
        type_designator=f"B{n:03}",
        manufacturer="BOEING",
        model=f"747-{n}",
        engine_type="Jet",
        engine_count="4",
        wake_turbulence_category="H",
    )


def _registration(n: int) -> tuple[Image, Image]:
    return core_keys("AIRCRAFT#REGISTRY#FAA", f"DETAIL#N{n}"), _texts(
        name="AVIATION HOLDINGS LLC",
        registration=f"N{n}",
        n_number=f"{n}",
        serial_number=f"172{n:05}",
        mfr_mdl_code="2072431",
        year_mfr="1981",
        street="1 AIRPORT ROAD",
        city="RENO",
        state="NV",
        zip_code="895021234",
        country="US",
        last_action_date="20240105",
        status_code="V",
        mode_s_code_hex=f"A{n:05X}",
    )


def _link(n: int) -> tuple[Image, Image]:
    return core_keys("FAA#LINKS", f"MFR_MDL_CODE#2072431#SN#172{n:05}"), _texts(
        type_designator=f"C{n % 7}", manufacturer="CESSNA", model="172"
    )


def _image(n: int) -> tuple[Image, Image]:
    type_ = f"C{n % 10}"
    return core_keys(f"IMAGES#ORG#SYSTEM#ENTITY#ICAO#ID#{type_}", f"IMG#{n}"), _texts(
        caption="On the apron", org_id="SYSTEM", entity_type="ICAO", entity_id=type_
    )


def _texts(**values: str) -> Image:
    return {name: {"S": value} for name, value in values.items()}


def _start_ms(program: str) -> float:
    env = {**os.environ, **ENV, "PYTHONPATH": str(ROOT)}
    began = perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env=env)
    return (perf_counter() - began) * 1e3


if __name__ == "__main__":
    print(report(measure()))
