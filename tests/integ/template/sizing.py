"""How large everything is where a stage says nothing else: as AWS recommends for production."""

from tests.integ.template.reading import (
    Planted,
    Template,
    functions,
    of_type,
    properties,
    resolved,
)


def the_domain_survives_the_loss_of_a_zone(template: Template) -> None:
    domain = resolved(template, properties(template, "Search"))
    cluster = domain["ClusterConfig"]
    assert cluster == {
        "InstanceType": "r7g.large.search",
        "InstanceCount": 3,
        "ZoneAwarenessEnabled": True,
        "ZoneAwarenessConfig": {"AvailabilityZoneCount": 3},
        "DedicatedMasterEnabled": True,
        "DedicatedMasterType": "m7g.large.search",
        "DedicatedMasterCount": 3,
        "MultiAZWithStandbyEnabled": False,
    }
    assert domain["EBSOptions"] == {"EBSEnabled": True, "VolumeType": "gp3", "VolumeSize": 50}
    assert "VPCOptions" not in domain


def functions_that_somebody_waits_for_have_a_whole_cpu(template: Template) -> None:
    memory = {name: function["MemorySize"] for name, function in functions(template).items()}
    assert memory == {
        "StreamLambdaFunction": 1769,
        "ResyncLambdaFunction": 1769,
        "TypesenseLambdaFunction": 1024,
        "RunsLambdaFunction": 1769,
        "DeadlettersLambdaFunction": 512,
        "AdminLambdaFunction": 1769,
    }


def no_function_takes_from_the_account_s_concurrency_what_others_need(template: Template) -> None:
    # Mappings and shards bound each function; a new account has too little to reserve any of it.
    for name, function in functions(template).items():
        assert "ReservedConcurrentExecutions" not in function, name
    queues = [
        mapping["Properties"]["ScalingConfig"]["MaximumConcurrency"]
        for mapping in of_type(template, "Lambda::EventSourceMapping").values()
        if "StartingPosition" not in mapping["Properties"]
    ]
    assert len(queues) == 5


PLANTED: Planted = {
    the_domain_survives_the_loss_of_a_zone: (
        ("Search", "Properties", "ClusterConfig", "ZoneAwarenessConfig", "Fn::If", 0),
        "HasMasters",
    ),
    functions_that_somebody_waits_for_have_a_whole_cpu: (
        ("StreamLambdaFunction", "Properties", "MemorySize"),
        512,
    ),
    no_function_takes_from_the_account_s_concurrency_what_others_need: (
        ("AdminLambdaFunction", "Properties", "ReservedConcurrentExecutions"),
        1,
    ),
}
