"""AWS through boto3: clients, DynamoDB items and attributes, transactions, batches."""
