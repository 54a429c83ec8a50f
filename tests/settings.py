"""Settings that a function starts with; nothing listens where they point."""

import json
from typing import Final

REGION: Final = "us-east-1"
QUEUES: Final = f"https://sqs.{REGION}.amazonaws.com/123456789012"
TABLES: Final = {"core": "stream-sync-test-core", "products": "stream-sync-test-products"}
REQUIRED: Final = {
    "STAGE": "test",
    "TABLES": json.dumps(TABLES),
    "OPENSEARCH_ENDPOINT": "http://127.0.0.1:9",
    "OPENSEARCH_AUTH": "none",
    "TYPESENSE_QUEUE_URL": f"{QUEUES}/typesense.fifo",
    "TYPESENSE_DEAD_LETTER_QUEUE_URL": f"{QUEUES}/typesense-dead-letters.fifo",
    "TYPESENSE_URL": "http://127.0.0.1:9",
    "TYPESENSE_API_KEY_ARN": f"arn:aws:secretsmanager:{REGION}:123456789012:secret:key-AbCdEf",
    "CONTRIBUTIONS_TABLE": "stream-sync-test-contributions",
    "COUNTERS_TABLE": "stream-sync-test-core",
    "IMAGES_TABLE": "stream-sync-test-core",
    "DEAD_LETTER_TOPIC_ARN": f"arn:aws:sns:{REGION}:123456789012:dead-letters",
    "DEAD_LETTER_QUEUE_URL": f"{QUEUES}/dead-letters",
    "DEAD_LETTER_TABLE": "stream-sync-test-dead-letters",
    "PAYLOAD_BUCKET": "payloads",
    "RESYNC_QUEUE_URL": f"{QUEUES}/resync",
}
ENV: Final = {**REQUIRED, "LOG_LEVEL": "WARNING"}

LISTED = (  # what the index of dead letters has of a row, besides its keys
    *("kind", "last_at", "seen", "table", "keys", "sink", "model", "target", "document_id"),
    *("version", "state", "erased_at"),
    *("error_class", "error", "after", "replays", "replayed_at", "reason", "resolved_at"),
)
