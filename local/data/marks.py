"""The marks of registered aircraft, and the 24-bit addresses of their transponders."""

from typing import Final, NamedTuple

LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # without I and O, which look like digits
LAST_N_NUMBER: Final = 915_398  # the place of N99999, counted from N1
LONGEST_RESERVED: Final = len("N99")  # the FAA keeps N1 to N99 for itself

_FIRST_ADDRESS: Final = 0xA00001  # of N1, in the block of the United States (ICAO Annex 10)
_ENDINGS: Final = 601  # no letter, 24 of one letter, 24 times 24 of two
_SMALL_ENDINGS: Final = 25  # after four digits: no letter, or one


class State(NamedTuple):
    """How a state marks aircraft, and its block of 24-bit addresses (ICAO Annex 10, volume III).

    In *marks* each `@` stands for a letter and each `#` for a digit.
    """

    country: str
    marks: str
    first: int
    last: int


STATES: Final = (
    State("GB", "G-@@@@", 0x400000, 0x43FFFF),
    State("DE", "D-E@@@", 0x3C0000, 0x3FFFFF),
    State("FR", "F-G@@@", 0x380000, 0x3BFFFF),
    State("CA", "C-G@@@", 0xC00000, 0xC3FFFF),
    State("AU", "VH-@@@", 0x7C0000, 0x7FFFFF),
    State("CH", "HB-@@@", 0x4B0000, 0x4B7FFF),
    State("NL", "PH-@@@", 0x480000, 0x487FFF),
    State("AT", "OE-@@@", 0x440000, 0x447FFF),
    State("SE", "SE-@@@", 0x4A8000, 0x4AFFFF),
    State("NZ", "ZK-@@@", 0xC80000, 0xC87FFF),
    State("BR", "PP-@@@", 0xE40000, 0xE7FFFF),
    State("JP", "JA####", 0x840000, 0x87FFFF),
)


def n_number(place: int) -> str:
    """The N-number at *place*, counted from 0 for N1 in the order of the addresses.

    After the N come one to five characters: a number without leading zero, then up to two letters
    (14 CFR 47.15).
    """
    if not 0 <= place <= LAST_N_NUMBER:
        raise ValueError(f"there is no N-number at {place}")
    spans = [
        101_711,
        10_111,
        951,
        35,
        1,
    ]  # how many marks begin with the same one, two … five digits
    text = "N"
    for digits, span in enumerate(spans, start=1):
        digit, place = divmod(place, span)
        text += str(digit + (digits == 1))
        endings = {4: _SMALL_ENDINGS, 5: 1}.get(digits, _ENDINGS)
        if place < endings:
            return text + _ending(place, digits)
        place -= endings
    raise AssertionError("five digits have no ending")


def _ending(place: int, digits: int) -> str:
    if place == 0:
        return ""
    if digits == 4:  # then there is room for one letter
        return LETTERS[place - 1]
    first, second = divmod(place - 1, len(LETTERS) + 1)
    return LETTERS[first] + (LETTERS[second - 1] if second else "")


def mode_s_address(place: int) -> int:
    """The 24-bit address that belongs to the N-number at *place*."""
    return _FIRST_ADDRESS + place
