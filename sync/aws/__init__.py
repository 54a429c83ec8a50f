"""AWS through boto3: clients, items, attributes, transactions, batches."""
