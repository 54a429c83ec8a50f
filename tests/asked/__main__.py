"""`python -m tests.asked`: records anew what functions ask of AWS."""

import os

from tests.asked import GOLDEN, record
from tests.asked.scenario import asked
from tests.doubles.in_process import mock_aws

os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
with mock_aws():
    asks = asked()
record(asks)
print(f"{len(asks)} in {GOLDEN}")
