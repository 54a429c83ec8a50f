"""What each function may do."""

from tests.integ.template.reading import (
    Planted,
    Template,
    functions,
    grants,
    listed,
    of_type,
    resources,
    shown,
    statements,
)

# What Lambda needs in a VPC; EC2 knows no narrower resource for these (Lambda guide, VPC).
NETWORK_ACTIONS = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
# CloudWatch knows no resource for it (service authorization reference).
METRIC_ACTIONS = {"cloudwatch:GetMetricStatistics"}
# What the counters and the default image sink do.
DERIVING = {
    ("dynamodb:BatchGetItem", "ContributionsTable.Arn"),
    ("dynamodb:PutItem", "ContributionsTable.Arn"),
    *(
        (f"dynamodb:{action}Item", "*CoreTable.Arn")
        for action in ("BatchGet", "ConditionCheck", "Delete", "Get", "Put", "Update")
    ),
    ("dynamodb:Query", "*CoreTable.Arn"),
}


def every_function_has_a_role_of_its_own(template: Template) -> None:
    roles = {name: shown(function["Role"]) for name, function in functions(template).items()}
    assert roles == {
        "StreamLambdaFunction": "StreamRole.Arn",
        "ResyncLambdaFunction": "ResyncRole.Arn",
        "TypesenseLambdaFunction": "TypesenseRole.Arn",
        "DeadlettersLambdaFunction": "DeadLettersRole.Arn",
        "AdminLambdaFunction": "AdminRole.Arn",
    }
    assert {f"{name}.Arn" for name in of_type(template, "IAM::Role")} == set(roles.values())


def roles_name_actions_and_resources(template: Template) -> None:
    for name, role in of_type(template, "IAM::Role").items():
        assert "ManagedPolicyArns" not in role["Properties"], name
        for statement in statements(role):
            actions = set(listed(statement["Action"]))
            assert not [action for action in actions if "*" in action], (name, statement)
            if "*" in resources(statement):
                assert actions in (NETWORK_ACTIONS, METRIC_ACTIONS), (name, statement)


def the_stream_role_may_do_what_the_stream_function_does(template: Template) -> None:
    # What stands under aws/lambda is Lambda's, which acts as the function there.
    stream_actions = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
    assert grants(template, "StreamRole") == {
        ("logs:CreateLogStream", "StreamLogGroup.Arn"),
        ("logs:PutLogEvents", "StreamLogGroup.Arn"),
        *((f"dynamodb:{action}", "CoreTable.StreamArn") for action in stream_actions),
        *((f"dynamodb:{action}", "ProductsTable.StreamArn") for action in stream_actions),
        ("es:ESHttpPost", "${Search.Arn}/_bulk"),
        ("sns:Publish", "DeadLetterTopic"),
        ("s3:PutObject", "${PayloadBucket.Arn}/letters/*"),
        ("s3:PutObject", "${PayloadBucket.Arn}/aws/lambda/*"),
        ("s3:ListBucket", "PayloadBucket.Arn"),
        ("sqs:SendMessage", "ResyncQueue.Arn"),
        ("sqs:SendMessage", "TypesenseQueue.Arn"),
        ("dynamodb:UpdateItem", "StateTable.Arn"),
        *DERIVING,
    }


def the_resync_role_may_do_what_the_resync_function_does(template: Template) -> None:
    queue_actions = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "SendMessage")
    assert grants(template, "ResyncRole") == {
        ("logs:CreateLogStream", "ResyncLogGroup.Arn"),
        ("logs:PutLogEvents", "ResyncLogGroup.Arn"),
        *((f"sqs:{action}", "ResyncQueue.Arn") for action in queue_actions),
        ("dynamodb:BatchGetItem", "CoreTable.Arn"),
        ("dynamodb:BatchGetItem", "ProductsTable.Arn"),
        ("es:ESHttpPost", "${Search.Arn}/_bulk"),
        ("sqs:SendMessage", "TypesenseQueue.Arn"),
        ("sns:Publish", "DeadLetterTopic"),
        ("s3:PutObject", "${PayloadBucket.Arn}/letters/*"),
        ("dynamodb:UpdateItem", "StateTable.Arn"),
        *DERIVING,
    }


def the_typesense_role_may_do_what_the_typesense_function_does(template: Template) -> None:
    queue_actions = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    assert grants(template, "TypesenseRole") == {
        ("logs:CreateLogStream", "TypesenseLogGroup.Arn"),
        ("logs:PutLogEvents", "TypesenseLogGroup.Arn"),
        *((f"sqs:{action}", "TypesenseQueue.Arn") for action in queue_actions),
        ("sqs:ChangeMessageVisibility", "TypesenseQueue.Arn"),
        ("sqs:SendMessage", "ResyncQueue.Arn"),
        ("secretsmanager:GetSecretValue", "TypesenseApiKey.Id"),
        ("dynamodb:BatchGetItem", "CoreTable.Arn"),
        ("sns:Publish", "DeadLetterTopic"),
        ("s3:PutObject", "${PayloadBucket.Arn}/letters/*"),
        ("dynamodb:UpdateItem", "StateTable.Arn"),
    }


