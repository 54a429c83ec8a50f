"""Aircraft on the register of the FAA (requirements S3.4).

Fields are those of MASTER.txt of its releasable aircraft database, in lower case; all are texts
there, dates as YYYYMMDD.
"""

from sync.model import Keyword, Model, Text, route
from sync.sinks.typesense import Typesense


@route(
    "stream-sync-{stage}-core",
    PK=r"AIRCRAFT#REGISTRY#FAA",
    SK=r"DETAIL#.+",
    into={Typesense: "registry"},
)
class FaaRegistration(Model):
    """One aircraft, `DETAIL#{registration}`; the registration has the N that `n_number` lacks."""

    registration: Keyword
    n_number: Keyword
    serial_number: Keyword | None = None
    mfr_mdl_code: Keyword | None = None  # of ACFTREF.txt, which FAA links begin with as well
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
