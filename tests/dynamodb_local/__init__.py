"""AWS's own DynamoDB Local, which the tests take as the reference for every other DynamoDB."""
