"""The roles' policies as IAM is given them: with ARNs where the template has functions."""

import re
from collections.abc import Iterator
from typing import Any, Final

from tests.integ.template.reading import Template, of_type, resources

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-west-1"


def policies(template: Template) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Role, policy and document of each policy, those under a condition included."""
    for name, role in of_type(template, "IAM::Role").items():
        for policy in role["Properties"]["Policies"]:
            policy = policy["Fn::If"][1] if "Fn::If" in policy else policy
            document = policy["PolicyDocument"]
            statements = [
                {**each, "Resource": [_arn(template, resource) for resource in resources(each)]}
                for each in document["Statement"]
            ]
            yield name, policy["PolicyName"], {**document, "Statement": statements}


def arn(service: str, path: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{path}"


def bucket_name(template: Template) -> str:
    (bucket,) = (
        each["Properties"]["BucketName"]["Fn::Sub"]
        for name, each in of_type(template, "S3::Bucket").items()
        if name == "PayloadBucket"
    )
    return str(bucket).replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION)


def _arn(template: Template, resource: Any) -> str:
    match resource:
        case str(text):
            return text
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{(\w+)\.Arn\}", lambda found: _of(template, found[1], "Arn"), text)
        case {"Fn::GetAtt": [name, attribute]}:
            return _of(template, name, attribute)
        case {"Ref": name}:
            return _of(template, name, "Arn")
    raise AssertionError(resource)


def _of(template: Template, name: str, attribute: str) -> str:
    resource = template["Resources"][name]
    told = resource["Properties"]
    match resource["Type"].rpartition("::")[2]:
        case "Table":
            stream = "/stream/label" if attribute == "StreamArn" else ""
            return arn("dynamodb", f"table/{told['TableName']}{stream}")
        case "Queue":
            return arn("sqs", told["QueueName"])
        case "Topic":
            return arn("sns", told["TopicName"])
        case "Domain":
            return arn("es", f"domain/{told['DomainName']}")
        case "Secret":
            return arn("secretsmanager", f"secret:{told['Name']}-AbCdEf")
        case "LogGroup":
            return arn("logs", f"log-group:{told['LogGroupName']}:*")
        case "Bucket":
            return f"arn:aws:s3:::{bucket_name(template)}"
    raise AssertionError(resource["Type"])
