"""What runs where a network is measured: here, and as one file on boards.

Python 3.6 or later, with the standard library, numpy and the runtime; it imports nothing else of nasopt, so that it can
be packed and copied to a board (`python3 agent-HASH.pyz`). On a board it answers requests, JSON lines on standard input
(see `serving`); here its parts are called directly, so that there is one loop, one way into each runtime and one reader
of each sensor.

A runtime NAME is the module `runs_NAME` with

    describe(options) -> facts
    open_run(model_path, threads, options) -> (run, facts)

`facts` hold at least `runtime` (name and version) and `provider` (what really runs the network). `run()` executes the
network once, with inputs fixed beforehand. What cannot be done raises `refusals.RefusedError`.
"""
