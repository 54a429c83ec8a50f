"""`documents/search`: enough to find what is there. Ranking is rough, the answer's shape is not."""

import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from local.typesense.answers import Document, Json, Refusal
from local.typesense.collection import Collection, pruned
from local.typesense.fields import Field
from local.typesense.filters import filter_value
from local.typesense.nesting import values_at
from local.typesense.schema import Schema
from local.typesense.words import tokens_of, typos

_MOST_PER_PAGE = 250
_ONE_TYPO_FROM, _TWO_TYPOS_FROM = 4, 7  # letters of a word; what min_len_1typo and 2typo default to
_UNSUPPORTED = (
    "group_by",
    "vector_query",
    "pinned_hits",
    "hidden_hits",
    "infix",
    "conversation",
    "preset",
    "voice_query",
    "nl_query",
)


class _Match(NamedTuple):
    """How well a document fits; later entries decide only between equals."""

    words: int
    wrong_letters: int  # negative, so that more is better
    fields: int

    @property
    def score(self) -> int:
        return (self.words << 59) + (255 + self.wrong_letters << 3) + self.fields


@dataclass(frozen=True, slots=True)
class _Query:
    words: Sequence[str]
    prefix: bool  # the last word may go on
    most_typos: int

    def wrong_letters(self, index: int, word: str, allowed: int) -> int | None:
        """How far *word* is from the query's word *index*; None: too far."""
        wanted = self.words[index]
        if self.prefix and index == len(self.words) - 1:
            word = word[: len(wanted)]
        limit = min(allowed, (len(wanted) >= _ONE_TYPO_FROM) + (len(wanted) >= _TWO_TYPOS_FROM))
        wrong = typos(wanted, word, limit)
        return wrong if wrong <= limit else None


def search(collection: Collection, params: Mapping[str, str]) -> dict[str, Any]:
    """What GET documents/search answers. Raises Refusal."""
    began = time.perf_counter()
    for unsupported in _UNSUPPORTED:
        if params.get(unsupported):
            raise Refusal(400, f"This stand-in for Typesense has no `{unsupported}`.")
    if "q" not in params:
        raise Refusal(400, "Parameter `q` is required.")
    schema = collection.schema
    per_page = (
        _unsigned(params, "per_page", 10)
        if "per_page" in params
        else _unsigned(params, "limit", 10)
    )
    page = _unsigned(params, "page", 1) or 1
    if per_page > _MOST_PER_PAGE:
        raise Refusal(422, f"Only upto {_MOST_PER_PAGE} hits can be fetched per page.")
    everything = params["q"].strip() == "*"
    fields = [_searchable(schema, name) for name in _listed(params, "query_by")]
    if not everything and not fields:
        raise Refusal(400, "No search fields specified for the query.")
    order = _order(schema, params.get("sort_by", ""), everything=everything)
    facets = [_facet(schema, name) for name in _listed(params, "facet_by")]
    documents = list(collection.documents(params.get("filter_by", "")))
    matches = (
        dict.fromkeys(range(len(documents)), _Match(0, 0, 0))
        if everything
        else _matches(schema, fields, documents, params)
    )
    found = sorted(matches, reverse=True)  # the newest first, where nothing else decides
    for name, descending in reversed(order):
        found = _sorted(found, name, descending, documents, matches)
    start = _unsigned(params, "offset", 0) or per_page * (page - 1)
    return {
        "facet_counts": [
            _count(field, (documents[i] for i in found), _unsigned(params, "max_facet_values", 10))
            for field in facets
        ],
        "found": len(found),
        "hits": [
            _hit(documents[index], None if everything else matches[index], fields, schema, params)
            for index in found[start : start + per_page]
        ],
        "out_of": len(collection),
        "page": page,
        "request_params": {
            "collection_name": schema.name,
            "first_q": params["q"],
            "per_page": per_page,
            "q": params["q"],
        },
        "search_cutoff": False,
        "search_time_ms": int((time.perf_counter() - began) * 1000),
    }


def _matches(
    schema: Schema,
    fields: Sequence[Field],
    documents: Sequence[Document],
    params: Mapping[str, str],
) -> dict[int, _Match]:
    """Which documents hold every word, by index; typos count only where nothing fits without."""
    words = tokens_of(schema, fields[0])(params["q"])
    query = _Query(
        words,
        prefix=params.get("prefix", "true").split(",")[0] != "false",
        most_typos=min(int(params.get("num_typos", "2").split(",")[0]), 2),
    )
    for allowed in range(query.most_typos + 1):
        found = {}
        for index, document in enumerate(documents):
            if match := _match(schema, fields, document, query, allowed):
                found[index] = match
        if found:
            return found
    return {}


def _match(
    schema: Schema, fields: Sequence[Field], document: Document, query: _Query, allowed: int
) -> _Match | None:
    best: dict[int, int] = {}
    matched = set()
    for field in fields:
        tokens = tokens_of(schema, field)
        for text in values_at(document, field.name):
            for word in tokens(text) if isinstance(text, str) else ():
                for index in range(len(query.words)):
                    wrong = query.wrong_letters(index, word, allowed)
                    if wrong is not None:
                        best[index] = min(wrong, best.get(index, wrong))
                        matched.add(field.name)
    if not query.words or len(best) < len(query.words):
        return None
    return _Match(len(best), -sum(best.values()), len(matched))


