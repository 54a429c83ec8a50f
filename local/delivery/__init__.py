"""Lambda's rules for delivering a DynamoDB stream to a function.

    reader → Delivery (shards → lanes) → steps → invoker, destination

`lane.Lane` and `shards.Delivery` apply the rules. They have no thread, clock or connection, and say
what to do next. Their driver brings the parts that `ports` describes. `driver.StreamDriver` has
threads and AWS clients; the local stack needs it because the emulator's own poller ignores most of
the rules. The simulator in tests/ has its own clock and never sleeps. One round of such a loop:

    delivery.discover(reader.shards())
    for shard in delivery.readable():
        page = reader.read(shard.info.id)
        shard.offer(page.records, now)
        shard.closed = page.closed
    for shard in delivery.shards:
        for lane in shard.lanes:
            match lane.next(now):          # not while lane.invoking
                case Invoke(records):      lane.answered(invoker.invoke(records), now)
                case Discard(discarded):   destination.send(discarded); lane.sent()
                case Wait(until) | Idle(): ...

Rules cite pages of the Lambda guide: with-ddb (WD), services-ddb-params (PR),
services-ddb-batchfailurereporting (PB), services-dynamodb-errors (ER), with-ddb-filtering (FI).

After a crash of the poller, make a new Delivery whose reader starts after each `shard.checkpoint`.
A reader never returns records past retention.
"""
