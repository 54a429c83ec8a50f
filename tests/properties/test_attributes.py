"""The attribute codec at length; tests/unit has the short run and the single cases."""

import pytest
from hypothesis import given, settings

from tests.lengths import cases
from tests.unit.aws.images import LAWS, Image, images

CASES = cases(10_000, 100_000)


@pytest.mark.soak
def test_every_image_is_read_as_boto3_does_and_written_exactly() -> None:
    """The codec's laws hold for each of very many images."""
    cases = 0

    @settings(max_examples=CASES, deadline=None, database=None)
    @given(images())
    def obeys(image: Image) -> None:
        nonlocal cases
        cases += 1
        for law in LAWS:
            assert law(image), law.__name__

    obeys()
    assert cases >= CASES
