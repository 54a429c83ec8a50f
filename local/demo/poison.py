"""Writes records that can't become documents, corrects them, and replays their dead letters."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from local.demo.figures import Failed
from local.demo.letters import Letter
from local.demo.scene import Scene, now
from local.demo.settle import until_documents
from local.demo.tables import Wanted, image_of, key_of
from local.paths import STATE

LETTERS: Final = STATE / "dead-letters.jsonl"
_WAIT_S: Final = 90.0
_HUGE_CHARACTERS: Final = 300_000  # more than the 256 KB that an SNS message can have
_TRACE_LINES: Final = 3
_WIDTH: Final = 72  # characters of a line of the trace
_LONGEST_ERROR: Final = 120


@dataclass(frozen=True, slots=True)
class Poison:
    """An item that can't become a document. *cure* corrects it; without one it is deleted."""

    what: str
    item: Mapping[str, Any]
    cure: Mapping[str, Any] | None = None


def poisons() -> list[Poison]:
    """Five items with different faults; only OpenSearch itself notices that of the fourth."""

    def product(name: str, **attributes: Any) -> dict[str, Any]:
        return {
            "productId": f"poison-{name}",
            "name": f"Poison, {name}",
            "price": 1,
            "updated_at": now(),
            **attributes,
        }

    return [
        Poison("a text as price", product("price", price="not a number"), {"price": 10}),
        Poison("no name", {k: v for k, v in product("nameless").items() if k != "name"}),
        Poison(
            "a text as count",
            {
                "PK": "ICAO#MANUFACTURERS",
                "SK": "MFR#POISON",
                "name": "POISON",
                "type_count": "many",
            },
        ),
        Poison(
            "32 of month 13",
            product("date", updated_at="2026-13-32T25:61:00Z"),
            {"updated_at": now()},
        ),
        Poison(
            "300 KB and no price",
            product("huge", price="on request", description="x" * _HUGE_CHARACTERS),
        ),
    ]


def run(scene: Scene) -> None:
    """Write poison among sound records, read the dead letters, correct the items, and replay.

    Raises Failed unless every sound record became a document, each poison record made one letter
    with the whole record, error and trace, and every letter could be replayed in the end.
    """
    sent = poisons()
    scene.figures.poison_sent = len(sent)
    sound = dict(_write(scene, sent))
    until_documents(scene.documents, sound.items())
    scene.screen.good(f"{len(sound)} sound records written around {len(sent)} poison ones went on")

    letters = scene.desk.open(len(sent), limit_s=_WAIT_S)
    keep(letters)
    scene.figures.dead_letters = len(letters)
    _show(scene, sent, letters)
    faults = [fault for poison in sent for fault in _faults(poison, letters)]
    if len(letters) != len(sent):
        faults.append(f"{len(sent)} poison records made {len(letters)} dead letters")
    if faults:
        raise Failed("dead letters: " + "; ".join(faults))
    scene.screen.good(f"{len(letters)} dead letters, each with its whole record, error and trace")
    _replay(scene, "as they are", {"failed": len(sent)})

    cured = dict(_cure(scene, sent))
    put = sum(document is not None for document in cured.values())
    how = f"{put} items corrected, {len(cured) - put} deleted"
    scene.figures.dead_letters_replayed = _replay(scene, how, {"replayed": len(sent)})
    until_documents(scene.documents, cured.items())
    scene.screen.good("the corrected items are searchable, the others are gone; no letter is open")


def no_more(scene: Scene) -> None:
    """Raise Failed if there is a new letter: only poison may make one."""
    scene.figures.parked_left = scene.desk.quiet(limit_s=_WAIT_S)
    if late := scene.desk.open(0, limit_s=0):
        scene.figures.dead_letters = (scene.figures.dead_letters or 0) + len(late)
        some = "; ".join(f"{one.about}: {one.row['error']}" for one in late[:3])
        raise Failed(f"{len(late)} dead letters of sound records: {some}")


def _replay(scene: Scene, how: str, expected: dict[str, int]) -> int:
    counts = scene.desk.replay()
    scene.screen.say(
        f"dlq replay --all, {how}: " + ", ".join(f"{n} {result}" for result, n in counts.items())
    )
    if counts != expected:
        raise Failed(f"replaying the dead letters, {how}: {counts} instead of {expected}")
    return counts.get("replayed", 0)


def _write(scene: Scene, sent: list[Poison]) -> list[Wanted]:
    sound = []
    products = iter(list(scene.products.values()))
    for poison in sent:
        scene.tables.put(poison.item)
        for product in (next(products), next(products)):
            product["updated_at"] = now()
            sound.append(scene.tables.put(product))
    return sound


def _cure(scene: Scene, sent: list[Poison]) -> list[Wanted]:
    return [
        scene.tables.delete(poison.item)
        if poison.cure is None
        else scene.tables.update(poison.item, poison.cure)
        for poison in sent
    ]


def _faults(poison: Poison, letters: list[Letter]) -> list[str]:
    """The faults of the letter about *poison*."""
    image = image_of(poison.item)
    keys = key_of(image)
    about = [letter for letter in letters if letter.row.get("keys") == keys]
    if len(about) != 1:
        return [f"{poison.what}: {len(about)} letters instead of one"]
    (letter,) = about
    faults = []
    if (letter.record or {}).get("dynamodb", {}).get("NewImage") != image:
        faults.append(f"{poison.what}: the letter does not hold the whole record")
    faults += [
        f"{poison.what}: no {n}" for n in ("error_class", "error", "trace") if not letter.row.get(n)
    ]
    return faults


def _show(scene: Scene, sent: list[Poison], letters: list[Letter]) -> None:
    by_keys = {json.dumps(x.row.get("keys"), sort_keys=True): x for x in letters}
    rows = []
    for poison in sent:
        letter = by_keys.get(json.dumps(key_of(image_of(poison.item)), sort_keys=True))
        if letter is None:
            rows.append((poison.what, "", "no dead letter came", ""))
            continue
        error = _short(f"{letter.row['error_class']}: {letter.row['error']}")
        rows.append((poison.what, letter.row.get("sink") or "model", error, letter.stored))
    scene.screen.table(["poison", "refused by", "error", "kept in"], rows)
    if letters:
        scene.screen.say(f"the trace of {letters[0].about} ends:")
        for line in _end_of_trace(letters[0].row.get("trace") or ""):
            scene.screen.say(f"  {line}")


def keep(letters: list[Letter]) -> None:
    """Write *letters* with their records to a file in `.local/`, to be read later."""
    LETTERS.parent.mkdir(parents=True, exist_ok=True)
    with LETTERS.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({**x.row, "record": x.record}) + "\n" for x in letters)


def _end_of_trace(trace: str) -> list[str]:
    """The last lines of *trace*, without markers; long paths are cut at their beginning."""
    lines = [line.strip() for line in trace.splitlines() if line.strip(" ^~")]
    return [_tail(line) if line.startswith("File ") else line for line in lines[-_TRACE_LINES:]]


def _tail(line: str) -> str:
    return line if len(line) <= _WIDTH else "…" + line[1 - _WIDTH :]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_ERROR else line[: _LONGEST_ERROR - 1] + "…"
