"""Items of mirrored tables, and the law that their documents obey."""

from base64 import b64decode, b64encode
from decimal import Context, Decimal
from typing import Any, Final

from hypothesis import strategies as st

from local.checker import Mirrored, MirrorExpectation, differences, exact_json, item_values
from sync.aws.keys import AttributeMap, Source
from sync.model.mirror import mirrors
from sync.model.planner import Planner
from sync.model.registry import Registry
from sync.sinks.memory import Memory
from sync.writing.op import Op
from tests.unit.aws.images import TEXTS, number_texts

Image = dict[str, dict[str, Any]]

TABLE: Final = "Some.Table"
METADATA: Final = (
    *("_id", "_index", "_source", "_routing", "_type", "_version", "_seq_no", "_primary_term"),
    *("_ignored", "_field_names", "_nested_path", "_doc_count", "_size", "_tier"),
    "_data_stream_timestamp",
)
NAMES: Final = (
    *("name", "message", "args", "created", "id", "a-b", "a.b", "ключ", "x y"),
    *("model_config", "model_fields", "copy", "json", "self", "_item", "__dict__", "_identity"),
    *METADATA,
    *("__id", "___id", "_id.x", "__source.x", "_", "__", "_foo"),
)

_BASE64 = st.binary(max_size=6).map(lambda raw: b64encode(raw).decode())
_SCALARS = st.one_of(
    st.sampled_from(TEXTS).map(lambda text: {"S": text}),
    number_texts().map(lambda text: {"N": text}),
    _BASE64.map(lambda text: {"B": text}),
    st.booleans().map(lambda flag: {"BOOL": flag}),
    st.just({"NULL": True}),
    st.sets(st.integers(-(10**20), 10**20), min_size=1, max_size=4).map(
        lambda members: {"NS": [str(member) for member in members]}
    ),
    st.sets(st.sampled_from(TEXTS), min_size=1, max_size=4).map(lambda texts: {"SS": list(texts)}),
    st.sets(_BASE64, min_size=1, max_size=4).map(lambda texts: {"BS": list(texts)}),
)
VALUES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda values: {"L": values}),
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=4).map(lambda map_: {"M": map_}),
    ),
    max_leaves=12,
)
ITEMS: st.SearchStrategy[Image] = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5)
KEYS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.text(min_size=1, max_size=200).filter(lambda text: _writable(text)).map(lambda s: {"S": s}),
    number_texts().map(lambda text: {"N": _kept(text)}),
    st.binary(min_size=1, max_size=200).map(lambda raw: {"B": b64encode(raw).decode()}),
)


def _kept(text: str) -> str:
    """The number *text* without needless zeros and without the sign of -0, as tables hold it."""
    return str(Decimal(text).normalize(Context(prec=38))) if Decimal(text) else "0"


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def op_of(keys: AttributeMap, item: AttributeMap | None, table: str = TABLE) -> Op:
    """The op of the mirror of *table* for an item with *keys*; None: it was deleted."""
    models = mirrors({"role": tuple(keys)}, {"role": table}, Memory, [])
    planner = Planner(Registry(models, {"role": table}))
    source = Source(table, keys)
    pattern = planner.match(source)
    assert pattern is not None
    (op,) = planner.plan(pattern, source, 1, new_image=item).ops
    return op


def faults(keys: AttributeMap, item: AttributeMap) -> list[str]:
    """How the op for *item* differs from what the independent checker expects."""
    op = op_of(keys, item)
    expectation = MirrorExpectation({"role": Mirrored(TABLE, tuple(keys))})
    pair = expectation.of("role", item_values({name: as_read(av) for name, av in item.items()}))
    assert pair is not None
    assert op.body is not None
    ref, expected = pair
    found = [] if (op.target, op.id) == ref else [f"{op.target}/{op.id} instead of {ref}"]
    return [*found, *differences(expected, exact_json(op.body.decode()))]


def as_read(av: Any) -> Any:
    """An attribute as boto3's client returns it: binary as bytes."""
    ((tag, value),) = av.items()
    if tag == "B":
        return {"B": b64decode(value)}
    if tag == "BS":
        return {"BS": [b64decode(member) for member in value]}
    if tag == "L":
        return {"L": [as_read(inner) for inner in value]}
    if tag == "M":
        return {"M": {name: as_read(inner) for name, inner in value.items()}}
    return av
