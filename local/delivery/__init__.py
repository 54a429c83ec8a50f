"""Lambda's rules for delivering a DynamoDB stream to a function, on their own.

    reader → Delivery (shards → lanes) → steps → invoker, destination

`rules.Lane` and `shards.Delivery` are the rules: they hold no thread, clock or connection, and say
what to do next. Whoever drives them plugs in the parts of `ports`: `driver.StreamDriver` does it
with threads and AWS clients, for the local stack, whose own poller ignores most of the rules; a
simulator does it with a clock of its own, without sleeping. One round of such a loop:

    delivery.discover(reader.shards())
    for shard in delivery.readable():
        page = reader.read(shard.info.id)
        shard.offer(page.records, now)
        shard.closed = page.closed
    for shard in delivery.shards:
        for lane in shard.lanes:
            match lane.next(now):          # not while lane.invoking
                case Invoke(records):      lane.answered(invoker.invoke(records), now)
                case Discard(discarded):   destination.send(discarded); lane.told()
                case Wait(until) | Idle(): ...

Rules cite pages of the Lambda guide: with-ddb (WD), services-ddb-params (PR),
services-ddb-batchfailurereporting (PB), services-dynamodb-errors (ER), with-ddb-filtering (FI).

A crash of the poller is a new Delivery whose reader goes on after each `shard.checkpoint`.
Records past retention are the reader's affair: it never returns them.
"""
