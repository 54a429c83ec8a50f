"""Keeps search indexes, edge stores and derived data in step with DynamoDB."""
