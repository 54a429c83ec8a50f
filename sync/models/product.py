"""The product catalogue (requirements S5)."""

from sync.model import Keyword, Model, Number, Object, Text, Timestamp, route
from sync.sinks.opensearch import OpenSearch


@route("products", productId=r".+", into={OpenSearch: "products"})
class Product(Model):
    """A product. Other attributes of the item are not in its document."""

    productId: Keyword  # noqa: N815 - the attribute's name
    name: Text
    description: Text | None = None
    price: Number
    brand: Keyword | None = None
    category: Keyword | None = None
    tags: list[Keyword] | None = None
    in_stock: bool | None = None
    dimensions: Object | None = None
    updated_at: Timestamp | None = None
