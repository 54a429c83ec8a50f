"""A table of others: made outside of the stack, which attaches it and changes nothing of it."""

from typing import Any, Final

NAME: Final = "Aircraft-Types"
ROLE: Final = "aircraft_types"
KEYS: Final = {"name": "S", "created": "N"}  # names that models, log records and clients use too


def make(dynamodb: Any) -> None:
    """Make the table, with a stream; *dynamodb* is a boto3 client."""
    dynamodb.create_table(
        TableName=NAME,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": kind} for key, kind in KEYS.items()
        ],
        KeySchema=[
            {"AttributeName": key, "KeyType": kind}
            for key, kind in zip(KEYS, ("HASH", "RANGE"), strict=True)
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
