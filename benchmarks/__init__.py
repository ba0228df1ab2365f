"""Speed against other libraries; never part of the test run. See `run`."""