def no_function_writes_other_rows_of_the_application_than_derived_ones(
    template: Template,
) -> None:
    only = {
        "ForAllValues:StringLike": {
            "dynamodb:LeadingKeys": ["IMAGES#*", "DEFAULT_IMAGES#*", "ICAO#MATCHER"]
        }
    }
    for name, role in of_type(template, "IAM::Role").items():
        for statement in statements(role):
            actions = [action.partition(":")[2] for action in listed(statement["Action"])]
            if any(action.startswith(("Put", "Update", "Delete")) for action in actions):
                tables = {shown(resource) for resource in resources(statement)}
                assert "ProductsTable.Arn" not in tables, name
                assert "CoreTable.Arn" not in tables or statement["Condition"] == only, name


def the_consumer_role_may_do_what_the_consumer_does(template: Template) -> None:
    queue_actions = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    assert grants(template, "DeadLettersRole") == {
        ("logs:CreateLogStream", "DeadlettersLogGroup.Arn"),
        ("logs:PutLogEvents", "DeadlettersLogGroup.Arn"),
        *((f"sqs:{action}", "DeadLetterQueue.Arn") for action in queue_actions),
        *((f"sqs:{action}", "TypesenseDeadLetterQueue.Arn") for action in queue_actions),
        *(
            (f"dynamodb:{action}", "DeadLetterTable.Arn")
            for action in ("BatchGetItem", "PutItem", "UpdateItem")
        ),
        ("s3:PutObject", "${PayloadBucket.Arn}/letters/*"),
        ("s3:GetObject", "${PayloadBucket.Arn}/aws/lambda/*"),
        ("s3:DeleteObject", "${PayloadBucket.Arn}/aws/lambda/*"),
        ("s3:ListBucket", "PayloadBucket.Arn"),
    }


def the_admin_role_may_do_what_the_admin_function_does(template: Template) -> None:
    assert grants(template, "AdminRole") == {
        ("logs:CreateLogStream", "AdminLogGroup.Arn"),
        ("logs:PutLogEvents", "AdminLogGroup.Arn"),
        *((f"es:ESHttp{method}", "${Search.Arn}/*") for method in ("Get", "Head", "Post", "Put")),
        *(
            (f"dynamodb:{action}", f"{table}.Arn")
            for action in ("BatchGetItem", "Scan")
            for table in ("CoreTable", "ProductsTable")
        ),
        *(
            (f"dynamodb:{action}", "DeadLetterTable.Arn")
            for action in ("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem")
        ),
        ("dynamodb:Query", "${DeadLetterTable.Arn}/index/by-status"),
        ("dynamodb:Scan", "StateTable.Arn"),
        ("dynamodb:UpdateItem", "StateTable.Arn"),
        *(
            (f"s3:{action}", "${PayloadBucket.Arn}/letters/*")
            for action in ("DeleteObject", "GetObject", "PutObject")
        ),
        ("s3:ListBucket", "PayloadBucket.Arn"),
        ("dynamodb:Query", "CoreTable.Arn"),
        ("dynamodb:Scan", "ContributionsTable.Arn"),
        *DERIVING,
        ("sqs:SendMessage", "ResyncQueue.Arn"),
        ("sqs:SendMessage", "TypesenseQueue.Arn"),
        ("secretsmanager:GetSecretValue", "TypesenseApiKey.Id"),
        *(
            ("sqs:GetQueueAttributes", f"{queue}.Arn")
            for queue in (
                "ResyncQueue",
                "DeadLetterQueue",
                "TypesenseQueue",
                "TypesenseDeadLetterQueue",
            )
        ),
        ("sns:Publish", "DeadLetterTopic"),
        ("cloudwatch:GetMetricStatistics", "*"),
    }


PLANTED: Planted = {
    every_function_has_a_role_of_its_own: (
        ("AdminLambdaFunction", "Properties", "Role", "Fn::GetAtt", 0),
        "StreamRole",
    ),
    roles_name_actions_and_resources: (
        ("AdminRole", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0, "Resource"),
        "*",
    ),
    the_stream_role_may_do_what_the_stream_function_does: (
        ("StreamRole", "Properties", "Policies", 0, "PolicyDocument", "Statement", 3, "Action"),
        "sns:Subscribe",
    ),
    the_resync_role_may_do_what_the_resync_function_does: (
        ("ResyncRole", "Properties", "Policies", 0, "PolicyDocument", "Statement", 2, "Action"),
        "dynamodb:PutItem",
    ),
    the_typesense_role_may_do_what_the_typesense_function_does: (
        ("TypesenseRole", "Properties", "Policies", 0, "PolicyDocument", "Statement", 3, "Action"),
        "secretsmanager:PutSecretValue",
    ),
    no_function_writes_other_rows_of_the_application_than_derived_ones: (
        (
            "ResyncRole",
            "Properties",
            "Policies",
            0,
            "PolicyDocument",
            "Statement",
            9,
            "Condition",
            "ForAllValues:StringLike",
            "dynamodb:LeadingKeys",
            0,
        ),
        "*",
    ),
    the_consumer_role_may_do_what_the_consumer_does: (
        (
            "DeadLettersRole",
            "Properties",
            "Policies",
            0,
            "PolicyDocument",
            "Statement",
            2,
            "Action",
            1,
        ),
        "dynamodb:PutRecords",
    ),
    the_admin_role_may_do_what_the_admin_function_does: (
        ("AdminRole", "Properties", "Policies", 0, "PolicyDocument", "Statement", 1, "Action", 0),
        "es:ESHttpDelete",
    ),
}
