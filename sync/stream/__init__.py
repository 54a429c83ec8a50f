"""The stream: from a batch of DynamoDB stream records to writes of sinks.

record      checks and parses a stream record
dispatch    a batch: records → ops → writes → settle → Lambda's response
"""
