"""The requests that the sink sends, each of which its function's role has to allow."""

import pytest

from sync.model.fields import Text
from sync.model.model import Model
from sync.sinks.opensearch import OpenSearch
from sync.sinks.opensearch.mapping import index_body
from tests.asked import OPENSEARCH, to_opensearch
from tests.contract.sinks import Subject, patient
from tests.fault_proxy import FaultProxy

pytestmark = pytest.mark.parametrize("subject", ["opensearch"], indirect=True)


class Brief(Model):
    text: Text


class Longer(Brief):
    more: Text


def sent(proxy: FaultProxy) -> set[tuple[str, str]]:
    seen = {to_opensearch(request.method, request.path) for request in proxy.requests}
    proxy.requests.clear()
    return seen


def test_the_roles_are_proved_by_what_is_sent(subject: Subject, proxy: FaultProxy) -> None:
    """What `tests/asked` says of the client's methods is what a real server gets, all of it."""
    assert isinstance(subject.sink, OpenSearch)
    subject.write(subject.put("1"), subject.delete("2"))
    assert sent(proxy) == OPENSEARCH["bulk"]
    list(subject.sink.compare([subject.put("1")], patient()))
    assert sent(proxy) == OPENSEARCH["documents"]
    list(subject.sink.ids(subject.target, None, patient()))
    walk = OPENSEARCH["refresh"] | OPENSEARCH["shards"] | OPENSEARCH["search"]
    assert sent(proxy) == walk
    alias = f"asked-{subject.target}"
    brief = index_body([Brief.document_schema()])
    hasty = {**brief, "settings": {"number_of_shards": 1, "gc_deletes": "60s"}}
    done = [
        subject.sink.prepare(alias, each)
        for each in (hasty, brief, index_body([Longer.document_schema()]))
    ]
    assert done == ["created", "extended", "extended"]
    assert sent(proxy) == OPENSEARCH["prepare"]
