"""What every part uses: clock, deadline, environment variables, log, retries, waits."""