def _hit(
    document: Document,
    match: _Match | None,
    fields: Sequence[Field],
    schema: Schema,
    params: Mapping[str, str],
) -> dict[str, Json]:
    hit: dict[str, Json] = {
        "document": pruned(document, params),
        "highlight": {},
        "highlights": [],
    }
    if match is None:
        return hit
    words = tokens_of(schema, fields[0])(params["q"])
    for field in fields:
        text = document.get(field.name)
        if isinstance(text, str) and (marked := _marked(text, words)):
            hit["highlight"][field.name] = marked
            hit["highlights"].append({"field": field.name, **marked})
    hit["text_match"] = match.score
    hit["text_match_info"] = {
        "best_field_score": str(match.score >> 3 & 0xFF),
        "best_field_weight": 15,
        "fields_matched": match.fields,
        "num_tokens_dropped": 0,
        "score": str(match.score),
        "tokens_matched": match.words,
        "typo_prefix_score": -match.wrong_letters,
    }
    return hit


def _marked(text: str, words: Sequence[str]) -> dict[str, Json] | None:
    """The snippet of a text in which a searched word begins a word."""
    starts = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    pattern = re.compile(rf"\b({starts})", re.IGNORECASE)
    tokens = pattern.findall(text)
    if not tokens:
        return None
    return {"matched_tokens": tokens, "snippet": pattern.sub(r"<mark>\1</mark>", text)}


def _order(schema: Schema, sort_by: str, *, everything: bool) -> list[tuple[str, bool]]:
    """Names to sort by and whether from the top down."""
    order = []
    for clause in filter(None, map(str.strip, sort_by.split(","))):
        name, _, direction = clause.rpartition(":")
        field = schema.searched.get(name)
        if name != "_text_match" and (field is None or not field.sort or not field.index):
            raise Refusal(404, f"Could not find a field named `{name}` in the schema for sorting.")
        if direction.upper() not in ("ASC", "DESC"):
            raise Refusal(400, f"Order for field` {name}` should be either ASC or DESC.")  # sic
        order.append((name, direction.upper() == "DESC"))
    if len(order) > 3:
        raise Refusal(422, "Only upto 3 sort_by fields can be specified.")
    by_text = [] if everything else [("_text_match", True)]
    if not order:
        default = schema.default_sorting_field
        return by_text + ([(default, True)] if default else [])
    return order + [each for each in by_text if each not in order and len(order) < 3]


def _sorted(
    found: Sequence[int],
    name: str,
    descending: bool,
    documents: Sequence[Document],
    matches: Mapping[int, _Match],
) -> list[int]:
    """*found* in order of one field, those without it last."""
    if name == "_text_match":
        return sorted(found, key=lambda index: matches[index], reverse=descending)
    values = {index: values_at(documents[index], name) for index in found}
    having = [index for index in found if values[index]]
    having.sort(key=lambda index: values[index][0], reverse=descending)
    return having + [index for index in found if not values[index]]


def _count(field: Field, documents: Iterable[Document], most: int) -> dict[str, Json]:
    counts: Counter[str] = Counter()
    numbers: list[float] = []
    for document in documents:
        values = values_at(document, field.name)
        counts.update({filter_value(value) for value in values})
        if field.scalar in ("int32", "int64", "float"):
            numbers += values
    stats: dict[str, Json] = {"total_values": len(counts)}
    if numbers:
        total = float(sum(numbers))
        stats |= {
            "avg": total / len(numbers),
            "max": float(max(numbers)),
            "min": float(min(numbers)),
            "sum": total,
        }
    top = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:most]
    return {
        "counts": [{"count": n, "highlighted": value, "value": value} for value, n in top],
        "field_name": field.name,
        "sampled": False,
        "stats": stats,
    }


def _searchable(schema: Schema, name: str) -> Field:
    field = schema.searched.get(name)
    if field is None:
        raise Refusal(404, f"Could not find a field named `{name}` in the schema.")
    if field.scalar != "string":
        raise Refusal(400, f"Field `{name}` should be a string or a string array.")
    if not field.index:
        raise Refusal(400, f"Field `{name}` is marked as a non-indexed field in the schema.")
    return field


def _facet(schema: Schema, name: str) -> Field:
    field = schema.searched.get(name)
    if field is None or not field.facet:
        raise Refusal(404, f"Could not find a facet field named `{name}` in the schema.")
    return field


def _unsigned(params: Mapping[str, str], name: str, default: int) -> int:
    given = params.get(name, str(default))
    if not re.fullmatch(r"\d+", given):
        raise Refusal(400, f"Parameter `{name}` must be an unsigned integer.")
    return int(given)


def _listed(params: Mapping[str, str], name: str) -> list[str]:
    return [each.strip() for each in params.get(name, "").split(",") if each.strip()]
