"""From stream records to ops."""
