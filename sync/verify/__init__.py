"""Verify: compares tables and sinks, both ways and by value.

    table → sinks   scan items, plan them, compare each op with what its sink holds
    sink → tables   walk ids, trace each to the item that it is made from, ask for that item's ops
    both            look again at what differs, after a pause; only what stays is a difference

Writes may go on meanwhile. Memory does not grow with table or sink: both are read in pages. Nothing
is written here; a repair is a resync of the keys that differ (sync/commands/verify.py). A sink that
can't be read does not keep the others from being compared.

verify     pages and samples of both ways
looking    the first look
confirm    the second look
reading    sinks, of which some can't be read
expected   what items ask for, and which items a document may belong to
findings   differences, and what a page found
"""
