"""Aircraft on the register of the FAA (requirements S3.4).

The fields are the columns of MASTER.txt in the FAA's releasable aircraft database, in lower case.
All are texts there; dates are YYYYMMDD.
"""

from sync.model import Keyword, Model, Text, route
from sync.sinks.typesense import Typesense


@route(
    "core",
    PK=r"AIRCRAFT#REGISTRY#FAA",
    SK=r"DETAIL#.+",
    into={Typesense: "registry"},
)
class FaaRegistration(Model):
    """One aircraft, `DETAIL#{registration}`. The registration is an N, then `n_number`."""

    registration: Keyword
    n_number: Keyword
    serial_number: Keyword | None = None
    mfr_mdl_code: Keyword | None = None  # key of ACFTREF.txt, also in the keys of FAA links
    eng_mfr_mdl: Keyword | None = None
    year_mfr: Keyword | None = None
    type_registrant: Keyword | None = None
    name: Text | None = None
    street: Text | None = None
    street2: Text | None = None
    city: Keyword | None = None
    state: Keyword | None = None
    zip_code: Keyword | None = None
    region: Keyword | None = None
    county: Keyword | None = None
    country: Keyword | None = None
    last_action_date: Keyword | None = None
    cert_issue_date: Keyword | None = None
    certification: Keyword | None = None
    type_aircraft: Keyword | None = None
    type_engine: Keyword | None = None
    status_code: Keyword | None = None
    mode_s_code: Keyword | None = None  # octal
    mode_s_code_hex: Keyword | None = None
    fract_owner: Keyword | None = None
    air_worth_date: Keyword | None = None
    other_names: list[Text] | None = None
    expiration_date: Keyword | None = None
    unique_id: Keyword | None = None
    kit_mfr: Text | None = None
    kit_model: Text | None = None
