"""Parameters that the tests give stages."""

from typing import Final

URL: Final = {"typesenseUrl": "https://typesense.example.org"}  # what a stage has to say
SUBNETS: Final = [f"subnet-0123456789abcdef{n}" for n in range(3)]
VPC: Final = {
    "subnetIds": ",".join(SUBNETS),
    "securityGroupIds": "sg-0123456789abcdef0",
    "alarmEmail": "ops@example.org",
}
