"""What every part stands on: clock, deadline, settings, log, waits."""
